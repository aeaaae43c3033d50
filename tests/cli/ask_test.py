#!/usr/bin/env python3
"""`hitless ask` as a user meets it: what it says it understood, and that it does nothing where it did not. No network."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from own_folder import OwnFolder  # noqa: E402

FLEET = """version: 1
hosts:
  web01: {address: 127.0.0.1, connect: local}
  web02: {address: 127.0.0.2, connect: local}
load_balancers:
  edge:
    kind: haproxy
    nodes: [{name: lb-1, socket: "tcp:127.0.0.1:1"}]
services:
  web:
    kind: nginx
    unit: nginx.service
    hosts: [web01, web02]
    port: 80
    health: {http: "http://{address}:1/"}
    pools: [{lb: edge, backend: be_web, server: "{host}"}]
    policy: {floor: 1}
  shop:
    kind: nginx
    unit: shop.service
    hosts: [web02]
    port: 81
    health: {http: "http://{address}:1/"}
    pools: [{lb: edge, backend: be_shop, server: "{host}"}]
    policy: {floor: 0}
"""


class Ask(OwnFolder):
    def setUp(self):
        super().setUp()
        self.fleet(FLEET)

    def ask(self, *words):
        return self.run_hitless("ask", *words)

    def test_says_what_it_understood_and_the_command(self):
        done = self.ask("--dry-run", "nginx on web01 leaks; restart it safely")
        self.assertIn("understood      restart web on web01, safely", done.stderr)
        self.assertIn("reason          nginx on web01 leaks", done.stderr)
        self.assertIn("the same as     hitless restart web --limit web01", done.stderr)
        self.assertIn("web01", done.stderr.split("INSTANCE")[1])  # the plan follows
        unquoted = self.ask("--dry-run", "restart", "web", "one", "at", "a", "time")
        self.assertIn("hitless restart web --at-once 1", unquoted.stderr)

    def test_nothing_is_done_on_a_word_that_was_not_understood(self):
        done = self.ask("--yes", "restart web tomorrow")
        self.assertEqual(done.returncode, 64)
        self.assertIn("not understood  tomorrow", done.stderr)
        self.assertIn("nothing was done", done.stderr)
        self.assertFalse((self.path / "state").exists())

    def test_two_services_fit(self):
        done = self.ask("--yes", "restart nginx on web02")
        self.assertEqual(done.returncode, 64)
        self.assertIn("hitless restart web --limit web02 | hitless restart shop --limit web02", done.stderr.replace(
            "hitless restart shop --limit web02 | hitless restart web --limit web02",
            "hitless restart web --limit web02 | hitless restart shop --limit web02"))
        self.assertFalse((self.path / "state").exists())

    def test_what_is_forbidden_is_not_done(self):
        done = self.ask("--yes", "do not restart web")
        self.assertEqual(done.returncode, 0)
        self.assertIn("Nothing was done.", done.stderr)
        self.assertFalse((self.path / "state").exists())
        done = self.ask("--json", "--dry-run", "restart web but not web02")
        said = json.loads(done.stdout.splitlines()[0])
        self.assertEqual((said["hosts"], said["left_out"]), (["web01"], ["web02"]))

    def test_json_says_why_not(self):
        done = self.ask("--json", "--yes", "force a restart of web")
        said = json.loads(done.stdout)
        self.assertEqual((done.returncode, said["understood"], said["command"]), (64, False, None))
        self.assertIn("`force` is not on offer", said["problems"][0])

    def test_questions_start_nothing(self):
        for words, expected in (("what is out of rotation?", "web01"), ("what happened lately?", "No rollouts yet")):
            done = self.ask("--yes", words)
            self.assertIn(expected, done.stdout + done.stderr)
            self.assertFalse((self.path / "state").exists())

    def test_hostile_words_come_back_escaped(self):
        done = self.ask("restart \x1b[31mweb \u202e")
        self.assertEqual(done.returncode, 64)
        self.assertNotIn("\x1b", done.stderr)
        self.assertNotIn("\u202e", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
