"""hitless beside what people use today, on real hosts, in one run (`./dev bench`; docs/PERFORMANCE.md says what it means).

Restart of app.service and reload of nginx on N hosts one at a time, load running: hitless, a tuned Ansible playbook, and
a tight shell loop take turns, so that a slow minute of the machine hits all. Exit 0 only when every goal is met."""
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "e2e")]

import support  # noqa: E402
import timeline  # noqa: E402
import tools  # noqa: E402
from support import labkit, LabError  # noqa: E402

RATE = 300
# Of all applications some requests take long, and they are what a drain waits for: so many more a second take 0.4 s.
SLOW_RATE, SLOW_PATHS = 9, {"app": "/work?ms=400", "web": "/slow?ms=400"}
TIMEOUT_S = 900
DELAYS_MS = [300, 2400, 500, 1600, 300, 900, 2000, 400, 1200, 700]  # starts of unequal length, for the sliding window


def median(values):
    return statistics.median(values) if values else float("nan")


class Bench:
    def __init__(self, lab, options, goals):
        self.lab, self.options, self.goals, self.counter = lab, options, goals, 0

    def folder(self, name):
        self.counter += 1
        return os.path.join(self.lab.tmp, "%s-%d" % (name, self.counter))

    def text_of(self, service, **policy):
        return support.fleet(self.lab, **{service: {"policy": dict(tools.BARE, floor=len(self.lab.hosts) - 1, **policy),
                                                   "health": tools.BARE_HEALTH}})

    def hitless_of(self, service, text):
        return tools.Hitless(self.lab, service, self.folder("hitless"), support.labkit.HITLESS, text)

    def hitless(self, service, **policy):
        return self.hitless_of(service, self.text_of(service, **policy))

    def metered(self, tool):
        argv, env = tool.command()
        out = os.path.join(tool.folder, "meter.json")
        log = os.path.join(tool.folder, "log")
        with open(log, "w") as file:
            subprocess.run([sys.executable, os.path.join(HERE, "meter.py"), out, "--", *argv], stdout=file, stderr=file,
                           stdin=subprocess.DEVNULL, env=dict(os.environ, **env), timeout=TIMEOUT_S, check=True)
        with open(out) as file:
            result = json.load(file)
        if result["code"]:
            with open(log) as file:
                raise LabError("%s: exit %d\n%s" % (tool.name, result["code"], file.read()[-4000:]))
        return result

    def journal(self, tool):
        history = subprocess.run(tool.reading("history", "--json"), capture_output=True, text=True, check=True, timeout=60)
        rollout = json.loads(history.stdout.splitlines()[0])["rollout"]
        return subprocess.run(tool.reading("show", rollout, "--json"), capture_output=True, text=True, check=True, timeout=60).stdout

    def trial(self, kind, service):
        """One rollout with load. The journal's figures are added for hitless."""
        peers = {peer.name: peer for peer in (tools.Ansible, tools.AnsibleQuick, tools.TightLoop)}
        tool = (peers[kind](self.lab, service, self.folder("peer")) if kind in peers else
                self.hitless(service, **({"watchdog": False} if kind == "no watchdog" else {})))
        slow_load = self.lab.load(rate=SLOW_RATE, via=service, mix="new=1,keep=1", get_path=SLOW_PATHS[service])
        with self.lab.load(rate=RATE, via=service) as load, slow_load as slow:
            load.wait_sent(RATE // 2)
            result = self.metered(tool)
            load.wait_sent(RATE // 4)
            seen = [load.stop(), slow.stop()]
        result.update(lost=sum(each["lost"] for each in seen), sent=sum(each["sent"] for each in seen),
                      lag_ms=max(each["max_lag_ms"] for each in seen))
        if kind in ("hitless", "no watchdog"):
            turns, spans = timeline.read(self.journal(tool))
            result.update(floor=statistics.mean(turn.floor for turn in turns.values()), spans=spans,
                          turn_overhead=[turn.overhead for turn in turns.values()],
                          after_command=[turn.after_command for turn in turns.values()],
                          effects={name: median([turn.effects[name] for turn in turns.values() if name in turn.effects])
                                   for name in ("preflight", "recheck", "drain", "confirm_out", "act", "rejoin")})
        for lb in self.lab.lbs.values():
            support.wait_until(lambda lb=lb: len(lb.in_rotation("be_" + service)) == len(self.lab.hosts), 20, "all back")
        return result

    def compare(self, service, runs, kinds):
        trials = {kind: [] for kind in kinds}
        for number in range(runs):
            for kind in kinds:
                trials[kind].append(self.trial(kind, service))
                print("    %d/%d %-12s %6.1f s, %d lost" % (number + 1, runs, kind, trials[kind][-1]["seconds"],
                                                             trials[kind][-1]["lost"]), file=sys.stderr, flush=True)
        self.report(service, trials)

    def report(self, service, trials):
        n = len(self.lab.hosts)
        floor = median([trial["floor"] for trial in trials["hitless"]])
        print("\n%s of %s, N = %d, %d requests/s, medians of %d; floor %.2f s per instance" % (
            tools.VERBS[service], tools.UNITS[service], n, RATE, len(trials["hitless"]), floor))
        print("  %-12s %10s %12s %7s %7s %8s %9s" % ("", "s/instance", "over floor s", "ratio", "lost", "CPU s", "peak MB"))
        rows = {}
        for kind, results in trials.items():
            per = median([trial["seconds"] for trial in results]) / n
            rows[kind] = {"per": per, "over": per - floor, "lost": sum(trial["lost"] for trial in results),
                          "cpu": median([trial["cpu_s"] for trial in results]), "mb": median([trial["peak_mb"] for trial in results])}
        for kind, row in rows.items():
            print("  %-12s %10.2f %12.2f %6.1fx %7d %8.2f %9.1f" % (
                kind, row["per"], row["over"], row["per"] / rows["hitless"]["per"], row["lost"], row["cpu"], row["mb"]))
        ours = trials["hitless"]
        turn = median([value for trial in ours for value in trial["turn_overhead"]])
        parts = {name: median([trial["effects"][name] for trial in ours]) for name in ours[0]["effects"]}
        print("  in the floor: %.0f ms that the service needs after `systemctl %s` has returned" % (
            1000 * median([value for trial in ours for value in trial["after_command"]]), tools.VERBS[service]))
        print("  hitless: preflight of all %.0f ms, then per instance %.0f ms over the floor; of that " % (
            1000 * median([trial["spans"]["preflight"] for trial in ours]), 1000 * turn) +
            ", ".join("%s %.0f" % (name, 1000 * value) for name, value in parts.items()) + " ms")
        self.judge(rows, turn)

    def judge(self, rows, turn):
        ours, goals = rows["hitless"], self.goals
        goals.add("overhead over the floor of one instance, by the journal", 1000 * turn, 50, " ms")
        goals.add("requests lost", ours["lost"], 0)
        if "shell loop" in rows:
            goals.add("time, of the shell loop's", ours["per"] / rows["shell loop"]["per"], 1, "x")
        if "ansible" in rows:
            peer = rows["ansible"]
            print("  Ansible's overhead is %.0f times that of one of our turns, %.0f times ours when all that happens once counts too" % (
                peer["over"] / max(turn, 0.001), peer["over"] / max(ours["over"], 0.001)))
            goals.add("Ansible's overhead, in ours (whole run)", peer["over"] / max(ours["over"], 0.001), 100, "x", most=False)
            goals.add("CPU, of Ansible's", ours["cpu"] / peer["cpu"], 0.05, "x")
            goals.add("memory, of Ansible's", ours["mb"] / peer["mb"], 0.5, "x")

    def notice(self, runs):
        """From the end of the last request in flight, as its client saw it, to the reading that says so in the journal."""
        late = []
        for _ in range(runs):
            ended = []
            backend, lb = "be_app", self.lab.lb("lb-1")
            before = {name: int(lb.stat()[backend, name]["stot"]) for name in self.lab.hosts}
            thread = threading.Thread(target=lambda: ended.append(slow_request(lb, 3000)), daemon=True)
            thread.start()
            busy = support.wait_until(lambda: [name for name in self.lab.hosts if int(lb.stat()[backend, name]["scur"]) and
                                               int(lb.stat()[backend, name]["stot"]) > before[name]], 5, "the slow request")[0]
            tool = self.hitless("app")
            subprocess.run(tool.argv(None, "--yes", "--progress", "quiet", "--limit", busy), check=True, timeout=TIMEOUT_S,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            thread.join()
            turns, _ = timeline.read(self.journal(tool))
            turn = turns["app@" + busy]
            late.append(1000 * (turn.quiet - ended[0]))
        print("\ndrain noticed after the last connection closed: median %.0f ms of %d (%s)" % (
            median(late), len(late), ", ".join("%.0f" % value for value in late)))
        self.goals.add("drain noticed", median(late), 30, " ms")

    def commands(self, runs):
        tool = self.hitless("app")
        plan, kept, peer = [], [], []
        document = json.loads(self.text_of("app"))
        document["ssh"]["keep"] = "20s"
        keeping = self.hitless_of("app", json.dumps(document))
        timed(keeping.argv("plan"), keeping.folder)  # it logs in
        for _ in range(runs):
            plan.append(timed(tool.argv("plan"), tool.folder))
            kept.append(timed(keeping.argv("plan"), keeping.folder))
            peer.append(timed(["ssh", "-F", self.lab.ssh_config, sorted(self.lab.hosts)[0], "true"], tool.folder))
        hint = [timed([support.labkit.HITLESS, "--help"], tool.folder) for _ in range(3 * runs)]
        print("\ncommand line, medians: plan of %d instances %.0f ms (one `ssh host true`: %.0f ms), on kept connections %.0f ms, --help %.1f ms" % (
            len(self.lab.hosts), median(plan), median(peer), median(kept), median(hint)))
        if len(self.lab.hosts) == 3:
            self.goals.add("hitless plan for 3 instances", median(plan), 300, " ms")
            self.goals.add("the same with ssh.keep", median(kept), 300, " ms")
        self.goals.add("hitless --help", median(hint), 20, " ms")

    def window(self, at_once, runs):
        """k at once with unequal starts: the makespan against list scheduling, and against batches of k."""
        hosts = sorted(self.lab.hosts)
        for name, delay in zip(hosts, DELAYS_MS * 5):
            self.lab.host(name).app_env(APP_START_DELAY_MS=delay)
        self.trial("hitless", "app")  # the new delays hold from the second start on
        ratios, gains, took = [], [], []
        for _ in range(runs):
            tool = self.hitless("app")
            tool.fleet = tool.write("hitless.yaml", support.fleet(self.lab, app={
                "policy": dict(tools.BARE, at_once=at_once, floor=len(hosts) - at_once), "health": tools.BARE_HEALTH}))
            with self.lab.load(rate=RATE, via="app") as load:
                self.metered(tool)
                lost = load.stop()["lost"]
            turns, spans = timeline.read(self.journal(tool))
            durations = [turn.seconds for turn in sorted(turns.values(), key=lambda turn: turn.begin)]
            bound = timeline.list_schedule(durations, at_once)
            ratios.append(spans["turns"] / bound)
            gains.append(timeline.batches(durations, at_once) / spans["turns"])
            took.append(spans["turns"])
        print("\nsliding window, %d hosts, %d at once, starts of %s ms: %.1f s, %.2f of the list-scheduling bound; "
              "batches of %d would take %.2f times as long; %d lost" % (
                  len(hosts), at_once, "/".join(map(str, DELAYS_MS[:len(hosts)])), median(took), median(ratios), at_once, median(gains), lost))
        self.goals.add("makespan, of the list-scheduling bound", median(ratios), 1.1, "x")


def timed(argv, folder):
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True, timeout=60,
                   cwd=folder)  # `plan` writes its file where it stands
    return 1000 * (time.perf_counter() - start)


def slow_request(lb, ms):
    """When the answer to one slow request was complete."""
    connection = http.client.HTTPConnection(lb.address, 81, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/work?ms=%d" % ms, headers={"Host": "lab", "Connection": "close"})
        connection.getresponse().read()
        return time.time()


def add_arguments(parser):
    parser.add_argument("--hosts", default="3,10,20", help="sizes of the fleet")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--services", default="app,web")
    parser.add_argument("--tools", default="hitless;shell loop;ansible;ansible, 1 s", help="separated by semicolons; also: no watchdog (hitless without its timers)")
    parser.add_argument("--window", type=int, default=10, help="hosts for the sliding window; 0: not measured")
    parser.add_argument("--lab", default="bench", help="name of the lab")
    parser.add_argument("--first", action="store_true", help="the lab and all that is compared go before everything else on this "
                        "machine (SCHED_RR): for a busy one. nice would not do: each session has a share of its own (autogroup)")


def measure(size, options, goals, services, alone):
    with labkit.Lab(size, name=options.lab) as lab:
        bench = Bench(lab, options, goals)
        for service in services:
            bench.compare(service, options.runs, options.tools.split(";"))
        if alone:
            bench.notice(options.runs)
            bench.commands(options.runs)
        if size == options.window:
            bench.window(3, options.runs)


def measure_all(options, goals):
    if options.first:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))  # inherited by everything that is started
    sizes = [int(word) for word in options.hosts.split(",") if word]
    for size in sizes:
        measure(size, options, goals, options.services.split(","), size == sizes[0])
    if options.window and options.window not in sizes:
        measure(options.window, options, goals, [], False)
