#!/usr/bin/env python3
"""`hitless ask` with a model behind it: the fake of fake_model.py, which speaks both protocols. Whatever it says, nothing is
done that no person confirmed."""
import json
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from fake_model import FakeModel  # noqa: E402
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
"""
WORDS = "kindly give nginx on the first box a breath of fresh air"  # beyond the vocabulary
GOOD = {"intent": "restart", "service": "web", "hosts": ["web01"], "at_once": None}
APIS = ("openai", "anthropic")


class Model(OwnFolder):
    def setUp(self):
        super().setUp()
        self.fleet(FLEET)

    def fake(self, mode, answer=None, looks=()):
        fake = FakeModel(mode, answer or GOOD, looks)
        self.addCleanup(fake.close)
        return fake

    @staticmethod
    def model(fake, api):
        return {"HITLESS_MODEL_URL": fake.url, "HITLESS_MODEL": "fake-1", "HITLESS_MODEL_API": api,
                "HITLESS_MODEL_KEY": "sk-for-the-test"}

    def ask(self, fake, *words, api="openai", timeout=120, **change):
        return self.run_hitless("ask", *words, env={**self.model(fake, api), **change}, timeout=timeout)

    def nothing_done(self, done):
        self.assertNotEqual(done.returncode, 0, done)
        self.assertFalse((self.path / "state").exists(), done)

    def test_a_reading_is_a_proposal(self):
        for api in APIS:
            for stream in ("good", "slow"):
                fake = self.fake(stream)
                done = self.ask(fake, "--yes", WORDS, api=api)
                self.nothing_done(done)
                self.assertIn("fake-1 takes it for: restart web on web01", done.stderr)
                self.assertIn("only a person at a terminal can confirm it", done.stderr)
                self.assertIn("hitless restart web --limit web01", done.stderr)
                self.assertEqual(len(fake.requests), 1)

    def test_what_is_sent(self):
        fake = self.fake("good")
        self.ask(fake, WORDS)
        sent = fake.requests[0]
        self.assertEqual(sent["path"], "/chat/completions")
        self.assertEqual(sent["headers"]["authorization"], "Bearer sk-for-the-test")
        tools = [tool["function"] for tool in sent["body"]["tools"]]
        self.assertEqual([tool["name"] for tool in tools], ["service_status", "intent"])
        self.assertEqual(tools[1]["parameters"]["properties"]["service"]["enum"], ["", "web"])
        self.assertEqual(sent["body"]["tool_choice"], "required")
        fake = self.fake("good")
        self.ask(fake, WORDS, api="anthropic")
        sent = fake.requests[0]
        self.assertEqual(sent["path"], "/v1/messages")
        self.assertEqual((sent["headers"]["authorization"], sent["headers"]["anthropic-version"]), ("Bearer sk-for-the-test", "2026-10-21"))
        self.assertEqual([tool["name"] for tool in sent["body"]["tools"]], ["service_status", "intent"])
        self.assertEqual(sent["body"]["tool_choice"], {"type": "any"})

    def test_it_is_not_asked_without_need(self):
        fake = self.fake("good")
        for words in ("what is out of rotation?", "do not give nginx a breath of fresh air", "force a breath of fresh air on nginx", "do not restart web"):
            self.ask(fake, "--yes", words)
        self.ask(fake, "--no-model", WORDS)
        self.assertEqual(fake.requests, [])
        self.assertFalse((self.path / "state").exists())

    def test_bad_models_do_no_harm(self):
        for mode, calls, word in (("hostile", 2, "cannot be used"), ("malformed", 2, "cannot be used"), ("broken", 1, "broke off"),
                                  ("cut", 1, "cut at its limit"), ("short", 1, "context is too short"), ("error", 3, "HTTP 500")):
            for api in APIS:
                with self.subTest(mode=mode, api=api):
                    fake = self.fake(mode)
                    done = self.ask(fake, "--yes", WORDS, api=api)
                    self.nothing_done(done)
                    self.assertIn(word, done.stderr)
                    self.assertIn("not understood", done.stderr)  # what the vocabulary says stands
                    self.assertEqual(len(fake.requests), calls)

    def test_retry_after_and_other_forms(self):
        fake = self.fake("busy")
        self.assertIn("takes it for", self.ask(fake, WORDS).stderr)
        self.assertEqual(len(fake.requests), 2)
        fake = self.fake("picky")  # no tools, no schema: the tool for the answer alone, then the plain question
        self.assertIn("takes it for", self.ask(fake, WORDS).stderr)
        self.assertEqual([sorted({"tools", "response_format"} & set(each["body"])) for each in fake.requests],
                         [["tools"], ["response_format"], ["tools"]])

    def test_a_reading_may_look_at_states_and_sees_no_text(self):
        for api in APIS:
            for stream in ("good", "slow"):
                fake = self.fake(stream, looks=[[("service_status", {"service": "web"}), ("kill_switch_engage", {"reason": "x"})],
                                                [("service_status", {"service": "web"})]])
                done = self.ask(fake, "--yes", WORDS, api=api)
                self.assertIn("fake-1 takes it for: restart web on web01", done.stderr)
                self.assertEqual(len(fake.requests), 3)
                self.assertFalse((self.path / "state").exists(), "a look changed something")
                results = self.results(fake.requests[1], api)
                state = json.loads(results[0])
                self.assertEqual({"instance", "host", "load_balancer_state", "in_flight", "health"}, set(state["instances"][0]))
                self.assertNotIn("refused", state)
                self.assertIn("there is no such tool", results[1])
                self.assertIn("you have called it with these arguments already", self.results(fake.requests[2], api)[-1])
                self.assertEqual(fake.requests[2]["body"]["tool_choice"],
                                 {"type": "function", "function": {"name": "intent"}} if api == "openai" else {"type": "tool", "name": "intent"})

    @staticmethod
    def results(request, api):
        turns = request["body"]["messages"]
        if api == "openai":
            return [turn["content"] for turn in turns if turn["role"] == "tool"]
        return [block["content"] for turn in turns if isinstance(turn["content"], list)
                for block in turn["content"] if block["type"] == "tool_result"]

    def test_at_most_twelve_looks(self):
        crowd = [[("service_status", {"service": "s%d" % (8 * turn + n)}) for n in range(8)] for turn in range(3)]
        for api in APIS:
            fake = self.fake("good", looks=[list(each) for each in crowd])
            self.assertIn("takes it for", self.ask(fake, WORDS, api=api).stderr)
            results = self.results(fake.requests[-1], api)
            self.assertEqual(len(fake.requests), 3)
            self.assertEqual([text for text in results if "no looks are left" in text], results[12:])
            self.assertEqual(len(results), 16)

    def test_looks_end(self):
        for api in APIS:
            fake = self.fake("deaf")
            done = self.ask(fake, "--yes", WORDS, api=api)
            self.nothing_done(done)
            self.assertIn("not understood", done.stderr)
            self.assertLessEqual(len(fake.requests), 4)

    def test_repair_turn_says_what_is_wrong(self):
        fake = self.fake("hostile")
        self.ask(fake, WORDS, api="anthropic")
        turns = fake.requests[1]["body"]["messages"]
        self.assertEqual([turn["role"] for turn in turns], ["user", "assistant", "user"])
        self.assertEqual((turns[1]["content"][0]["type"], turns[2]["content"][0]["type"]), ("tool_use", "tool_result"))
        self.assertIn("there is no such service", turns[2]["content"][0]["content"])

    def test_nothing_goes_over_a_network_in_the_clear(self):
        fake = self.fake("good")
        for url in ("http://192.0.2.1/v1", "http://127.0.0.1@192.0.2.1/", "ftp://127.0.0.1/", "http://localhost.example.org/"):
            done = self.ask(fake, "--yes", WORDS, HITLESS_MODEL_URL=url)
            self.assertEqual(done.returncode, 78, done)
            self.assertIn("in the clear", done.stderr)

    def test_a_model_on_this_machine_is_not_asked_through_a_proxy(self):
        fake, proxy = self.fake("good"), self.fake("good")
        done = self.ask(fake, WORDS, http_proxy=proxy.url, all_proxy=proxy.url, no_proxy="")
        self.assertIn("takes it for", done.stderr)
        self.assertEqual((len(fake.requests), len(proxy.requests)), (1, 0))

    def test_a_silent_model_ends_at_the_deadline(self):
        fake, began = self.fake("silent"), time.monotonic()
        done = self.ask(fake, "--yes", WORDS, HITLESS_MODEL_DEADLINE="2s")
        self.nothing_done(done)
        self.assertLess(time.monotonic() - began, 60)
        self.assertIn("not understood", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
