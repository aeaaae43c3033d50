"""The crash matrix: kill -9 the controller at every point of a rollout on lab hosts, and see what is left.

    ./dev crash              the points of a restart, of an apply and of a rollback; and of what recovers
    ./dev crash --quick      a sample of each
    ./dev crash --jobs 3     in so many labs at the same time (default 2; --quick: 1)

A point is before or after a journal write or an effect, and around the report and the notification that follow the
end (HITLESS_CRASH_AT of a build with HITLESS_FAILPOINTS). At each one: the rollout is killed there, the next
`hitless resume` ends it, and then HAProxy, systemd, the clients and a webhook receiver are asked, not the journal:
was a request lost, were there ever fewer in rotation than the floor, is every instance back, does it run what it
should, is a timer left, was the end told, is the journal whole.

A point is left out when the one before it leaves the same world: between an entry and the start of its effect nothing
happens, and an entry of observations only changes nothing, because a takeover holds all of them for void
(core/recovery_test.cpp: ObservationsBeforeATakeoverDecideNothing). While an effect is under way, one such entry is
tried: that is a kill in mid-effect.

Prints a table and, as the last line, the figure. Exit 0 only when every point held.
"""
import argparse
import collections
import contextlib
import ctypes
import multiprocessing
import os
import queue
import shutil
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "e2e"))

from support import *  # noqa: E402,F403

KILLED = -9
PR_SET_PDEATHSIG = 1
ATTEMPTS = 3  # at a point that a run did not come to, or when a gate said no (a slow machine): the next one may
# Short waits, long deadlines: what is slow here is the machine, and nothing shall fail because of that.
FAST = {
    "floor": 1, "at_once": 1, "capacity_wait": "40s",
    "drain": {"deadline": "40s", "quiet": "100ms"},
    "verify": {"deadline": "40s", "stability": "200ms", "grace": "2s", "samples": 5, "latency_slack": "10s"},
    "rejoin": {"deadline": "40s", "traffic_wait": "2s", "soak": "200ms"},
}
HEALTH = {"rise": 1, "fall": 2, "interval": "50ms", "timeout": "5s"}
FACTS = """systemctl list-timers --all --no-legend 'hitless-*'; echo =====
systemctl list-units --all --no-legend 'hitless-op-*'; echo =====
systemctl show app.service -p MainPID -p InvocationID; echo =====
cat %s""" % "/etc/nginx/conf.d/10-upstream.conf"

Scenario = collections.namedtuple("Scenario", "name argv backend via service result")
SCENARIOS = {s.name: s for s in (
    # The new configuration is bad: it must be taken back, whoever does it.
    Scenario("rollback", ["apply", "web"], "be_web", "web", "web", ROLLED_BACK),
    Scenario("apply", ["apply", "web"], "be_web", "web", "web", OK),
    Scenario("restart", ["restart", "app"], "be_app", "app", "app", OK),
)}

# `at`: where the rollout is killed ("" never); `again`: where its recovery is.
Task = collections.namedtuple("Task", "scenario where number at again")
Done = collections.namedtuple("Done", "task reached blocked problems points recovery name seconds")
HostFacts = collections.namedtuple("HostFacts", "timers operations app config")


def facts_of(lab):
    """What systemd and the disks of the hosts say."""
    return {name: HostFacts(*(part.strip() for part in host.sh(FACTS).split("=====\n", 3)))
            for name, host in lab.hosts.items()}


