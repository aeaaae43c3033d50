#!/usr/bin/env python3
"""A fake of the AWS APIs that hitless speaks with: ELBv2, STS, EC2 DescribeInstances, CloudWatch GetMetricData, Auto
Scaling's DescribeAutoScalingInstances and DescribeAutoScalingGroups, instance metadata (IMDSv2) and a container's credentials endpoint. It is a fake: AWS itself cannot run in a test.
But it speaks the true wire protocol (Query API, SigV4 verified on every request; the real `aws` command line works
with it, tests/fakes/aws/awscli_test.py), and its load balancer is a real HAProxy that real clients go through.

    aws_fake.py CONFIG.json FOLDER [PORT]     prints "ready PORT"; ends when its parent does

Faults are switched by POST /_fake with a JSON object, for example {"throttle": 3}, {"fail": ["DescribeTargetHealth",
"HealthUnavailable", 500, 2]}, {"lose_reply": 1}, {"stale_reads": 2}, {"drain_lag_s": 3}, {"clock_offset_s": 3600}, or
somebody else's hand {"deregister": [ARN, ID, PORT]} or {"register": …};
GET /_fake gives what was called. Only for this machine: it listens on 127.0.0.1."""
import http.server
import json
import os
import signal
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dataplane import DataPlane, die_with_parent  # noqa: E402
from elb import Elb  # noqa: E402
from others import CloudWatch, Keys, describe_instances  # noqa: E402
from sigv4 import Refused, verify  # noqa: E402

NAMESPACES = {"elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
              "sts": "https://sts.amazonaws.com/doc/2011-06-15/", "ec2": "http://ec2.amazonaws.com/doc/2016-11-15/",
              "monitoring": "http://monitoring.amazonaws.com/doc/2010-08-01/",
              "autoscaling": "http://autoscaling.amazonaws.com/doc/2011-01-01/"}
VERSIONS = {"elasticloadbalancing": "2015-12-01", "sts": "2011-06-15", "ec2": "2016-11-15", "monitoring": "2010-08-01",
            "autoscaling": "2011-01-01"}
STEP_S = 0.05


def to_xml(value, item):
    if isinstance(value, dict):
        return "".join(f"<{k}>{to_xml(v, item)}</{k}>" for k, v in value.items())
    if isinstance(value, list):
        return "".join(f"<{item}>{to_xml(v, item)}</{item}>" for v in value)
    return escape(str(value))


def structures(params, name):
    """[{Id:…, Port:…}] of Targets.member.1.Id=… ; [text] of Names.member.1=…"""
    found, n = [], 1
    while True:
        prefix = f"{name}.member.{n}"
        fields = {k[len(prefix) + 1:]: v for k, v in params.items() if k.startswith(prefix + ".")}
        if fields:
            found.append(fields)
        elif prefix in params:
            found.append(params[prefix])
        else:
            return found
        n += 1


class Faults:
    def __init__(self):
        self.lock, self.set = threading.Lock(), {}

    def get(self, name, default=None):
        with self.lock:
            return self.set.get(name, default)

    def take(self, name):
        """True as often as was asked for."""
        with self.lock:
            left = self.set.get(name, 0)
            self.set[name] = max(0, left - 1)
            return left > 0

    def take_failure(self, action):
        with self.lock:
            fail = self.set.get("fail")
            if fail and fail[0] == action and fail[3] > 0:
                fail[3] -= 1
                return fail
            return None


