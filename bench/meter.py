#!/usr/bin/env python3
"""meter.py OUT.json -- COMMAND...: wall time, CPU seconds and peak memory of a command and all that it starts.

This process becomes the reaper of every descendant, also of those that go into the background (ssh's ControlPersist
masters), so that the CPU time of all of them is in RUSAGE_CHILDREN at the end. Memory is the sum of the proportional
set sizes (pages shared by several processes count once), sampled: a peak between two samples is missed."""
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_S = 0.15
END_S = 3.0


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def descendants():
    found, todo = [], [os.getpid()]
    while todo:
        new = children(todo.pop())
        found += new
        todo += new
    return found


def pss_kb(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except OSError:  # it ended
        pass
    return 0


def end_leftovers():
    """What still runs in the background belongs to the command: it ends with it."""
    deadline = time.monotonic() + END_S
    number = signal.SIGTERM
    while (left := descendants()) and time.monotonic() < deadline + END_S:
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        reap()
        time.sleep(0.02)
    reap()
    return len(left)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main():
    out, argv = sys.argv[1], sys.argv[3:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    peak, most = 0, 0
    start = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    while True:
        try:
            process.wait(SAMPLE_S)
            break
        except subprocess.TimeoutExpired:
            tree = descendants()
            peak, most = max(peak, sum(map(pss_kb, tree))), max(most, len(tree))
    seconds = time.monotonic() - start
    end_leftovers()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(out, "w") as file:
        json.dump({"code": process.returncode, "seconds": seconds, "cpu_s": usage.ru_utime + usage.ru_stime,
                   "peak_mb": peak / 1024, "processes": most}, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
