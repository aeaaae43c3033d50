#!/usr/bin/env python3
"""Fakes of load balancers that cannot be installed where these tests run: Envoy, NGINX Plus, Traefik, Consul, and the
kernel's IPVS. They are fakes: each speaks as much of the true protocol as hitless uses, after its documentation, and
moves real connections by it.

    lb_fake.py KIND CONFIG.json     prints "ready PORT" of its API; ends when its parent does

CONFIG: {"members": {"web-a": PORT, …}, "checks": "/healthz" or "", …of the kind}. GET /_fake tells where clients
connect, POST /_fake {"do": "reload"} or "restart" does that; "deafen": changes are not heard of
any more. Only for this machine: it listens on 127.0.0.1."""
import ctypes
import http.client
import http.server
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kinds import KINDS, query_of  # noqa: E402
from plane import Plane  # noqa: E402

STEP_S = 0.02
CHECK_S = 0.05


def check(kind, path):
    while True:
        for name in kind.names:
            conn = http.client.HTTPConnection("127.0.0.1", kind.config["members"][name], timeout=1)
            try:
                conn.request("GET", path)
                kind.checked(name, conn.getresponse().status == 200)
            except (OSError, http.client.HTTPException):
                kind.checked(name, False)
            finally:
                conn.close()
        time.sleep(CHECK_S)


def run(kind):
    while True:
        if not kind.deaf:
            kind.step()
        time.sleep(STEP_S)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kind = None

    def log_message(self, *args):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path, query = query_of(self.path)
        if path != "/_fake":
            status, said = self.kind.handle(self.command, path, query, self.headers, body)
        elif self.command == "GET":
            status, said = 200, {"front": self.kind.plane.front}
        else:
            with self.kind.lock:
                getattr(self.kind, json.loads(body)["do"])()
            status, said = 200, {}
        data = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_PATCH = answer


def main():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    with open(sys.argv[2], encoding="utf-8") as file:
        config = json.load(file)
    kind = KINDS[sys.argv[1]](config, Plane(config["members"]))
    Handler.kind = kind
    threading.Thread(target=run, args=(kind,), daemon=True).start()
    if config.get("checks"):
        threading.Thread(target=check, args=(kind, config["checks"]), daemon=True).start()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"ready {server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.2)


if __name__ == "__main__":
    main()
