"""A world for rollouts with AWS: three nginx on this machine, in front of them an HAProxy and the fake of AWS with its
ALB (tests/fakes/aws), and clients that go through both. Nothing needs root; all of it ends with the test."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/fakes/aws"))
from dataplane import die_with_parent  # noqa: E402
from launch import FakeAws, default_config  # noqa: E402

HITLESS = os.environ.get("HITLESS_BIN", str(ROOT / "build/release/hitless"))
HOSTS = ["web01", "web02", "web03"]
IDS = [f"i-0aaaaaaaaaaaaaaa{n}" for n in (1, 2, 3)]

NGINX = """pid {home}/nginx.pid;
error_log {home}/error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  server {{
    listen 127.0.0.1:{port};
    location = /healthz {{ return 200 "ok\\n"; }}
    location / {{ root {home}/www; limit_rate 100k; }}
  }}
}}
"""
SCRIPT = r"""#!/bin/sh
home={folder}/$2
cd "$home" || exit 1
nginx() {{ {nginx} -p "$home/" -e "$home/error.log" -c "$home/nginx.conf" "$@" </dev/null; }}
running() {{
  pid=$(cat nginx.pid 2>/dev/null) && [ -n "$pid" ] || return 1
  state=$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) && [ "$state" != Z ]
}}
stop() {{
  running || return 0
  kill -s TERM "$pid"
  tries=0
  while running; do tries=$((tries + 1)); [ "$tries" -lt 500 ] || exit 1; sleep 0.02; done
}}
case $1 in
  start) running || nginx ;;
  stop) stop ;;
  restart) stop; sleep 0.3; nginx ;;
  status) running && echo "running, pid $pid" ;;
esac
"""
HAPROXY = """global
  stats socket {folder}/edge.sock mode 600 level admin
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend fe
  bind 127.0.0.1:{port}
  default_backend be_web
