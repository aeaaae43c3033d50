#!/usr/bin/env python3
"""Steady open-loop HTTP client that counts every lost request. Standard library only.

Request i leaves at start + i / rate, whatever became of the others. The kinds take turns:
GET on a new connection, GET on a kept-alive one, POST with a body and a unique X-Request-Id
(turns between new and kept-alive connections). A kept-alive connection that is found closed
before anything was sent is reopened, as any client does. Once bytes were sent, everything but a
complete answer below 400 is a loss:

  refused      connection refused, or no route
  reset        reset on a new connection, or closed there without an answer
  stale_close  reused connection closed after the request was sent, no byte of an answer
  timeout      no complete answer in time
  5xx, 4xx     an answer, but not a good one
  short_body   the connection ended inside the answer
  bad_answer   not HTTP

The summary is JSON, rewritten twice a second with "running": true, and at the end once more.
SIGTERM or --seconds ends the sending; answers that are still due are waited for.
One thread, one selector. `max_lag_ms` tells how late the client itself sent: trust no result with
a large one.
"""
import argparse
import collections
import errno
import json
import os
import selectors
import signal
import socket
import sys
import time
import urllib.request
import uuid

from loadhttp import Conn, Target, complete, head_of

MAX_LOSSES_LISTED = 2000
MAX_IDLE = 64  # kept-alive connections per target
POST_BODY = b'{"item": "bolt", "amount": 3, "note": "' + b"x" * 200 + b'"}'


class Request:
    """One request: what it is, when it left, what it waits for."""
    __slots__ = ("kind", "method", "target", "id", "payload", "started", "conn", "reused", "done", "attempts")

    def __init__(self, kind, method, target, request_id, payload, started):
        self.kind, self.method, self.target, self.id, self.payload = kind, method, target, request_id, payload
        self.started, self.conn, self.reused, self.done, self.attempts = started, None, False, False, 0


class Stats:
    def __init__(self):
        self.sent = self.ok = self.lost = self.reopened = 0
        self.by_kind, self.by_loss = collections.Counter(), collections.Counter()
        self.by_server, self.by_status = collections.Counter(), collections.Counter()
        self.losses, self.latencies, self.max_lag = [], [], 0.0
        self.posts_sent, self.posts_ok = set(), set()