class Trial:
    """One rollout, killed where the task says, and what recovers it."""

    def __init__(self, lab, task, receiver):
        self.lab, self.task, self.receiver = lab, task, receiver
        self.scenario = SCENARIOS[task.scenario]
        self.state = os.path.join(lab.tmp, "state")
        self.log = os.path.join(lab.tmp, "points")
        self.reached, self.points, self.recovery = not task.at, [], []

    def run(self, *argv, at=""):
        env = {"HITLESS_STATE_DIR": self.state, "HITLESS_CRASH_LOG": self.log}
        if at:
            env["HITLESS_CRASH_AT"] = at
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.log)
        return self.lab.hitless(*argv, "--progress", "plain", fleet=self.fleet(), env=env, timeout_s=300)

    def fleet(self):
        change = {"policy": FAST, "health": HEALTH}
        sinks = [{"kind": "webhook", "name": "ops", "url": self.receiver.url}]
        return fleet(self.lab, sinks, **{self.scenario.service: change})

    def passed(self):
        with contextlib.suppress(FileNotFoundError), open(self.log) as file:
            return file.read().splitlines()
        return []

    def start(self, at=""):
        return self.run(*self.scenario.argv, "--yes", at=at)

    def begun(self):
        return "R-" in self.lab.hitless("history", env={"HITLESS_STATE_DIR": self.state}).out

    def to_the_end(self):
        """Kills and recovers; the run that ended it."""
        task = self.task
        run = self.start(at=task.at)
        self.points = self.passed()
        self.reached = run.code == KILLED if task.at else True
        if run.code == KILLED and self.begun():
            run = self.run("resume", at=task.again)
            self.recovery = self.passed()
            if task.again:
                self.reached = run.code == KILLED
            if run.code == KILLED:
                run = self.run("resume")
        elif run.code == KILLED:  # before the first entry: there is nothing to resume
            run = self.start()
        return run

    def wrong(self, before, run):
        """What HAProxy, systemd, the hosts and the receiver say against it; empty: nothing."""
        lab, scenario, after = self.lab, self.scenario, facts_of(self.lab)
        problems = []
        if run.code != scenario.result:
            problems.append("exit %d" % run.code)
        for lb in lab.lbs.values():
            inside = lb.in_rotation(scenario.backend)
            if inside != sorted(lab.hosts):
                problems.append("%s: in rotation %s" % (lb.name, inside))
        for name, facts in after.items():
            if scenario.name == "restart" and facts.app == before[name].app:
                problems.append("not restarted: " + name)
            wanted = NEW_POOL if scenario.name == "apply" else before[name].config
            if facts.config != wanted.strip():
                problems.append("configuration of " + name)
            if facts.timers:
                problems.append("timer left on %s: %s" % (name, facts.timers))
            if facts.operations:
                problems.append("operation left on %s: %s" % (name, facts.operations))
        kind = b"rollout.succeeded" if scenario.result == OK else b"rollout.failed"
        if not any(kind in body for _, body in self.receiver.received):
            problems.append("nobody was told of its end")
        for argv in (["audit", "verify"], ["audit", "replay", self.state]):
            done = lab.hitless(*argv, env={"HITLESS_STATE_DIR": self.state})
            if done.code:
                problems.append(" ".join(argv[:2]) + ": " + done.err.strip()[:200])
        return problems


def one(lab, task):
    """Carries out a task on hosts as they were made, and leaves them so."""
    started = time.monotonic()
    receiver = Receiver()
    trial = Trial(lab, task, receiver)
    scenario = trial.scenario
    if scenario.service == "web":
        next_config(lab, BAD_POOL if scenario.name == "rollback" else NEW_POOL)
    before = facts_of(lab)
    with lab.load(rate=40, via=scenario.via) as load, FloorWatch(lab, scenario.backend, 0.05) as floor:
        run = trial.to_the_end()
        load.wait_sent(10)
    problems = trial.wrong(before, run)
    try:
        load.assert_no_loss()
    except LabError as error:
        problems.append(str(error))
    if floor.lowest < FAST["floor"]:
        problems.append("%d in rotation, floor %d" % (floor.lowest, FAST["floor"]))
    if problems:
        problems.append("\n".join(str(program) for program in lab.programs))
    if scenario.name == "apply" and not problems:
        for name, host in lab.hosts.items():
            host.sh("cat >%s <<'EOF'\n%s\nEOF\nsystemctl reload nginx" % (UPSTREAM, before[name].config))
    receiver.close()
    last = trial.recovery if task.again else trial.points
    return Done(task, trial.reached, run.code == BLOCKED, problems, trial.points, trial.recovery, last[-1] if last else "?",
                time.monotonic() - started)


def clean(lab, broken):
    """For the next task. What was found broken may have left the hosts in any state."""
    if broken:
        lab.reset()
        return
    lab.stop_all()
    shutil.rmtree(lab.tmp)
    os.makedirs(lab.tmp)


