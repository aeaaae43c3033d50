"""labkit: end-to-end tests against the lab (lab/README.md) in a few lines.

    class Reload(labkit.LabTest):
        hosts = 3
        def test_app_restart(self):
            lab = self.lab                                  # up, pristine, guarded
            with lab.load(rate=300, via="app") as load:
                run = lab.hitless("restart", "app", fleet=FLEET.format(lab=lab))
            self.assertEqual(run.code, 0, run)
            load.assert_no_loss()

`with Lab(hosts=3) as lab:` does the same without unittest. HITLESS_LAB=<name> reuses a lab that is
up already (it is reset, and stays up). Otherwise the lab is made for this process, and a watcher
takes it down even if the process is killed.
"""
import atexit
import contextlib
import csv
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from labproc import LabError, Load, Program, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LAB = os.path.join(ROOT, "lab", "lab")
HITLESS = os.environ.get("HITLESS_BIN", os.path.join(ROOT, "build", "release", "hitless"))


class Host:
    """One host. Commands run as root and not over the network, so they work while it is frozen."""

    def __init__(self, lab, name, facts):
        self.lab, self.name, self.address = lab, name, facts["address"]

    def run(self, *argv, check=True, stdin=None, timeout_s=60):
        return self.lab.command("exec", self.name, "--", *argv, check=check, stdin=stdin, timeout_s=timeout_s)

    def sh(self, script, check=True, timeout_s=60):
        """Runs a shell script and returns its standard output."""
        return self.run("/bin/sh", "-c", script, check=check, timeout_s=timeout_s).stdout

    def read(self, path):
        return self.run("cat", path).stdout

    def write(self, path, text, mode=None):
        """Replaces the file atomically; an existing file keeps its mode and owner."""
        quoted, temporary = shlex.quote(path), shlex.quote(path + ".labkit")
        keep = "if [ -e {0} ]; then chmod --reference={0} {1}; chown --reference={0} {1}; fi; ".format(quoted, temporary)
        change = "chmod %o %s; " % (mode, temporary) if mode is not None else ""
        script = 'set -e; mkdir -p "$(dirname %s)"; cat >%s; %s%smv %s %s' % (quoted, temporary, keep, change, temporary, quoted)
        self.run("/bin/sh", "-c", script, stdin=text)

    def get(self, path, port=80, timeout_s=5):
        """(status, body) straight from the host, not through a load balancer; (0, reason) without an answer."""
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    "http://%s:%d%s" % (self.address, port, path), timeout=timeout_s) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)

    def app_env(self, **values):
        """Changes values in /etc/app.env, for example APP_MODE="crash_after_start"; the next start reads them."""
        lines = [line for line in self.read("/etc/app.env").splitlines() if line.partition("=")[0] not in values]
        self.write("/etc/app.env", "\n".join(lines + ["%s=%s" % item for item in values.items()]) + "\n")

    def unit(self, name):
        """All properties of a unit, as `systemctl show` prints them."""
        return dict(line.split("=", 1) for line in self.run("systemctl", "show", name).stdout.splitlines() if "=" in line)

    def systemctl(self, *argv, check=True):
        return self.run("systemctl", *argv, check=check)

    def ssh(self, script, check=True, timeout_s=60):
        """The controller's way in: OpenSSH as deploy."""
        return self.lab.command("ssh", self.name, script, check=check, timeout_s=timeout_s)

    def freeze(self):
        self.lab.command("host-freeze", self.name)

    def thaw(self):
        self.lab.command("host-thaw", self.name)

    def kill(self):
        self.lab.command("host-kill", self.name)

    def start(self):
        self.lab.command("host-start", self.name)


