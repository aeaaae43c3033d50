#!/usr/bin/env python3
"""Is the fake's protocol AWS's? The real `aws` command line (Debian package awscli) registers, deregisters and
describes with it, over real web servers behind the fake's HAProxy; a wrong secret must be refused. What the fake
gives to awscli it gives to hitless: same port, same checks."""
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from launch import FakeAws, default_config  # noqa: E402

INSTANCES = {"i-0aaaaaaaaaaaaaaa1": "127.0.0.2", "i-0aaaaaaaaaaaaaaa2": "127.0.0.3"}


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a health check that hangs up early is no news


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        body = self.server.server_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class AwsCli(unittest.TestCase):
    def setUp(self):
        port = free_port()
        self.lb_port = free_port()
        self.servers = [Server((ip, port), Handler) for ip in INSTANCES.values()]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.aws = FakeAws(default_config(INSTANCES, self.lb_port, port, scaling_groups={
            "web-asg": {"type": "ELB", "instances": list(INSTANCES), "suspended": ["AZRebalance"]}})).__enter__()
        self.arn = self.aws.group_arn()

    def tearDown(self):
        self.aws.__exit__()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def cli(self, service, *words, env=None, fails=False):
        done = subprocess.run(["aws", "--endpoint-url", self.aws.url, "--output", "json", service, *words],
                              env=env or self.aws.env(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode != 0, fails, done.stdout + done.stderr)
        return done.stderr if fails else (json.loads(done.stdout) if done.stdout.strip() else None)

    def states(self, *words):
        told = self.cli("elbv2", "describe-target-health", "--target-group-arn", self.arn, *words)
        return {d["Target"]["Id"]: d["TargetHealth"]["State"] for d in told["TargetHealthDescriptions"]}

    def answers(self, n=20):
        got = set()
        for _ in range(n):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.lb_port}/", timeout=10) as answer:
                got.add(answer.read().decode())
        return got

    def wait_for(self, wanted):
        end = time.monotonic() + 90
        while self.states() != wanted:
            self.assertLess(time.monotonic(), end, f"{self.states()} instead of {wanted}")
            time.sleep(0.2)

    def test_deregister_drains_and_register_brings_back(self):
        one, two = INSTANCES
        self.wait_for({one: "healthy", two: "healthy"})
        self.assertEqual(self.answers(), set(INSTANCES.values()))
        self.cli("elbv2", "deregister-targets", "--target-group-arn", self.arn, "--targets", f"Id={one}")
        self.assertEqual(self.states()[one], "draining")
        time.sleep(0.3)
        self.assertEqual(self.answers(), {INSTANCES[two]}, "deregister really drains")
        self.wait_for({two: "healthy"})  # after the deregistration delay it is not listed any more
        self.assertEqual(self.states("--targets", f"Id={one}"), {one: "unused"})
        self.cli("elbv2", "register-targets", "--target-group-arn", self.arn, "--targets", f"Id={one}")
        self.wait_for({one: "healthy", two: "healthy"})
        self.assertEqual(self.answers(), set(INSTANCES.values()))

    def test_describes_ec2_sts_and_errors(self):
        group = self.cli("elbv2", "describe-target-groups", "--names", "web-tg")["TargetGroups"][0]
        self.assertEqual((group["TargetType"], group["TargetGroupArn"]), ("instance", self.arn))
        attributes = self.cli("elbv2", "describe-target-group-attributes", "--target-group-arn", self.arn)
        self.assertIn({"Key": "deregistration_delay.timeout_seconds", "Value": "4"}, attributes["Attributes"])
        found = self.cli("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=web02")
        self.assertEqual(found["Reservations"][0]["Instances"][0]["InstanceId"], list(INSTANCES)[1])
        self.assertTrue(self.cli("sts", "get-caller-identity")["Arn"].endswith("user/fake"))
        scaled = self.cli("autoscaling", "describe-auto-scaling-instances", "--instance-ids", list(INSTANCES)[0])
        self.assertEqual([each["AutoScalingGroupName"] for each in scaled["AutoScalingInstances"]], ["web-asg"])
        groups = self.cli("autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names", "web-asg")
        self.assertEqual([(g["HealthCheckType"], g["SuspendedProcesses"][0]["ProcessName"])
                          for g in groups["AutoScalingGroups"]], [("ELB", "AZRebalance")])
        self.assertIn("TargetGroupNotFound", self.cli(
            "elbv2", "describe-target-health", "--target-group-arn", self.arn + "x", fails=True))
        wrong = dict(self.aws.env(), AWS_SECRET_ACCESS_KEY="wrong")
        self.assertIn("SignatureDoesNotMatch", self.cli("sts", "get-caller-identity", env=wrong, fails=True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