class Client:
    def __init__(self, args):
        self.args, self.stats = args, Stats()
        self.targets = [Target(url) for url in args.base]
        self.post_targets = [Target(url) for url in args.post_base] or self.targets
        self.selector = selectors.DefaultSelector()
        self.pending = collections.deque()  # in order of start, so in order of deadline
        self.live = 0
        self.run_id = uuid.uuid4().hex[:10]
        self.stopping = False
        self.cycle = [kind for kind, weight in args.mix for _ in range(weight)]
        self.heads = {}
        self.wall_start, self.start = time.time(), time.monotonic()

    # --- sending ---

    def make(self, number, now):
        kind = self.cycle[number % len(self.cycle)]
        turn = number // len(self.cycle)
        targets = self.post_targets if kind == "post" else self.targets
        target = targets[turn % len(targets)]
        if kind == "post":
            request_id = "%s-%d" % (self.run_id, number)
            payload = ("POST %s HTTP/1.1\r\nHost: %s\r\nX-Request-Id: %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %d\r\n\r\n" % (self.args.post_path, target.host, request_id, len(POST_BODY))
                       ).encode() + POST_BODY
            self.stats.posts_sent.add(request_id)
            return Request(kind, "POST", target, request_id, payload, now), turn // len(targets) % 2 == 0
        key = (kind, target)
        if key not in self.heads:
            close = "Connection: close\r\n" if kind == "new" else ""
            self.heads[key] = ("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (self.args.get_path, target.host, close)).encode()
        return Request(kind, "GET", target, "", self.heads[key], now), kind == "keep"

    def send(self, number, now):
        request, keep = self.make(number, now)
        self.stats.sent += 1
        self.stats.by_kind[request.kind] += 1
        self.live += 1
        self.pending.append(request)
        conn = self.idle_connection(request.target) if keep else None
        if conn:
            request.reused = True
        else:
            conn = self.connect(request)
            if conn is None:
                return
        self.assign(conn, request)

    def idle_connection(self, target):
        """The connection that has been idle longest and is still open."""
        while target.idle:
            conn = target.idle.popleft()
            try:
                conn.sock.recv(1, socket.MSG_PEEK)  # 0 bytes or an error: closed before we sent
            except BlockingIOError:
                return conn
            except OSError:
                pass
            self.stats.reopened += 1
            self.drop(conn)
        return None

    def connect(self, request):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        result = sock.connect_ex(request.target.address)
        if result not in (0, errno.EINPROGRESS):
            sock.close()
            self.lose(request, "refused", os.strerror(result))
            return None
        conn = Conn(sock, request.target)
        self.selector.register(sock, selectors.EVENT_WRITE, conn)
        return conn

    def assign(self, conn, request):
        conn.clear()
        conn.request, request.conn = request, conn
        conn.out = request.payload
        conn.used += 1
        if request.reused:
            self.flush(conn)

    def flush(self, conn):
        try:
            sent = conn.sock.send(conn.out)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            return self.broken(conn, error)
        conn.out = conn.out[sent:]
        self.selector.modify(conn.sock, selectors.EVENT_WRITE if conn.out else selectors.EVENT_READ, conn)

    # --- receiving ---

    def ready(self, conn, mask):
        if mask & selectors.EVENT_WRITE:
            error = conn.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                return self.broken(conn, OSError(error, os.strerror(error)))
            return self.flush(conn)
        try:
            data = conn.sock.recv(262144)
        except BlockingIOError:
            return None
        except OSError as error:
            return self.broken(conn, error)
        if conn.request is None:  # an idle connection was closed by the other side
            self.stats.reopened += 1
            if conn in conn.target.idle:
                conn.target.idle.remove(conn)
            return self.drop(conn)
        conn.data += data
        if not conn.head and not head_of(conn):
            return self.fail(conn, "bad_answer", repr(bytes(conn.data[:60])))
        if conn.head and complete(conn, closed=not data):
            return self.finish(conn)
        if not data:
            return self.broken(conn, None)
        return None

    def broken(self, conn, error):
        """The connection ended, with an error or in silence, before the answer was complete."""
        request = conn.request
        detail = str(error) if error else "closed"
        if request is None:
            return self.drop(conn)
        if conn.head or conn.data:
            return self.fail(conn, "short_body", detail)
        if request.reused:
            return self.fail(conn, "stale_close", detail)
        number = getattr(error, "errno", None)
        if number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
            return self.fail(conn, "refused", detail)
        if number == errno.ETIMEDOUT:
            return self.fail(conn, "timeout", detail)
        return self.fail(conn, "reset", detail)

    def finish(self, conn):
        request, stats = conn.request, self.stats
        stats.by_status[str(conn.status)] += 1
        if conn.status >= 400:
            return self.fail(conn, "5xx" if conn.status >= 500 else "4xx", "status %d" % conn.status)
        now = time.monotonic()
        self.settle(request)
        stats.ok += 1
        stats.by_server[conn.headers.get("x-host", "?")] += 1
        stats.latencies.append(now - request.started)
        if request.id:
            stats.posts_ok.add(request.id)
        self.release(conn, request)
        return None

    def release(self, conn, request):
        conn.request = None
        reusable = (request.kind != "new" and conn.headers.get("connection", "").lower() != "close"
                    and (conn.need is not None or conn.chunked) and len(conn.target.idle) < MAX_IDLE
                    and not self.stopping)
        if reusable:
            conn.target.idle.append(conn)
        else:
            self.drop(conn)

    def settle(self, request):
        request.done, request.conn = True, None
        self.live -= 1

    def fail(self, conn, loss, detail):
        self.lose(conn.request, loss, detail, conn)
        self.drop(conn)

    def lose(self, request, loss, detail, conn=None):
        stats = self.stats
        self.settle(request)
        stats.lost += 1
        stats.by_loss[loss] += 1
        if len(stats.losses) < MAX_LOSSES_LISTED:
            stats.losses.append({
                "t": round(self.wall_start + request.started - self.start, 4), "at_s": round(request.started - self.start, 4),
                "after_ms": round((time.monotonic() - request.started) * 1000, 1), "loss": loss, "kind": request.kind,
                "method": request.method, "reused": request.reused, "status": conn.status if conn else 0,
                "server": conn.headers.get("x-host", "") if conn else "", "target": request.target.url,
                "id": request.id, "detail": detail})

    def drop(self, conn):
        conn.request = None
        try:
            self.selector.unregister(conn.sock)
        except (KeyError, ValueError):
            pass
        conn.sock.close()

    def expire(self, now):
        while self.pending and (self.pending[0].done or now - self.pending[0].started > self.args.timeout):
            request = self.pending.popleft()
            if request.done:
                continue
            self.fail(request.conn, "timeout", "no complete answer in %g s" % self.args.timeout)

    # --- the loop ---

    def run(self):
        args, number, written = self.args, 0, 0.0
        self.wall_start, self.start = time.time(), time.monotonic()
        while True:
            now = time.monotonic()
            if args.seconds and now - self.start >= args.seconds:
                self.stopping = True
            while not self.stopping and number / args.rate <= now - self.start:
                due = self.start + number / args.rate
                self.stats.max_lag = max(self.stats.max_lag, now - due)
                self.send(number, now)
                number += 1
            self.expire(now)
            if now - written > 0.5:
                written = now
                self.write(self.summary(running=True))
            if self.stopping and self.live == 0:
                return
            wait = 0.1 if self.stopping else max(0.0, min(0.1, self.start + number / args.rate - time.monotonic()))
            for key, mask in self.selector.select(wait):
                self.ready(key.data, mask)

    # --- the summary ---

    def summary(self, running):
        stats, elapsed = self.stats, time.monotonic() - self.start
        result = {"running": running, "run_id": self.run_id, "started_at": round(self.wall_start, 3),
                  "seconds": round(elapsed, 3), "rate": self.args.rate, "sent": stats.sent, "ok": stats.ok,
                  "lost": stats.lost, "in_flight": self.live, "reopened": stats.reopened,
                  "by_loss": dict(stats.by_loss), "by_kind": dict(stats.by_kind), "by_status": dict(stats.by_status),
                  "by_server": dict(stats.by_server), "max_lag_ms": round(stats.max_lag * 1000, 1),
                  "losses": stats.losses}
        if not running:
            ordered = sorted(stats.latencies)
            for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("max_ms", 1.0)):
                at = min(len(ordered) - 1, int(len(ordered) * share))
                result[name] = round(ordered[at] * 1000, 2) if ordered else None
            result["cpu_s"] = round(time.process_time(), 2)
            if self.args.check_executions:
                result["executions"] = self.check_executions()
        return result

    def check_executions(self):
        """POSTs executed more than once, and POSTs answered 2xx that no server executed."""
        counts, unreachable = collections.Counter(), []
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for url in self.args.check_executions:
            try:
                with opener.open("%s/executions?prefix=%s-" % (url.rstrip("/"), self.run_id), timeout=5) as answer:
                    counts.update(json.load(answer)["executions"])
            except (OSError, ValueError) as error:
                unreachable.append("%s: %s" % (url, error))
        stats = self.stats
        return {"complete": not unreachable, "unreachable": unreachable, "posts_sent": len(stats.posts_sent),
                "posts_ok": len(stats.posts_ok), "executed": sum(counts.values()),
                "executed_twice": sorted(name for name, times in counts.items() if times > 1),
                "ok_but_not_executed": sorted(stats.posts_ok - set(counts)),
                "executed_but_lost": sorted(set(counts) - stats.posts_ok)}

    def write(self, summary):
        if self.args.out == "-":
            if not summary["running"]:
                print(json.dumps(summary, indent=2))
            return
        with open(self.args.out + ".new", "w") as out:
            json.dump(summary, out, indent=2)
        os.rename(self.args.out + ".new", self.args.out)


