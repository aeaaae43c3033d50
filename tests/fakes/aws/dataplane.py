"""The part that moves real traffic: an HAProxy whose servers are slots that targets are put into. Deregistering
really drains, health checks are HAProxy's own, connections that the deregistration delay cuts are really cut."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time

SLOTS = 16


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class DataPlane:
    def __init__(self, folder, load_balancers, groups):
        self.socket_path = os.path.join(folder, "elb.sock")
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"
        config = os.path.join(folder, "elb.cfg")
        with open(config, "w", encoding="utf-8") as out:
            out.write(self._config(load_balancers, groups))
        self.process = subprocess.Popen([program, "-db", "-f", config], preexec_fn=die_with_parent,
                                        stdout=subprocess.DEVNULL, stderr=open(os.path.join(folder, "elb.log"), "wb"))
        end = time.monotonic() + 20
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("haproxy did not start: " + open(os.path.join(folder, "elb.log")).read()[-2000:])
            time.sleep(0.02)

    def _config(self, load_balancers, groups):
        text = (f"global\n  stats socket {self.socket_path} mode 600 level admin\n  stats timeout 1h\n"
                "defaults\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  retries 0\n")
        for lb in load_balancers:
            if not lb.get("port"):
                continue
            mode = "http" if lb["type"] == "application" else "tcp"
            text += (f"frontend {lb['name']}\n  mode {mode}\n  bind 127.0.0.1:{lb['port']}\n"
                     f"  default_backend {lb['default_group']}\n")
        for group in groups:
            http = group["protocol"] in ("HTTP", "HTTPS")
            text += f"backend {group['name']}\n  mode {'http' if http else 'tcp'}\n  balance roundrobin\n"
            if group.get("health_path"):
                text += f"  option httpchk GET {group['health_path']}\n"
            text += ("  default-server inter 200ms fastinter 100ms fall 2 rise 1 pool-purge-delay 300ms\n"
                     f"  server-template s 1-{SLOTS} 127.0.0.1:1 check disabled\n")
        return text

    def _answers(self):
        try:
            return "Name: HAProxy" in self.ask("show info")
        except OSError:
            return False

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as conn:
            conn.settimeout(5)
            conn.connect(self.socket_path)
            conn.sendall((command + "\n").encode())
            parts = []
            while data := conn.recv(65536):
                parts.append(data)
        return b"".join(parts).decode()

    def tell(self, command):
        said = self.ask(command).strip()
        if said and "no need to change" not in said and "changed from" not in said and "nothing changed" not in said:
            raise RuntimeError(f"haproxy: {command}: {said}")

    def place(self, group, slot, address, port):
        self.tell(f"set server {group}/s{slot} addr {address} port {port}")
        self.tell(f"set server {group}/s{slot} state drain")  # checked, but without traffic

    def ready(self, group, slot):
        self.tell(f"set server {group}/s{slot} state ready")

    def drain(self, group, slot):
        self.tell(f"set server {group}/s{slot} state drain")

    def remove(self, group, slot):
        self.ask(f"shutdown sessions server {group}/s{slot}")
        self.tell(f"set server {group}/s{slot} state maint")

    def stat(self):
        lines = self.ask("show stat").lstrip("# ").splitlines()
        names = lines[0].split(",")
        return {(row["pxname"], row["svname"]): row for row in
                (dict(zip(names, line.split(","))) for line in lines[1:] if line)}

    def stop(self):
        self.process.kill()
        self.process.wait()