class LoadBalancer:
    """One HAProxy node."""

    def __init__(self, lab, name, facts):
        self.lab, self.name = lab, name
        self.address, self.socket, self.socket_tcp = facts["address"], facts["socket"], facts["socket_tcp"]
        self.master_socket, self.config, self.log = facts["master_socket"], facts["config"], facts["log"]
        self.web_url, self.app_url = facts["web_url"], facts["app_url"]

    def ask(self, command, path=None):
        """Sends one runtime command and returns the answer without the empty line at its end."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(path or self.socket)
            sock.sendall(command.encode() + b"\n")
            parts = iter(lambda: sock.recv(65536), b"")
            return b"".join(parts).decode().rstrip("\n")

    def stat(self):
        """{(proxy, server): row} of `show stat`, all columns by name."""
        text = self.ask("show stat").lstrip("# ")
        return {(row["pxname"], row["svname"]): row for row in csv.DictReader(text.splitlines())}

    def status(self, backend, server):
        return self.stat()[backend, server]["status"]

    def set_state(self, backend, server, state):
        """drain, maint or ready. Raises on any answer: HAProxy is silent when it obeys."""
        answer = self.ask("set server %s/%s state %s" % (backend, server, state))
        if answer:
            raise LabError(answer)

    def wait_status(self, backend, server, status, timeout_s=10):
        wait_until(lambda: self.status(backend, server) == status, timeout_s,
                   "%s/%s to be %s on %s" % (backend, server, status, self.name))

    def wait_drained(self, backend, server, timeout_s=10):
        def drained():
            row = self.stat()[backend, server]
            return row["status"] in ("DRAIN", "MAINT") and row["scur"] == "0" and row["qcur"] == "0"
        wait_until(drained, timeout_s, "%s/%s to drain on %s" % (backend, server, self.name))

    def in_rotation(self, backend):
        """Names of the servers that take new traffic."""
        return sorted(server for (proxy, server), row in self.stat().items()
                      if proxy == backend and server.startswith("web") and row["status"].startswith("UP"))

    def processes(self):
        """`show proc` of the master: the old workers are in it too."""
        return self.ask("show proc", self.master_socket)

    def reload(self):
        self.lab.command("lb-reload", self.name)

    def stop(self):
        self.lab.command("lb-stop", self.name)

    def start(self):
        self.lab.command("lb-start", self.name)


class Dependency:
    def __init__(self, lab, facts):
        self.lab, self.url = lab, facts["url"]

    def stop(self):
        self.lab.command("dep", "stop")

    def start(self):
        self.lab.command("dep", "start")


class Lab:
    def __init__(self, hosts=3, name=None, reset=True):
        self.size, self.reused = hosts, os.environ.get("HITLESS_LAB", "")
        self.name = name or self.reused or "t%d" % os.getpid()
        self.programs, self.loads, self.tmp, self.reset_first = [], [], None, reset
        self.state_dirs = set()

    def command(self, *argv, check=True, stdin=None, timeout_s=300):
        """Runs `lab ...` and returns the CompletedProcess."""
        done = subprocess.run([LAB, "-n", self.name, *argv], input=stdin, text=True, capture_output=True, timeout=timeout_s,
                              stdin=subprocess.DEVNULL if stdin is None else None)
        if check and done.returncode:
            raise LabError("lab %s: exit %d\n%s%s" % (shlex.join(argv), done.returncode, done.stdout, done.stderr))
        return done

    def up(self):
        if self.reused:
            if self.reset_first:
                self.command("reset")
        else:
            self.command("up", str(self.size), timeout_s=1500)
            self.command("guard", str(os.getpid()))
        self.load_facts()
        # In the lab's own folder: it goes with the lab, also when the test is killed.
        self.tmp = tempfile.mkdtemp(prefix="test-", dir=self.state)
        if len(self.hosts) < self.size:
            raise LabError("lab '%s' has %d hosts, the test needs %d" % (self.name, len(self.hosts), self.size))
        return self

    def load_facts(self):
        self.facts = json.loads(self.command("status", "--json").stdout)
        self.state, self.ssh_config = self.facts["state"], self.facts["ssh_config"]
        self.hosts = {name: Host(self, name, facts) for name, facts in self.facts["hosts"].items()}
        self.lbs = {name: LoadBalancer(self, name, facts) for name, facts in self.facts["lbs"].items()}
        self.dep = Dependency(self, self.facts["dep"])

    def stop_all(self):
        """Ends the programs and load clients that the test left running."""
        for program in self.programs:
            if program.code is None:
                program.kill()
        for load in self.loads:
            if load.process.poll() is None:
                load.process.kill()
                load.process.wait()
        self.programs, self.loads = [], []

    def down(self):
        self.stop_all()
        if not self.reused:
            self.command("down")
        if self.tmp:
            shutil.rmtree(self.tmp, ignore_errors=True)

    def replay_journals(self):
        """Every journal that a test made is whole, and each rollout in it gives its state again."""
        folders, self.state_dirs = sorted(self.state_dirs), set()
        for folder in folders:
            if not os.path.exists(os.path.join(folder, "journal.db")):
                continue
            for argv in (["verify", "--state-dir", folder], ["replay", folder]):
                done = subprocess.run([HITLESS, "audit", *argv], text=True, capture_output=True, timeout=120,
                                      stdin=subprocess.DEVNULL, check=False)
                if done.returncode:
                    raise LabError("hitless audit %s: exit %d\n%s%s" % (shlex.join(argv), done.returncode, done.stdout, done.stderr))

    def reset(self):
        self.stop_all()
        self.command("reset")
        shutil.rmtree(self.tmp, ignore_errors=True)
        os.makedirs(self.tmp)
        self.load_facts()

    def host(self, name):
        return self.hosts[name]

    def lb(self, name="lb-1"):
        return self.lbs[name]

    def load(self, rate=300, via="app", nodes=None, **options):
        """Starts a load client through the given nodes (all). via: "app" (:81) or "web" (:80).
        Options are those of loadclient.py: mix="new=1,keep=1,post=1", get_path=..., timeout=..., seconds=..."""
        if via == "web":
            options.setdefault("get_path", "/")
        argv = ["--rate", str(rate)]
        for name in nodes or self.lbs:
            argv += ["--base", self.lbs[name].app_url if via == "app" else self.lbs[name].web_url]
        for name, value in options.items():
            argv += ["--" + name.replace("_", "-"), str(value)]
        argv += ["--check-executions", *("http://%s:8080" % host.address for host in self.hosts.values())]
        load = Load(self, argv, os.path.join(self.tmp, "load-%d.json" % len(self.loads)))
        self.loads.append(load)
        return load

    def fleet_file(self, text, name="hitless.yaml"):
        path = os.path.join(self.tmp, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start_hitless(self, *argv, fleet=None, env=None, stdin=None):
        """Starts hitless; `fleet` is the text of hitless.yaml in its working directory."""
        folder = os.path.join(self.tmp, "run-%d" % len(self.programs))
        os.makedirs(folder)
        if fleet is not None:
            with open(os.path.join(folder, "hitless.yaml"), "w") as file:
                file.write(fleet)
        full = {**os.environ, "HITLESS_STATE_DIR": os.path.join(self.tmp, "state"), **(env or {})}
        self.state_dirs.add(full["HITLESS_STATE_DIR"])
        program = Program([HITLESS, *argv], folder, full, stdin)
        self.programs.append(program)
        return program

    def hitless(self, *argv, timeout_s=120, **options):
        """Runs hitless to its end: .code .out .err .seconds; str() of it shows everything."""
        return self.start_hitless(*argv, **options).wait(timeout_s)

    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            self.down()
            raise

    def __exit__(self, *_):
        self.down()


class LabTest(unittest.TestCase):
    """One lab for all tests of the process with as many hosts; each test starts from pristine hosts."""
    hosts = 3
    shared = {}

    def setUp(self):
        lab = LabTest.shared.get(self.hosts)
        if lab is None:
            for other in list(LabTest.shared):
                LabTest.shared.pop(other).down()
            lab = LabTest.shared[self.hosts] = Lab(self.hosts).__enter__()
        else:
            lab.reset()
        self.lab = lab
        self.addCleanup(lab.replay_journals)  # the last one
        self.addCleanup(lab.stop_all)


@atexit.register
def _down():
    while LabTest.shared:
        LabTest.shared.popitem()[1].down()


def _terminated(number, _frame):
    sys.exit(128 + number)  # so that the atexit handler runs


if __name__ != "__main__" and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, _terminated)
