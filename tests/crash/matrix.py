"""The crash matrix: kill -9 the controller at every point of a rollout on lab hosts, and see what is left.

    ./dev crash              the points of a restart, of an apply and of a rollback; and of what recovers
    ./dev crash --quick      a sample of each

A point is before or after a journal write or an effect (HITLESS_CRASH_AT of a build with HITLESS_FAILPOINTS). At
each one: the rollout is killed there, the next `hitless resume` ends it, and then HAProxy, systemd and the clients
are asked, not the journal: was a request lost, were there ever fewer in rotation than the floor, is every instance
back, does it run what it should, is a timer left, is the journal whole.

Prints a table and, as the last line, the figure. Exit 0 only when every point held.
"""
import argparse
import collections
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "e2e"))

from support import *  # noqa: E402,F403

KILLED = -9
FAST = {
    "floor": 1, "at_once": 1, "capacity_wait": "10s",
    "drain": {"deadline": "10s", "quiet": "100ms"},
    "verify": {"deadline": "10s", "stability": "200ms", "grace": "2s", "samples": 5},
    "rejoin": {"deadline": "10s", "traffic_wait": "2s", "soak": "200ms"},
}

Scenario = collections.namedtuple("Scenario", "name argv backend via service results")
SCENARIOS = [
    Scenario("restart", ["restart", "app"], "be_app", "app", "app", (OK,)),
    Scenario("apply", ["apply", "web"], "be_web", "web", "web", (OK,)),
    # The new configuration is bad: it must be taken back, whoever does it.
    Scenario("rollback", ["apply", "web"], "be_web", "web", "web", (ROLLED_BACK,)),
]


class Trial:
    """One rollout that is killed at `point`, and once more at `again` while it is recovered (0: not)."""

    def __init__(self, lab, scenario, folder):
        self.lab, self.scenario, self.folder = lab, scenario, folder
        self.state = os.path.join(folder, "state")
        self.log = os.path.join(folder, "points")
        os.makedirs(folder)

    def run(self, *argv, at=0):
        env = {"HITLESS_STATE_DIR": self.state, "HITLESS_CRASH_LOG": self.log}
        if at:
            env["HITLESS_CRASH_AT"] = str(at)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.log)
        return self.lab.hitless(*argv, "--progress", "plain", fleet=self.fleet(), env=env, timeout_s=120)

    def fleet(self):
        change = {"policy": FAST, "health": {"rise": 1, "fall": 2, "interval": "50ms"}}
        return fleet(self.lab, **{self.scenario.service: change})

    def points(self):
        with open(self.log) as file:
            return file.read().splitlines()

    def start(self, at=0):
        return self.run(*self.scenario.argv, "--yes", at=at)

    def resume(self, at=0):
        return self.run("resume", at=at)

    def begun(self):
        history = self.lab.hitless("history", env={"HITLESS_STATE_DIR": self.state})
        return "R-" in history.out


def wrong_after(trial, before, code, run):
    """What HAProxy, systemd and the hosts say against it; empty: nothing."""
    lab, scenario = trial.lab, trial.scenario
    problems = []
    if code not in scenario.results:
        problems.append("exit %d" % code)
    for lb in lab.lbs.values():
        inside = lb.in_rotation(scenario.backend)
        if inside != sorted(lab.hosts):
            problems.append("%s: in rotation %s" % (lb.name, inside))
    if scenario.name == "restart":
        same = [name for name, who in identities(lab, "app.service").items() if who == before[name]]
        if same:
            problems.append("not restarted: %s" % same)
    else:
        wanted = NEW_POOL if scenario.name == "apply" else trial.old_pool
        other = [name for name, host in lab.hosts.items() if host.read(UPSTREAM) != wanted]
        if other:
            problems.append("configuration of %s" % other)
    for name, host in lab.hosts.items():
        timers = host.sh("systemctl list-timers --all --no-legend 'hitless-*'").strip()
        if timers:
            problems.append("timer left on %s: %s" % (name, timers))
        units = host.sh("systemctl list-units --all --no-legend 'hitless-op-*'").strip()
        if units:
            problems.append("operation left on %s: %s" % (name, units))
    for argv in (["audit", "verify"], ["audit", "replay", trial.state]):
        done = lab.hitless(*argv, env={"HITLESS_STATE_DIR": trial.state})
        if done.code:
            problems.append(" ".join(argv[:2]) + ": " + done.err.strip()[:200])
    return problems


