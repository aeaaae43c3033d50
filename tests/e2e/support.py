"""What the end-to-end tests share: the fleet file of the lab, policies, and questions about a rollout.

A test changes parts of the fleet by keyword; the policies are short, because everything is near.
"""
import contextlib
import http.client
import http.server
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "tools"))

import labkit  # noqa: E402
from labproc import LabError, wait_until  # noqa: E402,F401

OK, ROLLED_BACK, HUMAN, BLOCKED, ABORTED, STALE = 0, 3, 4, 5, 6, 7

UPSTREAM = "/etc/nginx/conf.d/10-upstream.conf"
NEW_POOL = "upstream app_pool {\n    server 127.0.0.1:8080 max_fails=0;\n}\n"
# Passes `nginx -t`, nginx itself stays alive; only what goes through the pool answers 502.
BAD_POOL = "upstream app_pool {\n    server 127.0.0.1:9 max_fails=0;\n}\n"

# Latency is compared, but generously: these machines may be busy, and no test here is about it.
POLICY = {
    "floor": 2, "at_once": 1, "capacity_wait": "5s",
    "drain": {"deadline": "15s", "quiet": "200ms"},
    "verify": {"deadline": "25s", "stability": "500ms", "grace": "4s", "latency_slack": "2s"},
    "rejoin": {"deadline": "10s", "traffic_wait": "5s", "soak": "500ms"},
}
DEPENDENCY = {"name": "api-gateway", "http": "{dep}", "interval": "100ms", "timeout": "1s", "rise": 1, "fall": 2}


def merged(base, change):
    """`change` laid over `base`; folders are merged, everything else is replaced."""
    result = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if both else value
    return result


def service(lab, name, **change):
    """The service `web` (nginx, reloads) or `app` (systemd, restarts) on all hosts of the lab."""
    backend, port = ("be_web", 80) if name == "web" else ("be_app", 8080)
    base = {
        "hosts": sorted(lab.hosts), "port": port,
        "pools": [{"lb": "edge", "backend": backend, "server": "{host}"}],
        "health": {"http": "http://{address}:{port}/healthz", "interval": "50ms", "timeout": "1s", "rise": 2, "fall": 3},
        "policy": POLICY,
    }
    if name == "web":
        base["kind"] = "nginx"
        base["health"]["http"] += "/deep"
        if os.path.isdir(os.path.join(lab.tmp, "next")):
            base["config"] = [{"source": os.path.join(lab.tmp, "next", "{host}.conf"), "dest": UPSTREAM}]
    else:
        base.update(kind="systemd", unit="app.service")
    return merged(base, change)


def fleet(lab, notifications=(), hosts=None, **services):
    """The text of hitless.yaml. services: web={...}, app={...}: changes of the usual services."""
    document = {
        "version": 1,
        "ssh": {"config": lab.ssh_config, "connect_timeout": "2s"},
        "hosts": {name: merged({"address": host.address, "sudo": True}, (hosts or {}).get(name, {}))
                  for name, host in lab.hosts.items()},
        "load_balancers": {"edge": {"kind": "haproxy", "nodes": [
            {"name": name, "socket": "unix:" + lb.socket, "master": "unix:" + lb.master_socket}
            for name, lb in lab.lbs.items()]}},
        "services": {name: service(lab, name, **change) for name, change in services.items()},
    }
    if notifications:
        document["notifications"] = list(notifications)
    return json.dumps(document, indent=1)  # JSON is YAML


def dependency(lab):
    return dict(DEPENDENCY, http=lab.dep.url)


def next_config(lab, text, **hosts):
    """Writes what `apply web` installs: `text`, or something else for the hosts named."""
    folder = os.path.join(lab.tmp, "next")
    os.makedirs(folder, exist_ok=True)
    for name in lab.hosts:
        with open(os.path.join(folder, name + ".conf"), "w") as file:
            file.write(hosts.get(name, text))


def identities(lab, unit):
    """{host: (pid, invocation)}: who runs now."""
    return {name: (host.unit(unit)["MainPID"], host.unit(unit)["InvocationID"]) for name, host in lab.hosts.items()}


def changed(before, after):
    return sorted(name for name in before if before[name] != after[name])


