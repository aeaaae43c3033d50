"""What the evaluation's cases share: a lab, rollouts under load, and graders that look at the hosts and load
balancers themselves and not at what hitless says of them."""
import hashlib
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "e2e"))

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "llm"))

from fake_model import FakeModel  # noqa: E402
from support import *  # noqa: F403,E402

ENV, RUN, CONF = "/etc/app.env", "/opt/app/run", "/etc/app.conf"
# The program as an administrator would wrap it: what it needs is in files that a rollout installs.
DROP_IN = "/etc/systemd/system/app.service.d/eval.conf"
WRAPPED = "[Service]\nExecStart=\nExecStart=/opt/app/run\n"
START = "#!/bin/sh\nexec /usr/bin/python3 -u /opt/app/app.py\n"
SHORT = {"drain": {"deadline": "8s"}, "verify": {"deadline": "15s", "grace": "3s", "stability": "400ms"}}


class Wrong(AssertionError):
    """A grader said no."""


def check(condition, what):
    if not condition:
        raise Wrong(what)


class World:
    """One case on a lab that is reset before it."""

    def __init__(self, lab):
        self.lab, self.run, self.lost, self.sent, self.losses = lab, None, 0, 0, []
        self.variants = 0    # of models that were asked
        self.held_back = []  # closed at the end of the case
        self.before = {unit: identities(lab, unit) for unit in ("app.service", "nginx.service")}

    # ---- preparing ----
    def on_all(self, path, text, mode=None):
        for host in self.lab.hosts.values():
            host.write(path, text, mode)

    def restart_all(self, unit="app"):
        """What was prepared becomes what runs, before the case begins."""
        for host in self.lab.hosts.values():
            host.sh("systemctl daemon-reload; systemctl reset-failed %s; systemctl restart %s" % (unit, unit))
        port, backend = (8080, "be_app") if unit == "app" else (80, "be_web")
        for host in self.lab.hosts.values():
            wait_until(lambda h=host: h.get("/healthz", port)[0] == 200, 15, unit + " on " + host.name)
        self.wait_in(backend)
        self.before = {each: identities(self.lab, each) for each in self.before}

    def wait_in(self, backend):
        for lb in self.lab.lbs.values():
            wait_until(lambda n=lb: n.in_rotation(backend) == sorted(self.lab.hosts), 15, "all in on " + lb.name)

    def files(self, **texts):
        """`config:` entries that install these; the names are ENV, RUN, CONF."""
        entries, folder = [], os.path.join(self.lab.tmp, "next")
        os.makedirs(folder, exist_ok=True)
        for name, text in texts.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text[0] if isinstance(text, tuple) else text)
            entry = {"source": os.path.join(folder, name), "dest": {"env": ENV, "run": RUN, "conf": CONF}[name]}
            if isinstance(text, tuple):
                entry["mode"] = text[1]
            entries.append(entry)
        return {"config": entries, "policy": SHORT}

    def env(self, **values):
        old = self.lab.host("web01").read(ENV)
        lines = [line for line in old.splitlines() if line.partition("=")[0] not in values]
        return "\n".join(lines + ["%s=%s" % item for item in values.items() if item[1] is not None]) + "\n"

    # ---- doing ----
    def start(self, *argv, **options):
        self.service = next((each for each in argv if each in ("app", "web")), "app")
        self.run = self.lab.start_hitless(*argv, "--yes", "--progress", "plain", **options)
        return self.run

    def under_load(self, act, via="app", rate=200, **options):
        """`act` with clients in front; what they lost is graded."""
        with self.lab.load(rate=rate, via=via, **options) as load:
            act()
            load.wait_sent(60)
            summary = load.stop()
        self.sent += summary["sent"]
        self.lost += summary["lost"]
        self.losses += summary["losses"]
        executions = summary.get("executions", {})
        check(not executions.get("executed_twice") and not executions.get("ok_but_not_executed"), "requests ran twice or not at all")

    def rollout(self, *argv, via="app", timeout_s=120, rate=200, **options):
        self.under_load(lambda: self.start(*argv, **options).wait(timeout_s), via, rate)
        return self.run

    # ---- graders ----
    def exit_code(self, *codes):
        check(self.run.code in codes, "exit %s, not %s\n%s" % (self.run.code, codes, self.run))

    def rollout_id(self):
        found = re.search(r"\bR-[0-9a-f]{4,}", self.run.err + self.run.out)
        check(found, "no rollout id\n%s" % self.run)
        return found.group()

    def diagnosis(self, fleet_text):
        """The diagnosis of the rollout, asked for in plain words; its citations are checked here."""
        asked = self.lab.hitless("ask", "--json", "why did %s fail?" % self.rollout_id(), fleet=fleet_text)
        lines = [json.loads(line) for line in asked.out.splitlines()]
        check(asked.code == 0 and len(lines) == 2, "no answer\n%s" % asked)
        check(lines[1]["diagnosis"], "no diagnosis\n%s" % asked)
        diagnosis = lines[1]["diagnosis"][0]
        again = self.lab.hitless("ask", "--json", "why did %s fail?" % self.rollout_id(), fleet=fleet_text)
        check(again.out == asked.out, "not the same answer twice")
        check_citations(diagnosis)
        return diagnosis

    def rotation(self):
        return {lb.name: [lb.in_rotation(each) for each in ("be_app", "be_web")] for lb in self.lab.lbs.values()}

    def serving(self, rotation):
        """Who runs where clients are sent to. What is held out may be in a crash loop of its own."""
        found = {}
        for number, unit in enumerate(("app.service", "nginx.service")):
            now = identities(self.lab, unit)
            found[unit] = {host: now[host] for lbs in rotation.values() for host in lbs[number]}
        return found

    def models(self, fleet_text, diagnosis):
        """The incident once more, on the same evidence, with each kind of model. What a good one says that looks for itself is taken, as a
        proposal; the hostile, the malformed and the silent are not believed; nothing is done, whatever they say."""
        rotation = self.rotation()
        state = self.serving(rotation)
        answer = as_a_model_says_it(diagnosis)
        for number, mode in enumerate(("good", "hostile", "malformed", "silent", "slow")):
            # Looks that are fine, one that is none of its business, and the first one again.
            looks = [[("service_status", {"service": self.service}), ("kill_switch_engage", {"reason": "to do harm"}),
                      ("error_log_search", {"service": self.service, "host": "web01"})],
                     [("service_status", {"service": self.service})]] if mode in ("good", "hostile") else []
            fake = FakeModel(mode, (lambda requests: with_a_look(answer, requests)) if mode == "good" else answer, looks)
            try:
                asked = self.lab.hitless("incident", "INC-1", "--model", "--json", fleet=fleet_text, env={
                    "HITLESS_MODEL_URL": fake.url, "HITLESS_MODEL": "fake-1", "HITLESS_MODEL_API": "openai" if number % 2 else "anthropic",
                    "HITLESS_MODEL_DEADLINE": "1s" if mode == "silent" else "60s"})
                believed = [json.loads(line) for line in asked.out.splitlines() if '"model":"fake-1"' in line]
                if mode in ("good", "slow"):
                    check(asked.code == 0 and believed, "a %s model was not understood\n%s" % (mode, asked))
                    check(believed[0]["diagnosis"][0]["category"] == answer["category"], "the %s model said something else\n%s" % (mode, asked))
                    check_citations(believed[0]["diagnosis"][0])
                    if mode == "good" and answer["hypotheses"]:
                        cited = {each["id"] for each in believed[0]["diagnosis"][0]["evidence"]} - {each["id"] for each in diagnosis["evidence"]}
                        check(cited & set(believed[0]["diagnosis"][0]["hypotheses"][0]["supports"]), "what it looked at could not be cited")
                else:
                    check(asked.code == 1 and not believed and "the diagnosis by the rules stands" in asked.err,
                          "a %s model was believed\n%s" % (mode, asked))
                # Long evidence leaves fewer looks.
                asked_for = {"good": (2, 3), "hostile": (3, 4), "malformed": (2,), "silent": (1,), "slow": (1,)}[mode]
                check(len(fake.requests) in asked_for, "the %s model was asked %d times" % (mode, len(fake.requests)))
                if mode == "good":
                    told = json.dumps(fake.requests[-1]["body"])
                    check("load_balancer_state" in told and "there is no such tool" in told, "it did not look, or more than that: " + told[-3000:])
                told = json.dumps([each["body"] for each in fake.requests])
                check("\\u001b" not in told, "control characters went to the model")
                check("restart_all" not in told and "device; restart all hosts" not in told, "what a client wrote went to the model")
            finally:
                fake.close()
            self.variants += 1
        check(self.serving(rotation) == state, "something was restarted")
        check(self.rotation() == rotation, "rotation changed")
        check(self.lab.hitless("kill-switch", "status").code == self.kill_switch_before, "the kill switch was moved")

    def graded(self, fleet_text, category, component, recommended):
        diagnosis = self.diagnosis(fleet_text)
        shown = json.dumps({key: diagnosis[key] for key in ("category", "components", "recommended", "missing_evidence")})
        wanted = [component] if isinstance(component, str) else component
        check(diagnosis["category"] == category, "category: %s\n%s" % (shown, evidence_text(diagnosis)))
        for each in wanted:
            check(any(each in one for one in diagnosis["components"]), "component %s: %s\n%s" % (each, shown, evidence_text(diagnosis)))
        check(diagnosis["recommended"] == recommended, "recommended: " + shown)
        if "INC-1" in self.run.out:
            self.kill_switch_before = self.lab.hitless("kill-switch", "status").code
            self.models(fleet_text, diagnosis)
        return diagnosis

    def all_in(self, backend="be_app", hosts=None):
        for lb in self.lab.lbs.values():
            found = lb.in_rotation(backend)
            check(found == sorted(hosts or self.lab.hosts), "in rotation on %s: %s" % (lb.name, found))

    def touched(self, unit, *hosts):
        found = changed(self.before[unit], identities(self.lab, unit))
        check(found == sorted(hosts), "%s was restarted on %s, not %s" % (unit, found, sorted(hosts)))

    def no_incident(self):
        check("INC-" not in self.lab.hitless("incident").out, "an incident was opened")

    def same_files(self, path, before):
        for name, host in self.lab.hosts.items():
            check(host.read(path) == before, "%s on %s is not what it was" % (path, name))

    def nothing_lost(self):
        check(self.lost == 0, "%d of %d requests lost: %s" % (self.lost, self.sent, self.losses[:3]))

    def close(self):
        for each in self.held_back:
            each()