def prepare(lab, scenario):
    """What `apply` will install; the hosts run the old configuration."""
    if scenario.service == "web":
        next_config(lab, BAD_POOL if scenario.name == "rollback" else NEW_POOL)


def restore(lab, scenario, old_pool):
    """The hosts as they were, for the next trial."""
    if scenario.name == "apply":
        for host in lab.hosts.values():
            host.write(UPSTREAM, old_pool)
            host.systemctl("reload", "nginx")


def one(lab, scenario, number, point, again=0):
    """Kills at `point` (0: never); returns (problems, points of the first run, points of the recovery)."""
    trial = Trial(lab, scenario, os.path.join(lab.tmp, "%s-%d-%d-%d" % (scenario.name, point, again, number)))
    trial.old_pool = lab.host("web01").read(UPSTREAM)
    before = identities(lab, "app.service")
    prepare(lab, scenario)
    recovered = []
    with lab.load(rate=100, via=scenario.via) as load, FloorWatch(lab, scenario.backend) as floor:
        load.wait_sent(10)
        run = trial.start(at=point)
        passed = trial.points()
        if run.code == KILLED and trial.begun():
            run = trial.resume(at=again)
            recovered = trial.points()
            if run.code == KILLED:
                run = trial.resume()
        elif run.code == KILLED:  # before the first entry: there is nothing to resume
            run = trial.start()
        load.wait_sent(20)
    problems = wrong_after(trial, before, run.code, run)
    try:
        load.assert_no_loss()
    except LabError as error:
        problems.append(str(error))
    if floor.lowest < FAST["floor"]:
        problems.append("%d in rotation, floor %d" % (floor.lowest, FAST["floor"]))
    if problems:
        problems.append(str(run))
    restore(lab, scenario, trial.old_pool)
    return problems, passed, recovered


def sample(points, quick):
    """Which of the points, counted from 1, are tried. Of writes in a row that hold observations only (they change
    no decision until something else is written) the first two."""
    seen = [name.endswith("journal seen") for name in points]
    every = [i + 1 for i in range(len(points)) if not (i > 1 and seen[i] and seen[i - 1] and seen[i - 2])]
    count = len(every)
    if not quick or count <= quick:
        return every
    return sorted({every[i * count // quick] for i in range(quick)})


class Table:
    def __init__(self):
        self.held, self.tried, self.started = 0, 0, time.monotonic()

    def row(self, scenario, where, point, total, name, problems):
        self.tried += 1
        self.held += not problems
        print("%-9s %-9s %4d of %-4d %-34s %s" % (scenario.name, where, point, total, name[:34], "held" if not problems else "BROKEN"),
              flush=True)
        for problem in problems:
            print("    " + problem.replace("\n", "\n    "), flush=True)


def run_scenario(lab, scenario, quick, table):
    """quick: how many points of each kind; 0: all."""
    problems, points, _ = one(lab, scenario, 0, 0)
    table.row(scenario, "calm", 0, len(points), "not killed", problems)
    longest, recovery = 0, []  # the kill whose recovery has most points
    for point in sample(points, quick):
        problems, passed, recovered = one(lab, scenario, 1, point)
        table.row(scenario, "rollout", point, len(points), passed[-1] if passed else "?", problems)
        if len(recovered) > len(recovery):
            longest, recovery = point, recovered
    for again in sample(recovery, quick):  # killed there, and then at each point of what recovers it
        problems, _, recovered = one(lab, scenario, 2, longest, again)
        table.row(scenario, "recovery", again, len(recovery), recovered[-1] if recovered else "?", problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sample of the points")
    parser.add_argument("--points", type=int, default=8, help="with --quick: so many of each kind")
    parser.add_argument("--only", choices=[s.name for s in SCENARIOS], help="one scenario")
    options = parser.parse_args()
    table = Table()
    with labkit.Lab(hosts=2) as lab:
        for scenario in SCENARIOS:
            if options.only in (None, scenario.name):
                run_scenario(lab, scenario, options.points if options.quick else 0, table)
    minutes = (time.monotonic() - table.started) / 60
    print("crash points held: %d of %d (%.0f %%), %.1f min" % (table.held, table.tried, 100 * table.held / max(table.tried, 1), minutes))
    return 0 if table.tried and table.held == table.tried else 1


if __name__ == "__main__":
    sys.exit(main())