class FloorWatch:
    """Reads every HAProxy node itself, and remembers the fewest servers that took new traffic."""

    def __init__(self, lab, backend, interval_s=0.02):
        self.lab, self.backend, self.lowest, self.reads = lab, backend, len(lab.hosts), 0
        self.interval_s = interval_s
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.ending.wait(self.interval_s):
            for lb in self.lab.lbs.values():
                self.lowest = min(self.lowest, len(lb.in_rotation(self.backend)))
                self.reads += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(10)


class Receiver:
    """A webhook receiver on loopback: keeps what it is sent."""

    def __init__(self):
        received = self.received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class E2eTest(labkit.LabTest):
    backend = "be_app"

    def rollout(self, *argv, code, **options):
        """Runs a rollout to its end and expects its exit code."""
        run = self.lab.hitless(*argv, "--yes", "--progress", "plain", **options)
        self.assertEqual(run.code, code, run)
        return run

    def start_rollout(self, *argv, **options):
        return self.lab.start_hitless(*argv, "--yes", "--progress", "plain", **options)

    def journal(self, *argv):
        """A verb that only reads the journal; its standard output."""
        run = self.lab.hitless(*argv)
        self.assertEqual(run.code, OK, run)
        return run.out

    def assert_all_in(self, backend=None, hosts=None):
        """Every server takes new traffic on every node, and HAProxy's check passes."""
        for lb in self.lab.lbs.values():
            self.assertEqual(lb.in_rotation(backend or self.backend), sorted(hosts or self.lab.hosts), lb.name)

    def assert_no_incident(self):
        self.assertNotIn("INC-", self.lab.hitless("incident").out)

    def assert_contains(self, run, *words):
        for word in words:
            self.assertRegex(run.out + run.err, word)

    def requests(self, count, load):
        """Traffic after the rollout too: a loss that comes late counts."""
        load.wait_sent(count)
        load.assert_no_loss()


class LongDownload:
    """A slow download through a load balancer that ends up on the server wanted, and stays there."""

    def __init__(self, lb, server, rate="100k"):
        self.connection, self.received, self.ended = None, 0, False
        self.thread = threading.Thread(target=self.read, daemon=True)
        for _ in range(20):  # round robin: soon its turn
            connection = http.client.HTTPConnection(lb.address, 80, timeout=10)
            connection.request("GET", "/big?rate=" + rate, headers={"Host": "lab"})
            self.answer = connection.getresponse()
            if self.answer.headers["X-Host"] == server:
                self.connection = connection
                self.thread.start()
                return
            connection.close()
        raise LabError("no download reached " + server)

    def read(self):
        try:
            while chunk := self.answer.read1(65536):
                self.received += len(chunk)
        except (OSError, http.client.HTTPException):
            pass
        self.ended = True

    def cut(self, timeout_s):
        """Whether it ends within the time; it would take minutes by itself."""
        self.thread.join(timeout_s)
        return self.ended

    def grows(self):
        before = self.received
        wait_until(lambda: self.ended or self.received > before, 5, "more of the download")
        return not self.ended

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.connection.close()


class SlowRequest:
    """One GET /work?ms=N through a load balancer, begun and left in flight on the server wanted."""

    def __init__(self, lab, lb, server, ms):
        before = int(lb.stat()["be_app", server]["scur"])
        self.threads, self.answers = [], []
        for _ in lab.hosts:  # round robin: one of them is the one wanted
            thread = threading.Thread(target=self.get, args=(lb, ms), daemon=True)
            thread.start()
            self.threads.append(thread)
        wait_until(lambda: int(lb.stat()["be_app", server]["scur"]) >= max(before, 1), 5, "a slow request on " + server)

    def get(self, lb, ms):
        connection = http.client.HTTPConnection(lb.address, 81, timeout=60)
        connection.request("GET", "/work?ms=%d" % ms, headers={"Host": "lab"})
        try:
            answer = connection.getresponse()
            answer.read()
            self.answers.append(answer.status)
        except (OSError, http.client.HTTPException) as error:
            self.answers.append(str(error))
        finally:
            connection.close()

    def wait(self):
        for thread in self.threads:
            thread.join(60)
        return self.answers


__all__ = [name for name in globals() if not name.startswith("_")]
