#!/usr/bin/env python3
"""What the command line says about a journal: verify, signed heads, replay, and how things stood at an entry.
Needs no root and no network."""
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from own_folder import HITLESS, OwnFolder  # noqa: E402
FIXTURE = os.path.join(os.path.dirname(HITLESS), "journal_fixture")

AT_THE_DRAIN = """
after entry {seq}, 2024-10-04T00:00:01.{ms}Z
  by               test, apply of web, controller epoch 1
  out of rotation  web@web01
  under way        {effect} drain web@web01, intended at 00:00:01Z, outcome not known yet

INSTANCE         PHASE         DIRECTION LOAD BALANCER
web@web01        draining      forward   in  — taken out by this rollout
web@web02        preflight     forward   in
web@web03        preflight     forward   in

⚠ R-1 had not ended at journal entry {seq}.
"""


class Journal(OwnFolder):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.shared.cleanup)
        subprocess.run([FIXTURE, cls.shared.name + "/state"], check=True, timeout=60)

    def setUp(self):
        super().setUp()
        shutil.copytree(self.shared.name + "/state", self.state)

    def run_it(self, *argv, code=0):
        done = self.run_hitless(*argv)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stdout + done.stderr

    def entries(self):
        lines = [json.loads(line) for line in self.run_it("audit", "export").splitlines()]
        return [dict(line, body=json.loads(line["body"])) for line in lines]

    def test_verify_and_replay_of_a_good_journal(self):
        out = self.run_it("audit", "verify")
        self.assertIn("chain intact", out)
        self.assertIn("signed up to entry %d" % self.entries()[-1]["seq"], out)
        self.assertIn("2 rollouts", self.run_it("audit", "replay"))
        self.assertIn("2 rollouts", self.run_it("audit", "replay", str(self.state)))
        self.assertEqual(json.loads(self.run_it("audit", "replay", "--json"))["problems"], [])
        self.assertTrue(json.loads(self.run_it("audit", "verify", "--json"))["intact"])
        self.run_it("audit", "replay", str(self.path / "nothing"), code=1)

    def test_a_head_that_was_kept_tells_this_journal_from_others(self):
        line = self.run_it("audit", "head")
        self.assertRegex(line, r"^hitless-head 1 [0-9a-f]{16} \d+ [0-9a-f]{64} \d+ [0-9a-f]{16} [0-9a-f]{128}\n$")
        self.assertEqual(json.loads(self.run_it("audit", "head", "--json"))["line"], line.strip())
        (self.path / "heads.txt").write_text("# kept by mail\n" + line)
        key = self.path / "kept.pub"
        shutil.copy(self.state / "journal.pub", key)
        for head in (line.strip(), "heads.txt"):
            self.assertIn("signed head given", self.run_it("audit", "verify", "--head", head, "--key", str(key)))
        shutil.rmtree(self.state)  # another journal, with a key of its own
        subprocess.run([FIXTURE, str(self.state)], check=True, timeout=60)
        self.run_it("audit", "verify")
        self.assertIn("not the key", self.run_it("audit", "verify", "--key", str(key), code=1))
        self.run_it("audit", "verify", "--head", line.strip(), code=1)
        self.run_it("audit", "verify", "--key", str(key), "--head", "heads.txt", code=1)

    def test_a_wrong_key_or_head_is_a_usage_error(self):
        for argv in (["--key", "nowhere"], ["--head", "nowhere"], ["--head", "hitless-head 1 x"],
                     ["--key", str(self.state / "journal.key")], ["--head", str(self.state / "journal.db")]):
            self.assertIn("error:", self.run_it("audit", "verify", *argv, code=64))

    def test_an_altered_journal_is_told(self):
        with sqlite3.connect(self.state / "journal.db") as db:
            db.execute("UPDATE entries SET body = replace(body, 'apply', 'reload') WHERE seq = 1")
        db.close()
        self.assertIn("entry 1: was altered", self.run_it("audit", "verify", code=1))
        self.assertIn("entry 1 of the journal was altered", self.run_it("audit", "replay", code=1))
        self.assertIn("was altered", self.run_it("show", "R-1", "--at", "5", code=1))

    def test_as_it_stood_in_the_middle_of_a_drain(self):
        drain = next(e for e in self.entries() if e["kind"] == "effect_intended" and e["body"]["effect"]["kind"] == "drain")
        out = self.run_it("show", "R-1", "--at", str(drain["seq"]))
        wanted = AT_THE_DRAIN.format(seq=drain["seq"], ms="%03d" % (drain["at"] % 1000), effect=drain["body"]["effect"]["id"])
        self.assertTrue(out.endswith(wanted), out)
        found = json.loads(self.run_it("show", "R-1", "--at", str(drain["seq"]), "--json"))
        self.assertEqual(found["seq"], drain["seq"])
        self.assertEqual(found["actor"], "test")
        self.assertEqual(found["out_of_rotation"], ["web@web01"])
        self.assertEqual(found["pending"], [drain["body"]["effect"]["id"]])
        phases = [i["phase"]["name"] for i in found["state"]["instances"]]
        self.assertEqual(phases, ["draining", "preflight", "preflight"])
        self.assertFalse(found["state"]["instances"][0]["phase"]["commanded"])

    def test_every_moment_of_both_rollouts_can_be_shown(self):
        phases = set()
        for entry in self.entries()[::29]:
            found = json.loads(self.run_it("show", entry["rollout"], "--at", str(entry["seq"]), "--json"))
            self.assertEqual(found["seq"], entry["seq"])
            phases.update(i["phase"]["name"] for i in found["state"]["instances"])
            if entry["kind"] == "effect_intended":
                self.assertIn(entry["body"]["effect"]["id"], found["pending"])
        self.assertIn("verifying", phases)
        last = [e for e in self.entries() if e["rollout"] == "R-1"][-1]["seq"]
        out = self.run_it("show", "R-1", "--at", str(last))
        self.assertNotIn("had not ended", out)
        self.assertEqual(re.search(r"out of rotation  (.*)", out).group(1), "none")

    def test_a_moment_before_the_rollout(self):
        first = next(e for e in self.entries() if e["rollout"] == "R-2")["seq"]
        out = self.run_it("show", "R-2", "--at", str(first - 1), code=1)
        self.assertIn("R-2 had not begun at journal entry %d" % (first - 1), out)
        self.assertIn("no rollout `R-9`", self.run_it("show", "R-9", "--at", "3", code=1))
        self.run_it("show", "R-2", "--at", "-1", code=64)


if __name__ == "__main__":
    unittest.main(verbosity=2)