def work(tasks, results):
    """A process with a lab of its own: tasks until None comes. It ends when the one that gives them out is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    with labkit.Lab(hosts=2) as lab:
        for task in iter(tasks.get, None):
            for _ in range(ATTEMPTS):
                try:
                    done = one(lab, task)
                except Exception:  # the lab itself, or hitless hanging: reported like a broken rule
                    done = Done(task, True, False, [traceback.format_exc()], [], [], "?", 0)
                clean(lab, done.problems)
                if not done.blocked and (done.reached or done.problems):
                    break
            results.put(done)


def places(points):
    """HITLESS_CRASH_AT of the points that are tried. A point is left out when nothing has changed outside since the
    one before it: no effect was under way, and what was written in between, if anything, were observations."""
    result, passed, seen, under_way = [], 0, 0, set()
    for name in points:
        when, what = name.split(" ", 1)
        observation = what == "journal seen"
        passed, seen = (passed, seen + 1) if observation else (passed + 1, 0)
        written = name == "after journal step"
        at_the_end = what in ("verdict and report", "notification")
        if observation:
            tried = seen == 1 and under_way
        else:
            tried = not result or written or under_way or at_the_end
        if tried:
            result.append(name if at_the_end else "%d+%d" % (passed, seen) if seen else str(passed))
        if not what.startswith("journal"):
            (under_way.add if when == "before" else under_way.discard)(what)
    return result


def sample(every, quick):
    """quick: so many of them, spread over all; 0: all."""
    count = len(every)
    if not quick or count <= quick:
        return list(enumerate(every, 1))
    return [(i + 1, every[i]) for i in sorted({(2 * k + 1) * count // (2 * quick) for k in range(quick)})]


class Table:
    def __init__(self):
        self.held, self.tried, self.missed, self.started = 0, 0, 0, time.monotonic()

    def row(self, done, total):
        held = not done.problems
        if not done.reached and held:
            self.missed += 1
        else:
            self.tried += 1
            self.held += held
        verdict = "BROKEN" if not held else "held" if done.reached else "not reached in %d runs" % ATTEMPTS
        print("%-9s %-9s %4d of %-4d %-34s %4.1fs  %s" % (
            done.task.scenario, done.task.where, done.task.number, total, done.name[:34], done.seconds, verdict), flush=True)
        for problem in done.problems:
            print("    at %s again %s: %s" % (done.task.at, done.task.again, problem.replace("\n", "\n    ")), flush=True)

    def last_line(self):
        minutes = (time.monotonic() - self.started) / 60
        missed = ", %d not reached" % self.missed if self.missed else ""
        print("crash points held: %d of %d (%.0f %%)%s, %.1f min" % (
            self.held, self.tried, 100 * self.held / max(self.tried, 1), missed, minutes))
        return 0 if self.tried and self.held == self.tried else 1


class Matrix:
    """What is still to be tried; the points of a scenario are known when it has run once, those of its recovery when
    all of its kills have: the longest recovery is taken."""

    def __init__(self, names, limits, first, tasks):
        self.limits, self.first, self.tasks, self.open = limits, first, tasks, 0
        self.left, self.longest, self.total = collections.Counter(), {}, {}
        for name in names:
            self.put(Task(name, "calm", 0, "", ""))

    def put(self, task):
        self.open += 1
        self.left[task.scenario, task.where] += 1
        self.tasks.put(task)

    def all_of(self, name, where, every, task):
        self.total[name, where] = len(every)
        for number, place in sample(every, self.limits[where]):
            if number >= self.first:
                self.put(task(name, where, number, place))

    def take(self, done):
        task, name = done.task, done.task.scenario
        self.open -= 1
        self.left[name, task.where] -= 1
        if task.where == "calm":
            if not done.points:
                done.problems.append("this program has no points to be killed at: use a debug build (`./dev build debug`)")
            self.all_of(name, "rollout", places(done.points), lambda n, w, i, at: Task(n, w, i, at, ""))
        if task.where != "rollout":
            return
        if len(done.recovery) > len(self.longest.get(name, ("", []))[1]):
            self.longest[name] = (task.at, done.recovery)
        if self.left[name, "rollout"] == 0 and name in self.longest:
            first, recovery = self.longest[name]
            self.all_of(name, "recovery", places(recovery), lambda n, w, i, at: Task(n, w, i, first, at))


def run_matrix(names, limits, first, jobs):
    context = multiprocessing.get_context("spawn")
    tasks, results = context.Queue(), context.Queue()
    workers = [context.Process(target=work, args=(tasks, results)) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    table, matrix = Table(), Matrix(names, limits, first, tasks)
    try:
        while matrix.open:
            try:
                done = results.get(timeout=5)
            except queue.Empty:
                if all(worker.is_alive() for worker in workers):
                    continue
                print("a lab died: %s" % [worker.exitcode for worker in workers])
                table.tried += 1
                break
            matrix.take(done)
            table.row(done, matrix.total.get((done.task.scenario, done.task.where), 0))
    finally:
        for worker in workers:
            if matrix.open:  # interrupted: each takes its lab down
                worker.terminate()
            else:
                tasks.put(None)
        for worker in workers:
            worker.join(300)
    return table.last_line()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sample of the points")
    parser.add_argument("--points", type=int, default=8, help="with --quick: so many of each scenario")
    parser.add_argument("--recovery-points", type=int, help="the same for its recovery (0: all)")
    parser.add_argument("--only", choices=sorted(SCENARIOS), help="one scenario")
    parser.add_argument("--jobs", type=int, default=0, help="labs at the same time")
    parser.add_argument("--first", type=int, default=1, help="leave out the points before this one")
    options = parser.parse_args()
    names = [options.only] if options.only else list(SCENARIOS)
    jobs = options.jobs or (1 if options.quick else 2)
    limits = {"rollout": options.points if options.quick else 0}
    limits["recovery"] = limits["rollout"] if options.recovery_points is None else options.recovery_points
    return run_matrix(names, limits, options.first, min(max(jobs, 1), 8))


if __name__ == "__main__":
    sys.exit(main())
