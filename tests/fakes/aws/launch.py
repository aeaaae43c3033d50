"""Starts the fake of AWS for a test and stops it after. `with FakeAws(config) as aws:` …; see aws_fake.py."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
KEY, SECRET, REGION = "AKIDFAKE", "wJalrXUtnFEMI/K7MDENG+fake", "eu-west-1"


def default_config(instances, lb_port, target_port, **more):
    """One ALB `web` with the target group web-tg of these instances: {id: ip}, names web01, web02 …"""
    config = {
        "region": REGION, "account": "123456789012", "keys": {KEY: SECRET},
        "roles": ["arn:aws:iam::123456789012:role/hitless"], "web_identity_token": "token-of-the-cluster",
        "container_token": "Basic xyz",
        "instances": [{"id": i, "ip": ip, "name": f"web{n + 1:02}"} for n, (i, ip) in enumerate(instances.items())],
        "load_balancers": [{"name": "web", "type": "application", "port": lb_port, "default_group": "web-tg"}],
        "target_groups": [{"name": "web-tg", "protocol": "HTTP", "port": target_port, "type": "instance", "lb": "web",
                           "health_path": "/healthz", "attributes": {"deregistration_delay.timeout_seconds": "4"},
                           "targets": [[i, target_port] for i in instances]}]}
    config.update(more)
    return config


class FakeAws:
    def __init__(self, config):
        self.config = config

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hitless-aws-fake-")
        path = os.path.join(self.folder.name, "config.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.config, file)
        self.process = subprocess.Popen([sys.executable, str(HERE / "aws_fake.py"), path, self.folder.name],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        if len(line) != 2 or line[0] != "ready":
            self.__exit__()
            raise RuntimeError("the fake of AWS did not start")
        self.url = f"http://127.0.0.1:{line[1]}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def env(self):
        """What makes AWS's tools, and hitless, speak with it; nothing of the caller's own AWS files is seen."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return dict(clean, AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET, AWS_DEFAULT_REGION=REGION,
                    AWS_ENDPOINT_URL=self.url, AWS_CONFIG_FILE="/nonexistent", AWS_SHARED_CREDENTIALS_FILE="/nonexistent",
                    AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="")

    def faults(self, **switches):
        request = urllib.request.Request(self.url + "/_fake", json.dumps(switches).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass

    def calls(self, action=None):
        """[time, action, params] of each call so far."""
        with urllib.request.urlopen(self.url + "/_fake", timeout=10) as answer:
            return [call for call in json.load(answer) if action in (None, call[1])]

    def group_arn(self, name="web-tg"):
        return f"arn:aws:elasticloadbalancing:{REGION}:123456789012:targetgroup/{name}/6d0ecf83"
