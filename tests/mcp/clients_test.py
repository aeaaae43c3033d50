#!/usr/bin/env python3
"""The protocol against official software from the npm registry: the conformance suite in both eras (on a fixture that
stands on the same core), the Inspector and two SDK clients on `hitless mcp` itself, over stdio and HTTP.

The packages and their Node are pinned in clients/package-lock.json and installed below the build folder, once."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "support"))

from npm_clients import MODULES, NODE, PLACE, install  # noqa: E402

HITLESS = os.environ.get("HITLESS_BIN", str(ROOT / "build/release/hitless"))
FIXTURE = os.path.join(os.path.dirname(HITLESS), "hitless-mcp-fixture")
CONFORMANCE = str(MODULES / "@modelcontextprotocol/conformance/dist/index.js")
INSPECTOR = str(MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js")
TOKEN = "a token that is long enough"
# What the suite scores at each revision; a change of the suite has to be looked at.
SCORED = {"2025-11-25": 30, "2026-07-28": 37}

FLEET = """version: 1
hosts:
  web01: {address: 192.0.2.1}
  web02: {address: 192.0.2.2}
load_balancers:
  edge: {kind: haproxy, nodes: [{name: lb-1, socket: "tcp:127.0.0.1:1"}]}
services:
  web:
    kind: nginx
    hosts: [web01, web02]
    port: 80
    pools: [{lb: edge, backend: be_web, server: "{host}"}]
"""


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        (self.path / "hitless.yaml").write_text(FLEET)
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("HITLESS", "XDG"))}
        self.env = {**keep, "HOME": folder.name, "HITLESS_FLEET": str(self.path / "hitless.yaml"),
                    "HITLESS_STATE_DIR": str(self.path / "state"), "HITLESS_MCP_TOKEN": TOKEN}

    def run_it(self, *argv, seconds=120):
        done = subprocess.run(argv, cwd=self.path, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)
        return done.returncode, done.stdout, done.stderr

    def start(self, argv, **how):
        process = subprocess.Popen(argv, cwd=self.path, env=self.env, text=True, **how)

        def stop():
            process.terminate()
            process.wait(30)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self.addCleanup(stop)
        return process

    def http_server(self):
        server = self.start([HITLESS, "mcp", "--http", "127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)
        return re.search(r"http://\S+", server.stderr.readline()).group(0)

    def test_conformance_in_both_eras(self):
        fixture = self.start([FIXTURE, "--http"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        url = "http://127.0.0.1:%d/mcp" % int(fixture.stdout.readline())
        for revision, scored in SCORED.items():
            with self.subTest(revision=revision):
                code, out, err = self.run_it(NODE, CONFORMANCE, "server", "--url", url, "--requirements", revision,
                                             "-o", str(self.path / "results"), seconds=240)
                results = re.findall(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed", out, re.M)
                unscored = set(re.findall(r"^  [✓✗] (\S+) \(", out, re.M))
                counted = [each for each in results if each[1] not in unscored]
                self.assertEqual([name for mark, name, _, failed in counted if mark == "✗" or int(failed)], [], out + err)
                self.assertEqual(len(counted), scored)
                self.assertEqual(code, 0, out + err)
                print("conformance %s: %d of %d scenarios, %d checks" % (
                    revision, len(counted), scored, sum(int(passed) for _, _, passed, _ in counted)))

    def talk(self, which, *how):
        code, out, err = self.run_it(NODE, str(PLACE / "talk.mjs"), which, *how)
        self.assertEqual(code, 0, out + err)
        return json.loads(out.splitlines()[-1])

    def test_sdk_clients_on_both_transports(self):
        url = self.http_server()
        for which, version in (("sdk", "2025-11-25"), ("legacy", "2025-11-25"), ("modern", "2026-07-28")):
            for how in (("stdio", HITLESS, "mcp"), ("http", url, TOKEN)):
                with self.subTest(client=which, transport=how[0]):
                    said = self.talk(which, *how)
                    self.assertEqual(said["server"], "hitless")
                    if which != "sdk":
                        self.assertEqual(said["version"], version)
                    self.assertEqual(said["services"], ["web"])
                    self.assertEqual(len(said["tools"]), 16)
                    self.assertEqual(said["wrong"], [True, "there is no `shell` here, but: service\nwhere: service_status"])
                    self.assertEqual(said["unknown"], -32602, "a propose tool on a read-only server")
                    self.assertIn("hitless://fleet", said["resources"])
                    self.assertEqual((said["read"], said["prompts"]), (1, 3))
                    self.assertIn("restart web", said["prompt"])

    def test_inspector_on_both_transports(self):
        over_http = ("--cli", self.http_server(), "--transport", "http", "--header", "Authorization: Bearer " + TOKEN)
        over_stdio = ("--cli", HITLESS, "mcp")
        for how in (over_stdio, over_http):
            with self.subTest(transport=how[1]):
                code, out, err = self.run_it(NODE, INSPECTOR, *how, "--method", "tools/list", "--strict")
                self.assertEqual(code, 0, out + err)
                names = [tool["name"] for tool in json.loads(out)["tools"]]
                self.assertIn("fleet_list", names)
                self.assertNotIn("plan_create", names)
                code, out, err = self.run_it(NODE, INSPECTOR, *how, "--method", "tools/call", "--tool-name", "policy_explain",
                                             "--tool-arg", "service=web", "--tool-arg", "intent=restart")
                self.assertEqual(code, 0, out + err)
                said = json.loads(out)["structuredContent"]
                self.assertEqual((said["autonomy"], said["floor"]), ("unset", 1))
                code, out, err = self.run_it(NODE, INSPECTOR, *how, "--method", "tools/call", "--tool-name", "plan_create",
                                             "--tool-arg", "service=web", "--tool-arg", "intent=restart")
                self.assertNotEqual(code, 0, out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
