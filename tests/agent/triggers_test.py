#!/usr/bin/env python3
"""`hitless watch --triggers` that acts, on a real fleet on loopback: what each level of autonomy does with a finding, that
nothing is done twice or against kill switch and failures, and who the journal says asked for it. The finding here is drift
of one instance's configuration; memory and pending restarts are found on real hosts (tests/e2e/triggers_test.py)."""
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import HITLESS, HOSTS, OK, Load, World  # noqa: E402

SOMETHING, ROLLED_BACK = 2, 3
BOB = {"SUDO_USER": "bob"} if os.getuid() == 0 else None  # another person, where sudo can be played


class TriggersWorld(World):
    """The usual fleet with a configuration of its own, so that it can drift; `more` is laid over the fleet file."""
    more = {}

    def fleet(self, alb=(), policy=(), pools=None):
        made = json.loads(super().fleet(alb, policy, pools))
        sources = pathlib.Path(self.folder, "next")
        if not sources.exists():
            sources.mkdir()
            for host in HOSTS:
                text = pathlib.Path(self.folder, host, "nginx.conf").read_text(encoding="utf-8")
                (sources / (host + ".conf")).write_text(text, encoding="utf-8")
        made["services"]["web"]["config"] = [{"source": f"{sources}/{{host}}.conf",
                                              "dest": self.folder + "/{host}/nginx.conf"}]
        made.update(self.more)
        return json.dumps(made, indent=1)

    def drift(self, host, text="# by hand\n"):
        with open(os.path.join(self.folder, host, "nginx.conf"), "a", encoding="utf-8") as file:
            file.write(text)

    def config(self, host):
        return pathlib.Path(self.folder, host, "nginx.conf").read_text(encoding="utf-8")


