"""Connections and answers of loadclient.py: just enough of HTTP/1.1 to know a complete answer."""
import collections
import socket
import urllib.parse


class Target:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.url, self.host = url, parts.hostname
        self.port = parts.port or 80
        self.address = (socket.gethostbyname(self.host), self.port)
        self.idle = collections.deque()


class Conn:
    """A connection and the answer that is being read from it."""
    __slots__ = ("sock", "target", "request", "out", "data", "head", "status", "headers", "need", "chunked", "used")

    def __init__(self, sock, target):
        self.sock, self.target, self.request, self.out, self.used = sock, target, None, b"", 0
        self.clear()

    def clear(self):
        self.data, self.head, self.status, self.headers, self.need, self.chunked = bytearray(), False, 0, {}, None, False


def head_of(conn):
    """Parses the head once it is complete. False when it is not HTTP."""
    end = conn.data.find(b"\r\n\r\n")
    if end < 0:
        return len(conn.data) < 65536
    lines = bytes(conn.data[:end]).decode("latin-1").split("\r\n")
    parts = lines[0].split(" ", 2)
    if not parts[0].startswith("HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():
        return False
    conn.status = int(parts[1])
    for line in lines[1:]:
        name, _, value = line.partition(":")
        conn.headers[name.strip().lower()] = value.strip()
    del conn.data[:end + 4]
    if conn.status < 200:  # interim answer: read on
        conn.headers = {}
        return head_of(conn)
    conn.head = True
    conn.chunked = "chunked" in conn.headers.get("transfer-encoding", "").lower()
    length = conn.headers.get("content-length")
    conn.need = int(length) if length is not None and not conn.chunked else None
    return True


def complete(conn, closed):
    """Is the body complete?"""
    if conn.chunked:
        return conn.data.endswith(b"0\r\n\r\n") and chunks_end(conn.data)
    if conn.need is not None:
        return len(conn.data) >= conn.need
    return closed


def chunks_end(data):
    at = 0
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return False
        size = int(bytes(data[at:line]).split(b";")[0], 16)
        if size == 0:
            return True
        at = line + 2 + size + 2
        if at > len(data):
            return False
