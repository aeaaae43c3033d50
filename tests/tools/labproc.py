"""Programs that a test watches while they run: the load client, and hitless itself."""
import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class LabError(AssertionError):
    pass


def wait_until(condition, timeout_s=10, what="the condition", interval_s=0.05):
    """Polls until `condition()` is true and returns its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError("gave up after %g s waiting for %s" % (timeout_s, what))
        time.sleep(interval_s)


class Load:
    """A running load client; as a context manager it stops at the end of the block."""

    def __init__(self, lab, argv, out):
        self.out, self.summary, self.hosts = out, None, lab.hosts
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "loadclient.py"), "--out", out, *argv],
                                        stdin=subprocess.DEVNULL)
        wait_until(lambda: self.snapshot().get("sent") or self.process.poll() is not None, 10, "the load client")

    def snapshot(self):
        """The counts so far, at most half a second old."""
        try:
            with open(self.out) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def wait_sent(self, count, timeout_s=30):
        """Waits until `count` more requests have left."""
        goal = self.snapshot()["sent"] + count
        wait_until(lambda: self.snapshot()["sent"] >= goal, timeout_s, "%d requests" % count)

    def stop(self):
        """Stops sending, waits for the last answers and returns the summary."""
        if self.summary is None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.summary = self.snapshot()
            if self.summary.get("running", True):
                raise LabError("the load client died (%s)" % self.process.returncode)
        return self.summary

    def assert_no_loss(self):
        summary = self.stop()
        executions = summary.get("executions", {})
        wrong = {name: executions[name] for name in ("executed_twice", "ok_but_not_executed") if executions.get(name)}
        if summary["lost"] or wrong or not summary["sent"]:
            raise LabError("%d of %d requests lost %s; %s\n%s" % (
                summary["lost"], summary["sent"], summary["by_loss"], wrong,
                "\n".join(json.dumps(loss) for loss in summary["losses"][:20])))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Program:
    """A run of a program, its output in two files so that a test can watch it."""

    def __init__(self, argv, folder, env, stdin=None):
        self.argv, self.started, self.seconds = argv, time.monotonic(), None
        self.out_file, self.err_file = (os.path.join(folder, name) for name in ("out", "err"))
        with open(self.out_file, "w") as out, open(self.err_file, "w") as err:
            self.process = subprocess.Popen(argv, stdout=out, stderr=err, env=env, text=True, cwd=folder,
                                            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(stdin)
                self.process.stdin.close()

    @property
    def out(self):
        with open(self.out_file, errors="replace") as file:
            return file.read()

    @property
    def err(self):
        with open(self.err_file, errors="replace") as file:
            return file.read()

    @property
    def code(self):
        return self.process.poll()

    def wait(self, timeout_s=120):
        try:
            self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError("still running after %g s: %s" % (timeout_s, self)) from None
        self.seconds = self.seconds or time.monotonic() - self.started
        return self

    def wait_for(self, pattern, timeout_s=30):
        """Waits until the output (either stream) matches, returns the match; fails when the program ends first."""
        def found():
            ended = self.code is not None
            match = re.search(pattern, self.out + "\n" + self.err)
            if ended and not match:
                raise LabError("ended before %r appeared: %s" % (pattern, self))
            return match
        return wait_until(found, timeout_s, "%r in the output of %s" % (pattern, self))

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __str__(self):
        return "%s\nexit %s\n--- out\n%s--- err\n%s" % (shlex.join(self.argv), self.code, self.out, self.err)