def parse_mix(text):
    mix = []
    for part in text.split(","):
        kind, _, weight = part.partition("=")
        if kind not in ("new", "keep", "post") or not weight.isdigit():
            raise argparse.ArgumentTypeError("expected new=N,keep=N,post=N")
        mix.append((kind, int(weight)))
    if not sum(weight for _, weight in mix):
        raise argparse.ArgumentTypeError("all weights are 0")
    return mix


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", action="append", required=True, metavar="URL",
                        help="http://address:port; repeat for several, they take turns")
    parser.add_argument("--post-base", action="append", default=[], metavar="URL", help="POST there instead")
    parser.add_argument("--rate", type=float, default=300, help="requests a second")
    parser.add_argument("--mix", type=parse_mix, default=parse_mix("new=1,keep=1,post=1"))
    parser.add_argument("--get-path", default="/work?ms=5")
    parser.add_argument("--post-path", default="/order?ms=5")
    parser.add_argument("--timeout", type=float, default=10, help="seconds for one request, connecting included")
    parser.add_argument("--seconds", type=float, default=0, help="0: until SIGTERM")
    parser.add_argument("--out", default="-", help="file of the JSON summary")
    parser.add_argument("--check-executions", nargs="+", default=[], metavar="URL",
                        help="base URLs of the servers that have /executions")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a request was lost or executed twice")
    return parser.parse_args(argv)


def main(argv):
    client = Client(arguments(argv))

    def stop(*_):
        client.stopping = True
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    client.run()
    summary = client.summary(running=False)
    client.write(summary)
    twice = summary.get("executions", {}).get("executed_twice")
    return 1 if client.args.strict and (summary["lost"] or twice) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
