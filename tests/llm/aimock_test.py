#!/usr/bin/env python3
"""`hitless ask` with a model of somebody else's making behind it: aimock from the npm registry, which plays OpenAI's and
Anthropic's servers by fixtures (--strict), in small stream chunks, and breaks on purpose (--chaos-*)."""
import json
import pathlib
import re
import subprocess
import sys
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import npm_clients  # noqa: E402
from model_test import APIS, FLEET, GOOD, WORDS  # noqa: E402
from own_folder import OwnFolder  # noqa: E402

AIMOCK = str(npm_clients.MODULES / "@copilotkit/aimock/dist/cli.js")
LOOK = {"name": "service_status", "arguments": json.dumps({"service": "web"})}
FIXTURES = {"fixtures": [
    {"match": {"userMessage": "breath of fresh air", "turnIndex": 0}, "response": {"toolCalls": [LOOK, {**LOOK, "name": "plan_apply"}]}},
    {"match": {"userMessage": "breath of fresh air", "turnIndex": 1}, "response": {"toolCalls": [LOOK]}},
    {"match": {"userMessage": "breath of fresh air", "turnIndex": 2},
     "response": {"toolCalls": [{"name": "intent", "arguments": json.dumps(GOOD)}]}}]}


class Aimock(OwnFolder):
    @classmethod
    def setUpClass(cls):
        npm_clients.install()

    def setUp(self):
        super().setUp()
        self.fleet(FLEET)

    def serve(self, *options, fixtures=FIXTURES):
        """Its address."""
        (self.path / "fixtures.json").write_text(json.dumps(fixtures))
        mock = subprocess.Popen([npm_clients.NODE, AIMOCK, "-p", "0", "-f", str(self.path / "fixtures.json"), "--strict", *options],
                                cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        def stop():
            mock.kill()
            mock.wait(30)
            mock.stdout.close()
        self.addCleanup(stop)
        said = ""
        for line in mock.stdout:
            said += line
            found = re.search(r"http://(?:127\.0\.0\.1|localhost):\d+", line)
            if found:
                return found.group().replace("localhost", "127.0.0.1")
        raise AssertionError("aimock did not start: " + said)

    def ask(self, url, api):
        return self.run_hitless("ask", "--yes", WORDS, timeout=120, env={
            "HITLESS_MODEL": "m-1", "HITLESS_MODEL_URL": url + ("/v1" if api == "openai" else ""), "HITLESS_MODEL_API": api,
            "HITLESS_MODEL_KEY": "sk-test"})

    def test_looks_and_answers_in_streams_of_any_size(self):
        for size in ("3", "200"):
            url = self.serve("--chunk-size", size)
            for number, api in enumerate(APIS):
                done = self.ask(url, api)
                self.assertIn("m-1 takes it for: restart web on web01", done.stderr, done)
                self.assertIn("only a person at a terminal can confirm it", done.stderr)
                with urllib.request.urlopen(url + "/__aimock/journal", timeout=30) as answer:
                    entries = json.load(answer)
                entries = entries if isinstance(entries, list) else entries["entries"]
                self.assertEqual(len(entries), 3 * (number + 1), "a look, the same once more, the answer")
                told = json.dumps(entries[-1]["body"]["messages"])
                self.assertIn("load_balancer_state", told)
                self.assertIn("there is no such tool", told)
                self.assertIn("you have called it with these arguments already", told)
        self.assertFalse((self.path / "state").exists(), "a look changed something")

    def test_what_it_has_no_answer_for_and_what_breaks_leaves_the_vocabulary(self):
        for options in ((), ("--chaos-drop", "1"), ("--chaos-malformed", "1"), ("--chaos-disconnect", "1"), ("--chaos-ratelimit", "1")):
            url = self.serve(*options, fixtures=FIXTURES if options else {"fixtures": [{"match": {"userMessage": "x" * 99}, "response": {"content": "x"}}]})
            for api in APIS:
                with self.subTest(options=options, api=api):
                    done = self.ask(url, api)
                    self.assertNotEqual(done.returncode, 0, done)
                    self.assertNotIn("takes it for", done.stderr)
                    self.assertIn("not understood", done.stderr)
        self.assertFalse((self.path / "state").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
