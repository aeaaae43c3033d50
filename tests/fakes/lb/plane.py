"""The part of the fakes that moves real connections: a TCP forwarder that asks for each new client who gets it, counts
what is open at each instance, and reads of an answer whether it is a 5xx."""
import select
import socket
import threading

NOBODY = b"HTTP/1.1 503 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Count:
    """What is counted of one instance; a reload may start a new one while old connections go on with theirs."""

    def __init__(self):
        self.total = self.active = self.good = self.bad = self.refused = 0


class Plane:
    def __init__(self, ports):
        self.ports, self.lock = ports, threading.Lock()
        self.counts = {name: Count() for name in ports}
        self.pick = list  # of names that may get a client; the kind sets it
        self.turn = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.front = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def forget_counts(self):
        with self.lock:
            self.counts = {name: Count() for name in self.ports}

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            with self.lock:
                names = list(self.pick())
                self.turn += 1
                if not names:
                    client.sendall(NOBODY)
                    return
                name = names[self.turn % len(names)]
                count = self.counts[name]
                count.total += 1
                count.active += 1
            try:
                with socket.create_connection(("127.0.0.1", self.ports[name]), timeout=5) as server:
                    self._pump(client, server, count)
            except OSError:
                with self.lock:
                    count.refused += 1
            finally:
                with self.lock:
                    count.active -= 1

    def _pump(self, client, server, count):
        answered, ends = False, {client: server, server: client}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                if end is server and not answered:
                    answered = True
                    with self.lock:
                        if data[9:10] == b"5":
                            count.bad += 1
                        else:
                            count.good += 1
                ends[end].sendall(data)
