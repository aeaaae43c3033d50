"""What the agent tests share: the loopback world (three nginx, HAProxy) and an MCP client of a few lines that speaks
both eras over stdio and HTTP."""
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/aws"))
import world as aws_world  # noqa: E402
from world import HITLESS, HOSTS, Load, wait_until  # noqa: E402,F401

TOKEN = "a token that is long enough"
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
OK, BLOCKED, ABORTED, STALE, USAGE = 0, 5, 6, 7, 64


class World(aws_world.World):
    """Behind the HAProxy alone; `policy` may be changed by a test between two calls."""
    policy = {}
    more = {}  # at the top of the fleet file

    def _start(self, edge, alb):
        """Without AWS: its health checks would count as connections that never end."""
        self.alb_url = self.edge_url  # the clients' only way
        for host, port in zip(HOSTS, self.ports):
            home = pathlib.Path(self.folder, host)
            (home / "www").mkdir(parents=True)
            (home / "www" / "page").write_text("x" * 12_000, encoding="utf-8")
            (home / "nginx.conf").write_text(aws_world.NGINX.format(home=home, port=port), encoding="utf-8")
            subprocess.run([self.script, "start", host], check=True, timeout=30)
        servers = "\n".join(f"  server {h} 127.0.0.1:{p}" for h, p in zip(HOSTS, self.ports))
        config = os.path.join(self.folder, "edge.cfg")
        pathlib.Path(config).write_text(aws_world.HAPROXY.format(folder=self.folder, port=edge, servers=servers),
                                        encoding="utf-8")
        self.edge = subprocess.Popen([shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", config],
                                     preexec_fn=aws_world.die_with_parent, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        wait_until(lambda: self._serves(self.edge_url), "the edge serves")

    def fleet(self, alb=(), policy=(), pools=None):
        edge = [{"lb": "edge", "backend": "be_web", "server": "{host}"}]
        text = super().fleet(alb, {**self.policy, **dict(policy)}, pools or edge)
        return json.dumps({**json.loads(text), **self.more}) if self.more else text

    def wait_free(self):
        """No rollout holds the service's lock."""
        def is_free():
            try:
                with open(os.path.join(self.folder, "state/locks/web.lock"), "rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return True
            except FileNotFoundError:
                return True
            except BlockingIOError:
                return False
        wait_until(is_free, "the service is free", 60)

    def environment(self, **more):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("HITLESS", "XDG", "SUDO_"))}
        fleet = pathlib.Path(self.folder, "hitless.yaml")
        fleet.write_text(self.fleet(), encoding="utf-8")
        return {**keep, "HITLESS_FLEET": str(fleet), "HITLESS_STATE_DIR": os.path.join(self.folder, "state"),
                "LC_ALL": "C.UTF-8", **more}

    def hitless(self, *argv, **more):
        done = subprocess.run([HITLESS, *argv], cwd=self.folder, env=self.environment(**more), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr


class Failed(Exception):
    """A JSON-RPC error; .code is its code."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]


class Stdio:
    """One `hitless mcp` as a client sees it, legacy era."""

    def __init__(self, world, *argv):
        self.process = subprocess.Popen([HITLESS, "mcp", *argv], cwd=world.folder, env=world.environment(),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.next = 0
        self.request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                                    "clientInfo": {"name": "test", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def request(self, method, params=None):
        self.next += 1
        self.send({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params or {}})
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("the server has ended")
            message = json.loads(line)
            if message.get("id") == self.next:
                break
        if "error" in message:
            raise Failed(message["error"])
        return message["result"]

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(30)
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Http:
    """The same over HTTP, modern era."""

    def __init__(self, world, *argv):
        self.process = subprocess.Popen([HITLESS, "mcp", "--http", "127.0.0.1:0", *argv], cwd=world.folder,
                                        env=world.environment(HITLESS_MCP_TOKEN=TOKEN), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = self.process.stderr.readline()
        assert "Listening on" in said, said
        self.port = int(said.split("/mcp")[0].rsplit(":", 1)[1])

    def post(self, body, headers=None, token=TOKEN):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            given = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                     **({"Authorization": "Bearer " + token} if token else {}), **(headers or {})}
            connection.request("POST", "/mcp", json.dumps(body), given)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def request(self, method, params=None):
        params = {**(params or {}), "_meta": META}
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        if "name" in params or "uri" in params:
            headers["Mcp-Name"] = params.get("name", params.get("uri"))
        _, message = self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers)
        if "error" in message:
            raise Failed(message["error"])
        return message["result"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.process.stderr.close()


def call(server, name, **arguments):
    """(is it an error, structured content or text)"""
    result = server.request("tools/call", {"name": name, "arguments": arguments})
    if result.get("isError"):
        return True, result["content"][0]["text"]
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    return False, result["structuredContent"]
