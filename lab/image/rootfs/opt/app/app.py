"""An ungraceful application: a thread per connection, and it dies at once on SIGTERM.

GET  /healthz      200 "ok"
GET  /work?ms=20   200 after so long, body names host, pid and version
POST /order?ms=20  counts the X-Request-Id *before* it works, like a side effect that cannot be undone
GET  /executions   {"host": ..., "executions": {id: times}}; kept on disk, so a restart loses none
GET  /version      pid, version, mode

Environment (/etc/app.env):
APP_START_DELAY_MS  time between exec and the listening socket
APP_VERSION         any text; answered in X-App-Version and bodies
APP_DEPENDS         URL; while it does not answer 2xx, /healthz is 503
APP_MODE            ok
                    crash_on_start     exits 1 at once
                    crash_after_start  exits 1 APP_CRASH_AFTER_MS (100) after the start, also before it listens
                    slowstart          listens only after APP_SLOWSTART_MS (10000)
                    bad502             answers 502 to everything, also /healthz
                    sick               /healthz is 200, everything else 502
                    early_health       /healthz is 200 from the start, the rest 503 for APP_WARMUP_MS (2000)
                    slow               adds APP_LATENCY_MS (300) to each answer, /healthz included
                    hang               takes connections, never answers
"""
import json
import os
import socket
import sys
import threading
import time
import urllib.request
from urllib.parse import parse_qsl, urlsplit

HOST = socket.gethostname()
PORT = int(os.environ.get("APP_PORT", "8080"))
MODE = os.environ.get("APP_MODE", "ok")
VERSION = os.environ.get("APP_VERSION", "1")
DEPENDS = os.environ.get("APP_DEPENDS", "")
STATE = os.environ.get("STATE_DIRECTORY", "/var/lib/app") + "/executions.log"
MAX_HEAD = 64 * 1024
MAX_BODY = 4 * 1024 * 1024
STARTED = time.monotonic()
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 411: "Length Required",
           502: "Bad Gateway", 503: "Service Unavailable"}


def env_s(name, default_ms):
    return int(os.environ.get(name, default_ms)) / 1000


def executions(prefix):
    counts = {}
    try:
        with open(STATE) as log:
            for line in log:
                name = line.rstrip("\n")
                if name.startswith(prefix):
                    counts[name] = counts.get(name, 0) + 1
    except FileNotFoundError:
        pass
    return counts


def dependency_ok():
    try:
        with urllib.request.urlopen(DEPENDS, timeout=1) as answer:
            return 200 <= answer.status < 300
    except OSError:
        return False


def respond(method, path, query, headers):
    """Returns (status, body text)."""
    health = path == "/healthz"
    if MODE == "hang":
        time.sleep(3600)
    if MODE == "bad502" or (MODE == "sick" and not health):
        return 502, "sick\n"
    if MODE == "early_health" and not health and time.monotonic() - STARTED < env_s("APP_WARMUP_MS", 2000):
        return 503, "warming up\n"
    if MODE == "slow":
        time.sleep(env_s("APP_LATENCY_MS", 300))
    if health:
        if DEPENDS and not dependency_ok():
            return 503, "dependency down\n"
        return 200, "ok\n"
    if path == "/executions":
        return 200, json.dumps({"host": HOST, "executions": executions(query.get("prefix", ""))})
    if path == "/version":
        return 200, json.dumps({"host": HOST, "pid": os.getpid(), "version": VERSION, "mode": MODE})
    if path == "/order" and method == "POST":
        name = headers.get("x-request-id", "")
        if not name:
            return 400, "X-Request-Id is missing\n"
        with open(STATE, "a") as log:
            log.write(name + "\n")
    elif path != "/work":
        return 404, "no such path\n"
    time.sleep(int(query.get("ms", "0")) / 1000)
    return 200, "host=%s pid=%d version=%s\n" % (HOST, os.getpid(), VERSION)


def read_request(sock, buffer):
    """Returns (method, target, headers, rest of buffer), or None at the end of the connection."""
    while b"\r\n\r\n" not in buffer:
        data = sock.recv(65536)
        if not data or len(buffer) > MAX_HEAD:
            return None
        buffer += data
    head, _, buffer = buffer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if "transfer-encoding" in headers or length > MAX_BODY:
        return None
    while len(buffer) < length:
        data = sock.recv(65536)
        if not data:
            return None
        buffer += data
    return method, target, headers, buffer[length:]


def serve(sock):
    buffer = b""
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                request = read_request(sock, buffer)
                if request is None:
                    return
                method, target, headers, buffer = request
                url = urlsplit(target)
                status, body = respond(method, url.path, dict(parse_qsl(url.query)), headers)
                close = headers.get("connection", "").lower() == "close"
                payload = body.encode()
                sock.sendall(("HTTP/1.1 %d %s\r\nContent-Length: %d\r\nContent-Type: text/plain\r\nX-Host: %s\r\n"
                              "X-App-Version: %s\r\nX-Pid: %d\r\n%s\r\n"
                              % (status, REASONS[status], len(payload), HOST, VERSION, os.getpid(),
                                 "Connection: close\r\n" if close else "")).encode()
                             + (b"" if method == "HEAD" else payload))
                if close:
                    return
        except (OSError, ValueError):
            return


def main():
    if MODE == "crash_on_start":
        sys.exit("planted: crash_on_start")
    if MODE == "crash_after_start":
        def crash():
            print("planted: crash_after_start", file=sys.stderr, flush=True)
            os._exit(1)
        threading.Timer(env_s("APP_CRASH_AFTER_MS", 100), crash).start()
    time.sleep(env_s("APP_START_DELAY_MS", 0))
    if MODE == "slowstart":
        time.sleep(env_s("APP_SLOWSTART_MS", 10000))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", PORT))
    listener.listen(256)
    print("listening on %d, version %s, mode %s" % (PORT, VERSION, MODE), flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