backend be_web
  option httpchk GET /healthz
  default-server check inter 200ms rise 1 fall 2 pool-purge-delay 300ms
{servers}
"""


def free_ports(n):
    probes = [socket.socket() for _ in range(n)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_until(is_so, what, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError("not within %ss: %s" % (seconds, what))
        time.sleep(0.05)


class Load:
    def __init__(self, world, rate=60):
        self.out = os.path.join(world.folder, "load.json")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/tools/loadclient.py"), "--base", world.edge_url, "--base", world.alb_url,
             "--rate", str(rate), "--mix", "new=1,keep=1", "--get-path", "/page", "--out", self.out],
            preexec_fn=die_with_parent)
        wait_until(lambda: self.summary().get("ok", 0) > 30, "the clients get answers")

    def summary(self):
        try:
            return json.loads(pathlib.Path(self.out).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class World:
    def __enter__(self):
        self.temp = tempfile.TemporaryDirectory(prefix="hitless-aws-")
        self.folder = self.temp.name
        os.chmod(self.folder, 0o755)
        self.ports, (edge, alb) = (ports := free_ports(5))[:3], ports[3:]
        self.edge_url, self.alb_url = f"http://127.0.0.1:{edge}", f"http://127.0.0.1:{alb}"
        self.script = os.path.join(self.folder, "svc.sh")
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        pathlib.Path(self.script).write_text(SCRIPT.format(folder=self.folder, nginx=nginx), encoding="utf-8")
        os.chmod(self.script, 0o755)
        self.edge = self.aws = None
        try:
            self._start(edge, alb)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, edge, alb):
        for host, port in zip(HOSTS, self.ports):
            home = pathlib.Path(self.folder, host)
            (home / "www").mkdir(parents=True)
            (home / "www" / "page").write_text("x" * 12_000, encoding="utf-8")
            (home / "nginx.conf").write_text(NGINX.format(home=home, port=port), encoding="utf-8")
            subprocess.run([self.script, "start", host], check=True, timeout=30)
        servers = "\n".join(f"  server {h} 127.0.0.1:{p}" for h, p in zip(HOSTS, self.ports))
        config = os.path.join(self.folder, "edge.cfg")
        pathlib.Path(config).write_text(HAPROXY.format(folder=self.folder, port=edge, servers=servers), encoding="utf-8")
        self.edge = subprocess.Popen([shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", config],
                                     preexec_fn=die_with_parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        aws = default_config({}, alb, self.ports[0])
        aws["instances"] = [{"id": i, "ip": "127.0.0.1", "name": h} for i, h in zip(IDS, HOSTS)]
        aws["target_groups"][0]["targets"] = [[i, p] for i, p in zip(IDS, self.ports)]
        aws["target_groups"][0]["attributes"] = {"deregistration_delay.timeout_seconds": "5"}
        self.aws = FakeAws(aws).__enter__()
        for url in (self.edge_url, self.alb_url):
            wait_until(lambda u=url: self._serves(u), "%s serves" % url)
        self.wait_registered()

    def __exit__(self, *_):
        for host in HOSTS:
            if os.path.exists(os.path.join(self.folder, host)):
                subprocess.run([self.script, "stop", host], check=False, timeout=60)
        if self.edge:
            self.edge.kill()
            self.edge.wait()
        if self.aws:
            self.aws.__exit__()
        self.temp.cleanup()

    @staticmethod
    def _serves(url):
        try:
            with urllib.request.urlopen(url + "/healthz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def pids(self):
        return [pathlib.Path(self.folder, h, "nginx.pid").read_text(encoding="utf-8").strip() for h in HOSTS]

    def registered(self):
        """{(id, port): state} of all targets, as the fake's own state machine has it."""
        request = urllib.request.Request(self.aws.url + "/_fake/targets")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {(row[0], row[1]): row[3] for row in json.load(answer)}

    def all_healthy(self):
        return self.registered() == {(i, p): "healthy" for i, p in zip(IDS, self.ports)}

    def wait_registered(self):
        wait_until(self.all_healthy, "all targets are healthy")

    def fleet(self, alb=(), policy=(), pools=None):
        settings = {"kind": "elbv2", "settle": "2s", "poll": "200ms", **dict(alb)}
        elb_pool = {"lb": "alb", "target_group": "web-tg", "target": "tag:Name={host}", "port": "{port}"}
        edge_pool = {"lb": "edge", "backend": "be_web", "server": "{host}"}
        command = ["/bin/sh", self.script]
        return json.dumps({
            "version": 1,
            "hosts": {h: {"address": "127.0.0.1", "connect": "local"} for h in HOSTS},
            "load_balancers": {
                "alb": settings,
                "edge": {"kind": "haproxy", "nodes": [{"name": "edge-1", "socket": f"unix:{self.folder}/edge.sock"}]}},
            "services": {"web": {
                "kind": "command", "hosts": HOSTS, "ports": dict(zip(HOSTS, self.ports)),
                "pools": pools or [elb_pool, edge_pool],
                "commands": {"restart": [*command, "restart", "{host}"], "status": [*command, "status", "{host}"],
                             "pid_file": self.folder + "/{host}/nginx.pid"},
                "health": {"http": "http://{address}:{port}/healthz", "interval": "100ms", "timeout": "2s"},
                "policy": {"floor": 2, "drain": {"deadline": "20s", "quiet": "200ms"},
                           "verify": {"deadline": "30s", "stability": "500ms", "compare_latency": False},
                           "rejoin": {"deadline": "20s", "traffic_wait": "1s", "soak": "300ms"}, **dict(policy)}}},
        }, indent=1)

    def start(self, *args, fleet=None):
        path = os.path.join(self.folder, "hitless.yaml")
        pathlib.Path(path).write_text(fleet or self.fleet(), encoding="utf-8")
        env = {k: v for k, v in self.aws.env().items() if not k.startswith(("HITLESS", "XDG"))}
        env.update(HITLESS_STATE_DIR=os.path.join(self.folder, "state"), LC_ALL="C.UTF-8")
        return subprocess.Popen([HITLESS, *args], cwd=self.folder, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)

    def run(self, *args, fleet=None):
        process = self.start(*args, fleet=fleet)
        out, _ = process.communicate(timeout=240)
        return process.returncode, out