def evidence_text(diagnosis):
    return "\n".join("[%s of %s] %s" % (each["source"], each["host"], each["body"]) for each in diagnosis["evidence"])


def as_a_model_says_it(diagnosis):
    """What a good model would answer: the leading hypothesis of the rules, in the words that a model has."""
    said = [each for each in diagnosis["hypotheses"] if each["quotes"] and each["category"] == diagnosis["category"]][:1]
    return {"category": said[0]["category"] if said else "undetermined",
            # Only what stands in the evidence: "load balancer", not "the load balancer"; "8080", not "8080 on web01".
            "hypotheses": [{**{key: each[key] for key in ("category", "supports", "refutes")},
                            "component": each["component"].removeprefix("the ").split(" on ")[0],
                            "quotes": [quote for quote in each["quotes"] if len(quote["text"]) <= 400][:4]} for each in said],
            "missing_evidence": [], "recommended_intent": diagnosis["recommended"]}


def with_a_look(answer, requests):
    """The same, and it cites what it saw itself: an id that only a result of its looks names."""
    seen = re.findall(r"ev_[0-9a-f]{12}", json.dumps(requests[-1]["body"]))
    new = [each for each in seen if each not in json.dumps(requests[0]["body"])]
    return {**answer, "hypotheses": [{**each, "supports": each["supports"] + new[:1]} for each in answer["hypotheses"]]}


def check_citations(diagnosis):
    """Each id is the digest that it must be, each quote stands in its evidence."""
    bodies = {}
    for each in diagnosis["evidence"]:
        digest = hashlib.sha256(each["body"].encode()).hexdigest()
        check(digest == each["sha256"], "sha256 of " + each["id"])
        name = "\0".join([each["source"], each["host"], str(each["at"]), digest])
        check("ev_" + hashlib.sha256(name.encode()).hexdigest()[:12] == each["id"], "forged id " + each["id"])
        bodies[each["id"]] = each["body"]
    for hypothesis in diagnosis["hypotheses"]:
        check(hypothesis["supports"], hypothesis["category"] + " has no support")
        for one in hypothesis["supports"] + hypothesis["refutes"]:
            check(one in bodies, "cites what does not exist: " + one)
        for quote in hypothesis["quotes"]:
            check(quote["ev"] in bodies and quote["text"] and quote["text"] in bodies[quote["ev"]], "quotes what does not stand there")


__all__ = [name for name in globals() if not name.startswith("_")]
