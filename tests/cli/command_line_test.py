#!/usr/bin/env python3
"""The command line as a user meets it: exit codes, streams, colours, errors. Needs no root and no network."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from own_folder import HITLESS, OwnFolder  # noqa: E402

GOOD = """version: 1
hosts:
  web01: {address: 192.0.2.1}
  web02: {address: 192.0.2.2}
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
    pools: [{lb: edge, backend: be_web, server: "{host}"}]
    policy:
      floor: 1
      drain: {deadline: 30s}
"""


class CommandLine(OwnFolder):
    def run_it(self, *args, env=None, fleet=GOOD):
        self.fleet(fleet)
        return self.run_hitless(*args, env=env)

    def test_good_file_checks_offline(self):
        done = self.run_it("check", "--offline")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 service, 2 instances", done.stdout)

    def test_without_a_fleet_file_it_says_where_it_looked(self):
        empty = self.path / "empty"
        empty.mkdir()
        env = {"PATH": os.environ["PATH"], "HOME": str(empty), "HITLESS_STATE_DIR": str(self.path / "state")}
        done = subprocess.run([HITLESS, "status"], cwd=empty, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        if pathlib.Path("/etc/hitless/hitless.yaml").exists():
            self.skipTest("this machine has a fleet file for all")
        self.assertEqual(done.returncode, 78)
        self.assertIn("there is no fleet file", done.stderr)
        self.assertIn(str(empty / ".config/hitless/hitless.yaml"), done.stderr)

    def test_doctor_says_once_that_it_cannot_log_in(self):
        fleet = GOOD.replace("address: 192.0.2.1}", "address: 127.0.0.1, ssh: 127.0.0.1, port: 1}")
        fleet = fleet.replace("address: 192.0.2.2}", "address: 127.0.0.2, connect: local}")
        done = self.run_it("doctor", fleet=fleet)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout.count("cannot log in"), 1, done.stdout)
        self.assertIn("web01: cannot log in: the connection was refused (ssh: connect to", done.stdout)
        self.assertIn("web@web01: not looked at: web01 cannot be worked on, see above", done.stdout)

    def test_a_canary_that_is_not_selected_is_refused(self):
        fleet = GOOD.replace("address: 192.0.2.", "connect: local, address: 127.0.0.")
        done = self.run_it("plan", "web", "--limit", "web01", "--canary", "web02", "--out", "-", fleet=fleet)
        self.assertEqual(done.returncode, 64, done.stdout)
        self.assertIn("the canary web02 is not among the hosts of --limit", done.stderr)

    def test_results_that_are_lost_are_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([HITLESS, "schema"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output could not be written: No space left on device", done.stderr)

    def test_a_file_to_install_that_is_gone_is_no_reason_not_to_look(self):
        fleet = GOOD.replace("address: 192.0.2.", "connect: local, address: 127.0.0.").replace(
            "    policy:", "    config: [{source: ./gone.conf, dest: \"/etc/nginx/{host}.conf\"}]\n    policy:")
        for verb in (["status"], ["plan", "web", "--out", "-"]):
            done = self.run_it(*verb, fleet=fleet)
            self.assertIn("warning[HL0205]: gone.conf does not exist", done.stderr)
            self.assertIn("web01", done.stdout, done.stderr)
        done = self.run_it("plan", "web", "--for", "apply", "--out", "-", fleet=fleet)
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn("cannot read the new configuration", done.stderr)
        self.assertEqual(self.run_it("check", "--offline", fleet=fleet).returncode, 78)

    def test_warnings_in_full_are_for_check(self):
        fleet = GOOD.replace("address: 192.0.2.", "connect: local, address: 127.0.0.")  # no health: HL0310
        self.assertIn("warning[HL0310]", self.run_it("check", "--offline", fleet=fleet).stderr)
        looked = self.run_it("status", fleet=fleet)
        self.assertNotIn("HL0310", looked.stderr)
        self.assertIn("hitless.yaml: 1 warning; `hitless check` shows it", looked.stderr)

    def test_a_service_in_no_load_balancer_is_not_out_of_rotation(self):
        fleet = GOOD.replace("address: 192.0.2.", "connect: local, address: 127.0.0.")
        fleet = "\n".join(line for line in fleet.splitlines() if "pools:" not in line)
        done = self.run_it("status", fleet=fleet)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("web  in no load balancer", done.stdout)
        done = self.run_it("plan", "web", "--out", "-", fleet=fleet)
        self.assertEqual(done.returncode, 5, done.stdout)
        self.assertIn("would not start: Load balancer healthcheck: the service is in no load balancer", done.stderr)

    def test_an_error_code_may_be_written_small(self):
        self.assertEqual(self.run_it("explain", "hl0104").stdout, self.run_it("explain", "HL0104").stdout)

    def test_misspelt_key_reads_as_documented(self):
        done = self.run_it("check", "--offline", fleet=GOOD.replace("deadline: 30s", "deadlin: 30s"))
        self.assertEqual(done.returncode, 78)
        self.assertEqual(done.stdout, "")
        self.assertIn("error[HL0104]: unknown key `deadlin`", done.stderr)
        self.assertIn("--> hitless.yaml:18:15", done.stderr)
        self.assertIn("did you mean `deadline`?", done.stderr)

    def test_check_speaks_json(self):
        done = self.run_it("check", "--offline", "--json", fleet=GOOD.replace("deadline: 30s", "deadlin: 30s"))
        self.assertEqual(done.returncode, 78)
        said = json.loads(done.stdout)
        self.assertFalse(said["good"])
        first = next(each for each in said["findings"] if each["severity"] == "error")
        self.assertEqual((first["code"], first["line"], first["column"]), ("HL0104", 18, 15))
        self.assertIn("deadline", first["label"])
        good = self.run_it("check", "--offline", "--json")
        self.assertEqual((good.returncode, json.loads(good.stdout)["good"]), (0, True))

    def test_what_a_load_balancer_lacks_is_shown_in_the_file(self):
        socket, config = self.path / "h.sock", self.path / "h.cfg"
        config.write_text("global\n  stats socket %s level admin\ndefaults\n  mode http\n  timeout connect 1s\n"
                          "  timeout client 1s\n  timeout server 1s\nbackend be_web\n  server web01 192.0.2.1:80\n" % socket)
        haproxy = subprocess.Popen([shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "-db", "-f", str(config)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(haproxy.wait)
        self.addCleanup(haproxy.kill)
        deadline = time.monotonic() + 20
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        text = GOOD.replace("tcp:127.0.0.1:1", "unix:%s" % socket)
        done = self.run_it("check", fleet=text.replace("be_web", "be_wep"))
        self.assertEqual(done.returncode, 78)
        for words in ("error[HL0401]", "--> hitless.yaml:15:33", "there is no backend be_wep", "did you mean be_web?", "^^^"):
            self.assertIn(words, done.stderr)
        done = self.run_it("check", "--json", fleet=text)
        said = json.loads(done.stdout)
        self.assertEqual((done.returncode, said["good"], len(said["absent"])), (78, False, 1), done.stdout)
        self.assertEqual([(each["code"], each["line"]) for each in said["findings"] if each["severity"] == "error"],
                         [("HL0402", 15)])

    def test_all_errors_at_once(self):
        broken = GOOD.replace("kind: haproxy", "kind: haprox").replace("floor: 1", "floor: 2").replace("port: 80", "port: '80'")
        done = self.run_it("check", "--offline", fleet=broken)
        self.assertEqual(done.returncode, 78)
        self.assertGreaterEqual(done.stderr.count("error[HL"), 2, done.stderr)

    def test_impossible_floor_is_refused(self):
        done = self.run_it("check", "--offline", fleet=GOOD.replace("floor: 1", "floor: 2"))
        self.assertEqual(done.returncode, 78)
        self.assertIn("floor", done.stderr)

    def test_hostile_files_end_quickly(self):
        for text in ("[" * 900_000, "a: &a [x]\nb: *a\n", "\0", "x" * 11_000_000, "- !!python/object:os.system x\n", "{a: " * 200_000):
            done = self.run_it("check", "--offline", fleet=text)
            self.assertEqual(done.returncode, 78, text[:20])
            self.assertIn("error[HL", done.stderr)
            self.assertLess(len(done.stderr), 5_000)

    def test_option_injection_through_a_host_is_refused(self):
        canary = self.path / "canary"
        hostile = GOOD.replace("web01: {address: 192.0.2.1}", f"\"-oProxyCommand=touch {canary}\": {{}}").replace(
            "[web01, web02]", f"[\"-oProxyCommand=touch {canary}\", web02]")
        done = self.run_it("check", fleet=hostile)
        self.assertEqual(done.returncode, 78)
        self.assertFalse(canary.exists())

    def test_usage_errors(self):
        for args in (["frobnicate"], ["restart"], ["plan"], ["plan", "web", "--at-once", "0"], ["--nonsense"]):
            done = self.run_it(*args)
            self.assertEqual(done.returncode, 64, (args, done.stderr))
            self.assertNotEqual(done.stderr, "")
        self.assertIn("did you mean `restart`?", self.run_it("restrat").stderr)

    def test_unknown_service_is_named(self):
        for args in (["plan", "wep"], ["doctor", "wep"], ["doctor", "wep", "--sudoers"], ["status", "wep"],
                     ["restart", "wep", "--yes"]):
            done = self.run_it(*args)
            self.assertNotEqual(done.returncode, 0, args)
            self.assertIn("did you mean `web`?", done.stderr, args)
            self.assertNotIn("All well", done.stdout)

    def test_alone_it_shows_its_help(self):
        done = self.run_it()
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("Examples:", done.stderr)
        for verb in ("apply", "audit", "doctor"):
            self.assertIn("Example: hitless " + verb, self.run_it(verb, "--help").stdout)

    def test_nobody_to_confirm(self):
        done = self.run_it("restart", "web", "--no-input", "--no-notify")
        self.assertIn(done.returncode, (5, 64), done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_unreachable_load_balancer_is_unknown_and_blocks(self):
        done = self.run_it("plan", "web", "--out", "-")
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        self.assertIn("?", done.stdout)

    def test_schema_is_json(self):
        done = self.run_it("schema")
        schema = json.loads(done.stdout)
        self.assertIn("services", schema["properties"])

    def test_explain_knows_every_code_it_lists(self):
        codes = [line.split(":")[0] for line in self.run_it("explain").stdout.splitlines()]
        self.assertGreater(len(codes), 20)
        for code in codes:
            self.assertEqual(self.run_it("explain", code).returncode, 0, code)
        self.assertEqual(self.run_it("explain", "HL9999").returncode, 64)

    def test_completions_parse(self):
        for shell in ("bash", "zsh", "fish"):
            done = self.run_it("completion", shell)
            self.assertEqual(done.returncode, 0)
            self.assertIn("restart", done.stdout)
        script = self.path / "c.bash"
        script.write_text(self.run_it("completion", "bash").stdout)
        subprocess.run(["bash", "-n", str(script)], check=True)

    def test_colour_rules(self):
        self.assertNotIn("\x1b", self.run_it("check", "--offline").stdout)
        self.assertIn("\x1b", self.run_it("check", "--offline", "--color").stdout)
        self.assertIn("\x1b", self.run_it("check", "--offline", env={"CLICOLOR_FORCE": "1", "TERM": "xterm"}).stdout)
        self.assertNotIn("\x1b", self.run_it("check", "--offline", env={"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}).stdout)

    def test_ascii_without_utf8(self):
        done = self.run_it("check", "--offline", env={"LC_ALL": "C"})
        done.stdout.encode("ascii")
        broken = self.run_it("check", "--offline", env={"LC_ALL": "C"}, fleet=GOOD.replace("version: 1\n", ""))
        broken.stderr.encode("ascii")

    def test_empty_history_and_journal(self):
        self.assertEqual(self.run_it("history").returncode, 0)
        self.assertEqual(self.run_it("audit", "verify").returncode, 0)
        self.assertEqual(self.run_it("incident").returncode, 0)
        self.assertEqual(self.run_it("show", "R-1").returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