class Triggers(unittest.TestCase):
    def setUp(self):
        self.world = TriggersWorld().__enter__()
        self.addCleanup(self.world.__exit__)

    def look(self, code, *more, **environment):
        """One look; its lines, and the words about cases by their step."""
        done = subprocess.run([HITLESS, "watch", "--triggers", "--once", "--json", *more], cwd=self.world.folder,
                              env=self.world.environment(**environment), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [line for line in lines if "trigger" in line], {line["step"]: line for line in lines if "case" in line}

    def history(self):
        return self.world.hitless("history", "--json")[1]

    def test_auto_acts_once_and_the_journal_says_who_asked(self):
        self.world.policy = {"autonomy": {"default": "auto"}}
        self.assertEqual(self.look(OK), ([], {}))
        before = self.world.pids()
        with Load(self.world) as load:
            self.world.drift("web02")
            self.world.drift("web03")
            found, words = self.look(OK)
            self.assertEqual([f["instance"] for f in found], ["web@web02", "web@web03"])
            self.assertEqual(list(words), ["planned", "started", "ended"], words)
            self.assertEqual(words["ended"]["result"], "succeeded", words)
        self.assertEqual(load.summary()["lost"], 0, load.summary())
        after = self.world.pids()
        self.assertEqual([a == b for a, b in zip(before, after)], [True, False, False])
        self.assertNotIn("by hand", self.world.config("web02") + self.world.config("web03"))
        self.assertIn("agent trigger drift for ", self.history())
        self.assertEqual(self.history().count("R-"), 1, "one rollout for both")
        self.assertEqual(self.look(OK), ([], {}))
        with self.subTest("it may come back, and is seen as new"):
            self.world.drift("web02")
            self.assertEqual(self.look(OK)[1]["ended"]["result"], "succeeded")
        with self.subTest("what --allow takes away, the policy does not give back"):
            self.world.drift("web02")
            before = self.world.pids()
            self.assertEqual(self.look(SOMETHING, "--allow", "read")[1], {})
            self.assertEqual(list(self.look(SOMETHING, "--allow", "propose")[1]), ["waits"])
            self.assertEqual(self.world.pids(), before)
        with self.subTest("kill switch"):
            self.world.hitless("kill-switch", "engage", "--reason", "no")
            words = self.look(SOMETHING)[1]
            self.assertTrue({"denied", "failed"} & set(words) and "started" not in words, words)
            self.assertIn("kill switch", str(words))
            self.assertEqual(self.world.pids(), before)

    def test_what_the_levels_do(self):
        self.look(OK)
        self.world.drift("web02")
        before = self.world.pids()
        self.world.policy = {"autonomy": {"default": "auto", "apply": "observe"}}
        found, words = self.look(SOMETHING)
        self.assertEqual((found[0]["command"], words), ("hitless apply web --limit web02", {}))
        self.assertFalse(os.path.exists(os.path.join(self.world.folder, "state/plans")), "no plan was made")
        self.world.policy = {"autonomy": {"apply": "propose"}}
        words = self.look(SOMETHING)[1]
        self.assertEqual(list(words), ["waits"])
        plan = words["waits"]["plan"]
        self.assertIn("hitless apply --plan " + plan, words["waits"]["text"])
        self.assertEqual(self.look(SOMETHING)[1]["waits"]["plan"], plan, "one plan for one finding")
        self.assertEqual(self.world.pids(), before)
        if BOB is None:
            return
        self.world.policy = {"autonomy": {"apply": "approve"}}
        self.assertIn("approve " + plan, self.look(SOMETHING)[1]["waits"]["text"])
        code, said = self.world.hitless("approve", plan, "--yes")
        self.assertNotEqual(code, OK, "for whom it watches")
        self.assertEqual(list(self.look(SOMETHING)[1]), ["waits"])
        code, said = self.world.hitless("approve", plan, "--yes", **BOB)
        self.assertEqual(code, OK, said)
        self.assertIn("trigger drift", said)
        self.assertEqual(self.world.pids(), before)
        words = self.look(OK)[1]
        self.assertEqual((words["ended"]["result"], words["ended"]["plan"]), ("succeeded", plan), words)
        self.assertRegex(self.history(), r"agent trigger drift for \S+ \(approved by bob@")
        self.assertEqual(self.look(OK), ([], {}))

    def test_what_failed_is_not_tried_again_by_itself(self):
        self.world.policy = {"autonomy": {"default": "auto"}}
        self.look(OK)
        bad = pathlib.Path(self.world.folder, "next", "web01.conf")
        good = bad.read_text(encoding="utf-8")
        bad.write_text(good.replace('return 200 "ok\\n"', "return 500"), encoding="utf-8")
        with Load(self.world) as load:
            words = self.look(ROLLED_BACK)[1]
            self.assertEqual(words["ended"]["result"], "rolled_back", words)
            self.assertIn("held", words)
            self.assertEqual(list(self.look(SOMETHING)[1]), ["held"])
            bad.write_text(bad.read_text(encoding="utf-8") + "# another difference\n", encoding="utf-8")
            self.assertEqual(list(self.look(SOMETHING)[1]), ["held"], "the same story")
            self.assertEqual(self.history().count("R-"), 1)
            bad.write_text(good + "# fine\n", encoding="utf-8")
            self.assertEqual(list(self.look(SOMETHING)[1]), ["held"])
            code, said = self.world.hitless("restart", "web", "--limit", "web02", "--yes")
            self.assertEqual(code, OK, said)
            self.assertEqual(self.look(OK)[1]["ended"]["result"], "succeeded", "a person's rollout has succeeded")
        self.assertEqual(load.summary()["lost"], 0, load.summary())

    def test_never_goes_on_with_what_was_cut_off_and_two_watches_do_not_both_act(self):
        self.world.policy = {"autonomy": {"default": "auto"}}
        run = subprocess.Popen([HITLESS, "restart", "web", "--yes", "--progress", "plain"], cwd=self.world.folder,
                               env=self.world.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        for line in run.stderr:
            if "Taking web01 out" in line:
                break
        run.kill()
        run.wait()
        run.stderr.close()
        self.world.drift("web02")
        words = self.look(SOMETHING)[1]
        self.assertNotIn("started", words, words)
        self.assertEqual(self.world.hitless("resume")[0], OK)
        with self.subTest("two watches"):
            other = subprocess.Popen([HITLESS, "watch", "--triggers", "--every", "1h", "--allow", "propose"],
                                     cwd=self.world.folder, env=self.world.environment(), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            other.stdout.readline()
            self.assertEqual(self.look(SOMETHING)[1], {}, "this one only says")
            other.terminate()
            other.wait(30)
            other.stdout.close()
        self.assertEqual(self.look(OK)[1]["ended"]["result"], "succeeded")


if __name__ == "__main__":
    unittest.main(verbosity=2)