class Fake:
    def __init__(self, config, folder):
        self.config, self.faults, self.keys = config, Faults(), Keys(config)
        self.plane = DataPlane(folder, config["load_balancers"], config["target_groups"])
        self.elb = Elb(config, self.plane, self.faults)
        self.watch = CloudWatch(config.get("metric_period_s", 60), config.get("metric_lag_s", 60))
        self.calls, self.metadata_tokens = [], set()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                stat = self.plane.stat()
                self.elb.step(stat)
                self.watch.step(stat, self.config["target_groups"])
            except (OSError, RuntimeError) as error:
                print(f"data plane: {error}", file=sys.stderr, flush=True)
            time.sleep(STEP_S)

    # ---- the APIs -------------------------------------------------------------------------------
    def call(self, service, action, params):
        if self.faults.take("throttle"):
            raise Refused("Throttling", "Rate exceeded", 400)
        if fail := self.faults.take_failure(action):
            raise Refused(fail[1], "asked for by the test", fail[2])
        if params.get("Version") != VERSIONS.get(service):
            raise Refused("InvalidAction", f"Could not find operation {action} for version {params.get('Version')}", 400)
        known = getattr(self, f"{service}_{action}", None)
        if known is None:
            raise Refused("InvalidAction", f"Could not find operation {action}", 400)
        return known(params)

    def elasticloadbalancing_RegisterTargets(self, p):
        self.elb.register(p["TargetGroupArn"], structures(p, "Targets"))

    def elasticloadbalancing_DeregisterTargets(self, p):
        self.elb.deregister(p["TargetGroupArn"], structures(p, "Targets"))
        if self.faults.take("gone_meanwhile"):  # by somebody else, just before
            raise Refused("InvalidTarget", "The following targets are not registered", 400)

    def elasticloadbalancing_DescribeTargetHealth(self, p):
        rows = self.elb.health(p["TargetGroupArn"], structures(p, "Targets"))
        described = []
        for target_id, port, zone, state, reason in rows:
            health = {"State": state}
            if reason:
                health["Reason"] = reason
            target = {"Id": target_id, "Port": port}
            if zone:
                target["AvailabilityZone"] = zone
            described.append({"Target": target, "HealthCheckPort": port, "TargetHealth": health})
        return {"TargetHealthDescriptions": described}

    def elasticloadbalancing_DescribeTargetGroups(self, p):
        arns, names = structures(p, "TargetGroupArns"), structures(p, "Names")
        found = [g for g in self.elb.groups.values()
                 if (not arns or g["arn"] in arns) and (not names or g["name"] in names)]
        if lb_arn := p.get("LoadBalancerArn"):
            found = [g for g in found if g.get("lb") and self.elb.balancers[g["lb"]]["arn"] == lb_arn]
        if (arns or names) and not found:
            raise Refused("TargetGroupNotFound", "One or more target groups not found", 400)
        start = int(p.get("Marker") or 0)
        size = int(p.get("PageSize") or self.config.get("page_size", 400))
        page = {"TargetGroups": [{
            "TargetGroupArn": g["arn"], "TargetGroupName": g["name"], "Protocol": g["protocol"], "Port": g["port"],
            "VpcId": "vpc-0fake", "HealthCheckEnabled": "true", "HealthCheckIntervalSeconds": 5,
            "HealthCheckPath": g.get("health_path", "/"), "HealthyThresholdCount": 5, "TargetType": g["type"],
            "LoadBalancerArns": [self.elb.balancers[g["lb"]]["arn"]] if g.get("lb") else []}
            for g in found[start:start + size]]}
        if start + size < len(found):
            page["NextMarker"] = str(start + size)
        return page

    def elasticloadbalancing_DescribeTargetGroupAttributes(self, p):
        group = self.elb.group(p["TargetGroupArn"])
        return {"Attributes": [{"Key": k, "Value": v} for k, v in group["attributes"].items()]}

    def sts_AssumeRole(self, p):
        return self.keys.assume(p["RoleArn"], p["RoleSessionName"])

    def sts_AssumeRoleWithWebIdentity(self, p):
        if p.get("WebIdentityToken") != self.config.get("web_identity_token"):
            raise Refused("InvalidIdentityToken", "No OpenIDConnect provider found in your account", 400)
        return self.keys.assume(p["RoleArn"], p["RoleSessionName"])

    def sts_GetCallerIdentity(self, _):
        return {"Arn": f"arn:aws:iam::{self.config['account']}:user/fake", "UserId": "AIDA",
                "Account": self.config["account"]}

    def ec2_DescribeInstances(self, p):
        return describe_instances(self.elb.instances, p)

    def scaling_groups(self):
        """Of the config, {name: {type, instances, suspended}}, with what a test has changed since."""
        return {name: dict(group, **self.faults.get("scaling", {}).get(name, {}))
                for name, group in self.config.get("scaling_groups", {}).items()}

    def autoscaling_DescribeAutoScalingInstances(self, p):
        wanted = structures(p, "InstanceIds")
        return {"AutoScalingInstances": [
            {"InstanceId": i, "AutoScalingGroupName": name, "AvailabilityZone": self.config["region"] + "a",
             "LifecycleState": group.get("state", "InService"), "HealthStatus": "HEALTHY",
             "ProtectedFromScaleIn": "false"}
            for name, group in self.scaling_groups().items() for i in group["instances"] if not wanted or i in wanted]}

    def autoscaling_DescribeAutoScalingGroups(self, p):
        wanted = structures(p, "AutoScalingGroupNames")
        return {"AutoScalingGroups": [
            {"AutoScalingGroupName": name, "MinSize": 1, "MaxSize": 4, "DesiredCapacity": len(group["instances"]),
             "DefaultCooldown": 300, "AvailabilityZones": [self.config["region"] + "a"],
             "HealthCheckType": group["type"], "HealthCheckGracePeriod": 0, "CreatedTime": "2026-01-01T00:00:00Z",
             "SuspendedProcesses": [{"ProcessName": each, "SuspensionReason": "User suspended"}
                                    for each in group.get("suspended", [])]}
            for name, group in self.scaling_groups().items() if not wanted or name in wanted]}

    def monitoring_GetMetricData(self, p):
        return self.watch.answer(p, self.config["target_groups"], self.faults)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake = None

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + self.fake.faults.get("clock_offset_s", 0))

    def reply(self, status, body, kind="text/xml"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        if self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
            token = "imds" + os.urandom(8).hex()
            self.fake.metadata_tokens.add(token)
            return self.reply(200, token, "text/plain")
        return self.reply(400, "", "text/plain")

    def do_GET(self):
        fake, plain = self.fake, "text/plain"
        if self.path == "/_fake":
            return self.reply(200, json.dumps(fake.calls), "application/json")
        if self.path == "/_fake/targets":  # of the first group, as they are, without a call of the API
            return self.reply(200, json.dumps(fake.elb.peek()), "application/json")
        if self.path == "/container":
            if self.headers.get("Authorization") != fake.config.get("container_token"):
                return self.reply(403, "{}", "application/json")
            return self.reply(200, fake.keys.as_json(), "application/json")
        if self.headers.get("X-aws-ec2-metadata-token") not in fake.metadata_tokens:
            return self.reply(401, "", plain)
        role = "/latest/meta-data/iam/security-credentials/"
        answers = {role: lambda: "web-role", role + "web-role": fake.keys.as_json,
                   "/latest/meta-data/placement/region": lambda: fake.config["region"]}
        if self.path in answers:
            return self.reply(200, answers[self.path](), plain)
        return self.reply(404, "", plain)

    def do_POST(self):
        fake = self.fake
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/_fake":
            wanted = json.loads(body)
            if by_hand := wanted.pop("deregister", None):
                fake.elb.deregister(by_hand[0], [{"Id": by_hand[1], "Port": by_hand[2]}])
            if by_hand := wanted.pop("register", None):
                fake.elb.register(by_hand[0], [{"Id": by_hand[1], "Port": by_hand[2]}])
            with fake.faults.lock:
                fake.faults.set.update(wanted)
            return self.reply(200, "{}", "application/json")
        service = action = ""
        try:
            params = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
            action = params.get("Action", "")
            if action == "AssumeRoleWithWebIdentity" and "Authorization" not in self.headers:
                service = "sts"
            else:
                service, _ = verify("POST", self.path, self.headers, body, fake.keys.known, fake.config["region"],
                                    fake.faults.get("clock_offset_s", 0))
            fake.calls.append([time.time(), action, params])
            result = fake.call(service, action, params)
            if action in ("RegisterTargets", "DeregisterTargets") and fake.faults.take("lose_reply"):
                self.close_connection = True  # it is done, but nobody hears of it
                return None
            return self.reply(200, self.success(service, action, result))
        except Refused as refused:
            return self.reply(refused.status, self.failure(service, refused))

    @staticmethod
    def success(service, action, result):
        name = NAMESPACES[service]
        if service == "ec2":
            return f'<{action}Response xmlns="{name}"><requestId>r-1</requestId>{to_xml(result, "item")}</{action}Response>'
        return (f'<{action}Response xmlns="{name}"><{action}Result>{to_xml(result or {}, "member")}</{action}Result>'
                f"<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{action}Response>")

    @staticmethod
    def failure(service, refused):
        error = f"<Error><Type>Sender</Type><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>"
        if service == "ec2":
            return f"<Response><Errors>{error}</Errors><RequestID>r-1</RequestID></Response>"
        return f'<ErrorResponse xmlns="{NAMESPACES.get(service, "")}">{error}<RequestId>r-1</RequestId></ErrorResponse>'


def main():
    die_with_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open(sys.argv[1], encoding="utf-8") as file:
        fake = Fake(json.load(file), sys.argv[2])
    Handler.fake = fake
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
    server.daemon_threads = True
    print(f"ready {server.server_address[1]}", flush=True)
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        fake.plane.stop()


if __name__ == "__main__":
    main()
