#!/usr/bin/env python3
"""`hitless mcp` on a real fleet on loopback: tools on both transports, plans, approvals, rollouts, the kill switch.
The planted checks: what must be refused is tried on each way in."""
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import (ABORTED, BLOCKED, HITLESS, HOSTS, OK, STALE, TOKEN, USAGE, Failed, Http, Load, Stdio, World, call,  # noqa: E402
                     wait_until)

READ = {"fleet_list", "service_status", "lb_state", "policy_explain", "journal_search", "error_log_search", "config_diff",
        "config_validate", "metrics_query", "rollout_get", "rollout_events", "incident_get", "evidence_get"}
SAFE = {"rollout_pause", "rollout_abort", "kill_switch_engage"}
PROPOSE = {"plan_create", "plan_simulate", "diagnosis_submit", "incident_open"}
ACT = {"plan_apply"}
BOB = {"SUDO_USER": "bob"} if os.getuid() == 0 else None  # another person, where sudo can be played


class Mcp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World().__enter__()
        cls.addClassCleanup(cls.world.__exit__)

    def setUp(self):
        self.world.policy = {}
        self.world.hitless("kill-switch", "release", "--yes")

    def plan(self, server, **more):
        failed, made = call(server, "plan_create", service="web", intent="restart", reason="it leaks memory", **more)
        self.assertFalse(failed, made)
        return made

    def ended(self, server, rollout):
        seen = {}

        def has_ended():
            failed, state = call(server, "rollout_get", rollout_id=rollout)
            seen.update(state if not failed else {"state": "none", "reason": state})
            return seen["state"] in ("ended", "refused")
        wait_until(has_ended, "the rollout ends", 90)
        self.world.wait_free()  # certificate and notifications come after the end
        return seen

    def test_what_is_offered_and_refused_on_each_transport(self):
        never = re.compile("approve|release|policy_edit|shell|exec|write|fetch|upload")
        for transport in (Stdio, Http):
            for allow, names in (("read", READ | SAFE), ("propose", READ | SAFE | PROPOSE),
                                 ("act", READ | SAFE | PROPOSE | ACT)):
                with self.subTest(transport=transport.__name__, allow=allow), \
                        transport(self.world, "--allow", allow) as server:
                    listed = server.request("tools/list")["tools"]
                    self.assertEqual({tool["name"] for tool in listed}, names)
                    self.assertEqual([t["name"] for t in listed], sorted(t["name"] for t in listed))
                    for tool in listed:
                        self.assertFalse(never.search(tool["name"]), tool["name"])
                        self.assertFalse(tool["inputSchema"]["additionalProperties"])
                        self.assertEqual(len(tool["annotations"]), 5)
                        self.assertEqual(tool["annotations"]["readOnlyHint"], tool["name"] in READ)
                    for name in (PROPOSE | ACT) - names:
                        with self.assertRaisesRegex(Failed, "not offered here: it needs --allow") as refused:
                            call(server, name, service="web", intent="restart", reason="because")
                        self.assertEqual(refused.exception.code, -32602)

    def test_a_read_only_server_writes_nothing_and_starts_nothing(self):
        before = self.world.pids()
        with Stdio(self.world) as server:
            for name in sorted(READ):
                call(server, name, **{"fleet_list": {}, "policy_explain": {"service": "web", "intent": "restart"},
                                      "rollout_get": {}, "rollout_events": {"rollout_id": "R-0"},
                                      "incident_get": {"incident_id": "INC-1"}, "config_diff": {"service": "web"},
                                      "evidence_get": {"evidence_id": "ev_0"},
                                      "metrics_query": {"service": "web", "metric": "lb_in_flight", "window_s": 60},
                                      "journal_search": {"service": "web", "host": "web01"},
                                      "error_log_search": {"service": "web", "host": "web01"}}.get(name, {"service": "web"}))
            failed, fleet = call(server, "fleet_list")
            self.assertFalse(failed)
            self.assertEqual([s["service"] for s in fleet["services"]], ["web"])
            failed, status = call(server, "service_status", service="web")
            self.assertEqual((failed, status["serving"]), (False, 3), status)
            failed, said = call(server, "service_status", service="wbe")
            self.assertTrue(failed)
            self.assertIn("did you mean `web`?", said)
            failed, lb = call(server, "lb_state", service="web")
            self.assertEqual({t["admin"] for t in lb["targets"]}, {"ready"}, lb)
            failed, page = call(server, "evidence_get", evidence_id=lb["evidence_id"])
            self.assertFalse(failed, page)
            self.assertIn("web@web01", page["lines"][0]["text"])
            text = server.request("resources/read", {"uri": "hitless://fleet"})["contents"][0]["text"]
            self.assertIn('"web"', text)
            self.assertIn("restart web", server.request("prompts/get", {
                "name": "restart_safely", "arguments": {"service": "web"}})["messages"][0]["content"]["text"])
        self.assertEqual(self.world.pids(), before)

    def test_http_wants_the_token_this_machines_name_and_a_session_that_exists(self):
        code, out = self.world.hitless("mcp", "--http", "127.0.0.1:0")
        self.assertEqual(code, USAGE, out)
        self.assertIn("HITLESS_MCP_TOKEN", out)
        code, out = self.world.hitless("mcp", "--http", "0.0.0.0:0", HITLESS_MCP_TOKEN=TOKEN)
        self.assertEqual(code, 1, out)
        self.assertIn("only 127.0.0.1", out)
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        with Http(self.world) as server:
            self.assertEqual(server.post(ping, token=None)[0], 401)
            self.assertEqual(server.post(ping, token=TOKEN[:-1])[0], 401)
            self.assertEqual(server.post(ping, {"Host": "evil.example.com"})[0], 403)
            self.assertEqual(server.post(ping, {"Origin": "http://evil.example.com"})[0], 403)
            self.assertEqual(server.post(ping)[0], 400)
            self.assertEqual(server.post(ping, {"MCP-Session-Id": "none"})[0], 404)
            self.assertEqual(server.post(ping, {"Accept": "text/html"})[0], 406)
            for garbage, status in ((b"\0\xff GARBAGE\r\n\r\n", b" 400 "), (b"GET /mcp HTTP/1.1\r\nX: " + b"a" * 20_000, b" 431 "),
                                    (b"POST /mcp HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b" 413 "),
                                    (b"GET /etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", b" 401 ")):
                with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
                    raw.sendall(garbage)
                    self.assertIn(status, raw.recv(4096))
            self.assertEqual(server.request("tools/list")["tools"][0]["name"], "config_diff")

    def test_an_agents_plan_needs_an_approval_by_somebody_else_and_runs_once(self):
        self.world.policy = {"autonomy": {"default": "approve"}}
        with Load(self.world) as load, Stdio(self.world, "--allow", "act") as server:
            plan = self.plan(server)
            self.assertEqual((plan["verdict"], plan["approvals_needed"]), ("needs_approval", 1), plan)
            self.assertEqual(plan["blast_radius"]["lowest_serving"], 2)
            apply = {"plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"], "idempotency_key": "first try"}
            failed, said = call(server, "plan_apply", **apply)
            self.assertTrue(failed)
            self.assertIn("needs an approval by somebody other", said)
            failed, said = call(server, "plan_apply", **{**apply, "plan_hash": "0" * 64})
            self.assertTrue(failed)
            code, out = self.world.hitless("approve", plan["plan_id"], "--yes")  # for whom the agent works
            self.assertEqual(code, BLOCKED, out)
            self.assertIn("who cannot approve it", out)
            if BOB is None:
                self.skipTest("another person can only be played by root")
            code, out = self.world.hitless("approve", plan["plan_id"], "--yes", **BOB)
            self.assertEqual(code, OK, out)
            failed, begun = call(server, "plan_apply", **apply)
            self.assertFalse(failed, begun)
            self.assertEqual(begun["state"], "starting")
            failed, again = call(server, "plan_apply", **apply)
            self.assertEqual((failed, again["rollout_id"], again["state"]),
                             (False, begun["rollout_id"], "started_before"))
            state = self.ended(server, begun["rollout_id"])
            self.assertEqual((state["state"], state["result"]), ("ended", "succeeded"), state)
            self.assertRegex(state["actor"], r"^agent mcp for \S+ \(approved by bob@\S+\)$")
            failed, events = call(server, "rollout_events", rollout_id=begun["rollout_id"], limit=200)
            self.assertTrue(events["ended"])
            self.assertTrue(any("web01" in line for e in events["events"] for line in e["lines"]))
            code, out = self.world.hitless("restart", "--plan", plan["plan_id"], "--yes")
            self.assertEqual(code, BLOCKED, out)
            self.assertIn("was used already", out)
        summary = load.summary()
        self.assertEqual(summary["lost"], 0, summary)

    @unittest.skipIf(BOB is None, "another person can only be played by root")
    def test_an_approvals_json_is_json_whatever_the_name(self):
        self.world.policy = {"autonomy": {"restart": "approve"}}
        self.assertEqual(self.world.hitless("plan", "web", "--out", "named.plan")[0], OK)
        code, out = self.world.hitless("approve", "named.plan", "--yes", "--json", "--progress", "quiet", SUDO_USER='bo"b\\x')
        self.assertEqual(code, OK, out)
        said = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
        self.assertTrue(said["approver"].startswith('bo"b\\x@'), said)

    @unittest.skipIf(BOB is None, "another person can only be played by root")
    def test_a_plan_file_that_names_another_proposer_is_not_approved(self):
        self.world.policy = {"autonomy": {"restart": "approve"}}
        plan = pathlib.Path(self.world.folder, "edited.plan")
        self.assertEqual(self.world.hitless("plan", "web", "--out", str(plan))[0], OK)
        saved = json.loads(plan.read_text(encoding="utf-8"))
        plan.write_text(json.dumps({**saved, "proposer": "carol@elsewhere"}), encoding="utf-8")
        code, out = self.world.hitless("approve", str(plan), "--yes")  # by whoever asked for it
        self.assertEqual(code, BLOCKED, out)
        self.assertIn("the plan file was edited", out)

    def test_a_slow_inventory_holds_up_nobody_and_is_not_read_at_each_call(self):
        count = pathlib.Path(self.world.folder, "reads")
        script = pathlib.Path(self.world.folder, "inventory")
        script.write_text("#!/bin/sh\necho read >>%s\nsleep 2\necho '{}'\n" % count, encoding="utf-8")
        script.chmod(0o755)
        self.world.more = {"inventory_command": [str(script)]}
        self.addCleanup(setattr, self.world, "more", {})
        with Stdio(self.world) as server:
            server.send({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": {"name": "fleet_list", "arguments": {}}})
            server.send({"jsonrpc": "2.0", "id": "quick", "method": "ping"})
            order = [json.loads(server.process.stdout.readline())["id"] for _ in range(2)]
            self.assertEqual(order, ["quick", "slow"])
            for _ in range(3):
                self.assertFalse(call(server, "fleet_list")[0])
            self.assertEqual(count.read_text(), "read\n")
            self.world.environment()  # writes the file anew
            self.assertFalse(call(server, "fleet_list")[0])
            self.assertEqual(count.read_text(), "read\n" * 2)

    def test_people_too_need_somebody_else_where_the_policy_says_approve(self):
        self.world.policy = {"autonomy": {"restart": "approve"}}
        code, out = self.world.hitless("restart", "web", "--yes")
        self.assertEqual(code, BLOCKED, out)
        self.assertIn("wants an approval for restart", out)
        code, out = self.world.hitless("plan", "web")
        self.assertEqual(code, OK, out)
        code, out = self.world.hitless("approve", "web.plan", "--yes")
        self.assertEqual(code, BLOCKED, out)
        self.assertIn("cannot approve it", out)
        code, out = self.world.hitless("restart", "--plan", "web.plan", "--yes")
        self.assertEqual(code, BLOCKED, out)
        self.assertIn("needs an approval", out)

    @unittest.skipIf(BOB is None, "another person can only be played by root")
    def test_an_approval_does_not_cover_what_has_moved(self):
        self.world.policy = {"autonomy": {"restart": "approve"}}
        plan = pathlib.Path(self.world.folder, "moved.plan")
        self.assertEqual(self.world.hitless("plan", "web", "--out", str(plan))[0], OK)
        code, out = self.world.hitless("approve", str(plan), "--yes", **BOB)
        self.assertEqual(code, OK, out)
        text = plan.read_text(encoding="utf-8")
        altered = re.sub(r'("web@web01 [^"]*",")([^"]+)"', r'\1something else"', text, count=1)
        self.assertNotEqual(text, altered)
        plan.write_text(altered, encoding="utf-8")
        code, out = self.world.hitless("restart", "--plan", str(plan), "--yes")
        self.assertEqual(code, BLOCKED, out)
        self.assertIn("what the approval stands on is not what the plan stands on", out)
        plan.write_text(text, encoding="utf-8")
        self.world.policy = {}  # the world itself moves: another process serves on web01
        self.assertEqual(self.world.hitless("restart", "web", "--limit", "web01", "--yes")[0], OK)
        self.world.policy = {"autonomy": {"restart": "approve"}}
        code, out = self.world.hitless("restart", "--plan", str(plan), "--yes")
        self.assertEqual(code, STALE, out)

    def test_observe_and_propose_leave_running_to_people(self):
        self.world.policy = {"autonomy": {"restart": "observe", "reload": "propose"}}
        with Http(self.world, "--allow", "act") as server:
            failed, plan = call(server, "plan_create", service="web", intent="restart", reason="because")
            self.assertEqual((failed, plan["verdict"], plan["plan_id"]), (False, "denied", ""))
            self.world.policy = {"autonomy": {"restart": "propose"}}
            self.world.environment()
            plan = self.plan(server)
            failed, said = call(server, "plan_apply", plan_id=plan["plan_id"], plan_hash=plan["plan_hash"],
                                idempotency_key="by an agent")
            self.assertTrue(failed)
            self.assertIn("leaves running plans to people", said)
            failed, said = call(server, "plan_create", service="web", intent="restart", reason="because",
                                evidence_ids=["ev_forged00000"])
            self.assertTrue(failed)
            self.assertIn("no evidence has the id", said)
            failed, said = call(server, "plan_create", service="web", intent="restart", reason="because",
                                tighten={"at_once": 9999})
            self.assertTrue(failed)
            self.assertIn("only narrows", said)
            failed, tried = call(server, "plan_simulate", plan_id=plan["plan_id"])
            self.assertEqual((failed, tried["stale"], tried["would_start"]), (False, False, True), tried)

    def test_budget_of_agents(self):
        self.world.policy = {"autonomy": {"default": "auto"}, "actions_per_hour": 1}
        with Stdio(self.world, "--allow", "act") as server:
            results = []
            for turn in range(2):
                plan = self.plan(server, hosts=["web02"])
                failed, begun = call(server, "plan_apply", plan_id=plan["plan_id"], plan_hash=plan["plan_hash"],
                                     idempotency_key="budget %d" % turn)
                self.assertFalse(failed, begun)
                results.append(self.ended(server, begun["rollout_id"]))
            # The first one may itself be over the budget, when another test has used it up.
            self.assertEqual(results[1]["state"], "refused", results)
            self.assertIn("in the last hour", results[1]["reason"])

    def test_kill_switch_stops_what_runs_and_refuses_what_is_new(self):
        self.world.policy = {"autonomy": {"default": "auto"}}
        with Load(self.world) as load, Stdio(self.world, "--allow", "act") as server:
            plan = self.plan(server)
            failed, begun = call(server, "plan_apply", plan_id=plan["plan_id"], plan_hash=plan["plan_hash"],
                                 idempotency_key="to be killed")
            self.assertFalse(failed, begun)
            rollout = begun["rollout_id"]

            def is_at_work():
                failed, state = call(server, "rollout_get", rollout_id=rollout)
                return not failed and any(i["out_of_rotation"] for i in state["instances"])
            wait_until(is_at_work, "an instance is out of rotation")
            with Http(self.world) as read_only:  # the safe direction needs no right
                failed, killed = call(read_only, "kill_switch_engage", reason="the database is down")
                self.assertEqual((failed, killed["engaged"]), (False, True))
            state = self.ended(server, rollout)
            self.assertEqual(state["result"], "aborted", state)
            self.assertEqual([i["out_of_rotation"] for i in state["instances"]], [False] * 3)
            self.assertLess(sum(i["phase"] == "done" for i in state["instances"]), 3)
            failed, plan = call(server, "plan_create", service="web", intent="restart", reason="again")
            self.assertEqual((failed, plan["verdict"]), (False, "denied"))
        code, out = self.world.hitless("restart", "web", "--yes")
        self.assertEqual(code, BLOCKED, out)
        self.assertIn("the kill switch is engaged by agent mcp for", out)
        code, out = self.world.hitless("kill-switch", "release")  # nobody here to confirm
        self.assertEqual(code, USAGE, out)
        self.assertEqual(self.world.hitless("kill-switch", "status")[0], BLOCKED)
        self.assertEqual(self.world.hitless("kill-switch", "release", "--yes")[0], OK)
        self.assertEqual(self.world.hitless("kill-switch", "status")[0], OK)
        self.assertEqual(load.summary()["lost"], 0, load.summary())

    def test_pause_and_abort(self):
        self.world.policy = {"autonomy": {"default": "auto"}}
        with Stdio(self.world, "--allow", "act") as server:
            plan = self.plan(server)
            failed, begun = call(server, "plan_apply", plan_id=plan["plan_id"], plan_hash=plan["plan_hash"],
                                 idempotency_key="to be aborted")
            self.assertFalse(failed, begun)
            rollout = begun["rollout_id"]
            wait_until(lambda: not call(server, "rollout_pause", rollout_id=rollout)[0], "it listens")
            failed, said = call(server, "rollout_abort", rollout_id=rollout, how="hold")
            self.assertFalse(failed, said)
            state = self.ended(server, rollout)
            self.assertEqual((state["state"], state["result"]), ("ended", "aborted"), state)
            failed, said = call(server, "rollout_abort", rollout_id=rollout, how="rollback")
            self.assertTrue(failed)

    def cut_off(self, server):
        """A person's rollout that was killed while an instance was out of rotation; its id."""
        person = subprocess.Popen([HITLESS, "restart", "web", "--yes"], cwd=self.world.folder, env=self.world.environment(),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.world.hitless, "resume")
        try:
            seen = {}

            def is_at_work():
                failed, state = call(server, "rollout_get")
                seen.update(state if not failed else {})
                return not failed and state["state"] == "running" and any(i["out_of_rotation"] for i in state["instances"])
            wait_until(is_at_work, "an instance is out of rotation")
            return seen["rollout_id"]
        finally:
            person.kill()
            person.wait(30)

    def test_resumed_under_an_engaged_kill_switch_it_puts_back_who_is_out_and_ends(self):
        with Load(self.world) as load, Stdio(self.world) as server:
            before = self.world.pids()
            rollout = self.cut_off(server)
            _, cut = call(server, "rollout_get", rollout_id=rollout)
            out = [i["instance"] for i in cut["instances"] if i["out_of_rotation"]]
            self.assertEqual((cut["state"], len(out)), ("cut_off", 1))
            self.assertFalse(call(server, "kill_switch_engage", reason="while nobody was in control")[0])
            code, said = self.world.hitless("resume", rollout)
            self.assertEqual(code, ABORTED, said)
            self.assertIn("kill switch", said)
            state = self.ended(server, rollout)
            self.assertEqual((state["state"], state["result"]), ("ended", "aborted"), state)
            self.assertEqual([i["instance"] for i in state["instances"] if i["out_of_rotation"]], [])
            _, status = call(server, "service_status", service="web")
            self.assertEqual(status["serving"], 3, status)
            # The one in work may have come to its restart; no other was touched.
            after = self.world.pids()
            touched = ["web@" + host for host, was, is_now in zip(HOSTS, before, after) if was != is_now]
            self.assertIn(touched, ([], out))
            self.assertEqual(self.world.hitless("restart", "web", "--yes")[0], BLOCKED)
        self.assertEqual(load.summary()["lost"], 0, load.summary())

    def test_an_agent_goes_on_with_no_rollout_that_somebody_else_began(self):
        self.world.policy = {"autonomy": {"default": "auto"}}
        with Stdio(self.world, "--allow", "act") as server:
            plan = {}

            def is_planned():
                plan.update(self.plan(server, hosts=["web02"]))
                return plan["verdict"] == "auto"
            wait_until(is_planned, "the fleet is well enough for a plan")
            rollout = self.cut_off(server)
            _, before = call(server, "rollout_get", rollout_id=rollout)
            self.assertEqual(before["state"], "cut_off")
            failed, said = call(server, "plan_apply", plan_id=plan["plan_id"], plan_hash=plan["plan_hash"],
                                idempotency_key="over a cut-off one")
            self.assertTrue(failed, said)
            self.assertIn("hitless resume " + rollout, said)
            # What the server would have started asks again, under the lock.
            code, out = self.world.hitless("restart", "--plan", plan["plan_id"], "--yes", "--no-input", "--by-agent", "mcp")
            self.assertEqual(code, BLOCKED, out)
            self.assertIn("hitless resume " + rollout, out)
            _, after = call(server, "rollout_get", rollout_id=rollout)
            self.assertEqual((after["state"], after["last_seq"]), ("cut_off", before["last_seq"]))
            code, out = self.world.hitless("resume", rollout)
            self.assertEqual(code, OK, out)

    def test_a_signal_ends_the_server_also_while_its_input_is_open(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number.name), Stdio(self.world) as server:
                server.process.send_signal(number)
                try:
                    self.assertEqual(server.process.wait(30), 0)
                finally:
                    server.process.kill()

    def test_metrics_are_what_our_readers_know_and_say_where_they_are_from(self):
        with Load(self.world), Stdio(self.world) as server:
            code, out = self.world.hitless("restart", "web", "--limit", "web02", "--yes")
            self.assertEqual(code, OK, out)
            for metric, values, unknown in (("lb_in_flight", 3, 0), ("lb_requests", 3, 0), ("lb_errors", 3, 0), ("lb_queue", 1, 0),
                                            ("lb_responses_5xx", 1, 0), ("host_sockets", 3, 0), ("health_latency", 3, 0),
                                            ("unit_memory", 0, 3)):  # a service of `kind: command` has no unit
                failed, said = call(server, "metrics_query", service="web", metric=metric)
                self.assertFalse(failed, said)
                self.assertEqual(said["history"], "none in this window: sampled now")
                self.assertEqual([sum(s["value"] is not None for s in said["samples"]), sum(bool(s["note"]) for s in said["samples"])],
                                 [values, unknown], said)
            failed, said = call(server, "metrics_query", service="web", metric="lb_requests", host="web02", window_s=3600)
            self.assertEqual({s["instance"] for s in said["samples"]}, {"web@web02"})
            self.assertEqual(said["samples"][-1]["from"], "now")
            self.assertTrue(any(s["from"].startswith("R-") for s in said["samples"]), said)
            self.assertEqual([s["at"] for s in said["samples"]], sorted(s["at"] for s in said["samples"]))
            self.assertIn("lb_requests web@web02", call(server, "evidence_get", evidence_id=said["evidence_id"])[1]["lines"][0]["text"])
            for wrong in ({"metric": "cpu"}, {"metric": "lb_queue", "window_s": 3601}, {"metric": "lb_queue", "host": "web01"}):
                self.assertTrue(call(server, "metrics_query", service="web", **wrong)[0], wrong)

    def test_an_agent_calls_a_person_seldom_and_only_with_evidence(self):
        told = []

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        self.world.more = {"notifications": [{"kind": "webhook", "name": "ops", "url": "http://127.0.0.1:%d/" % receiver.server_port}]}
        self.addCleanup(setattr, self.world, "more", {})
        with Stdio(self.world, "--allow", "propose") as server:
            _, lb = call(server, "lb_state", service="web")
            claim = {"service": "web", "summary": "web02 answers slowly \x1b[31mand nobody restarts it", "evidence_ids": [lb["evidence_id"]]}
            for wrong, why in (({"evidence_ids": []}, "evidence_ids"), ({"evidence_ids": ["ev_000000000000"]}, "no evidence has the id"),
                               ({"service": "nope"}, "no service nope"), ({"severity": "page everybody"}, "severity")):
                failed, said = call(server, "incident_open", **{**claim, **wrong})
                self.assertTrue(failed, said)
                self.assertIn(why, said)
            failed, opened = call(server, "incident_open", **claim)
            self.assertEqual((failed, opened["state"], opened["told"]), (False, "opened", ["ops \u2713"]), opened)
            failed, again = call(server, "incident_open", **claim)
            self.assertEqual((again["incident_id"], again["state"], again["told"]), (opened["incident_id"], "open_before", []))
            self.assertEqual(len(told), 1)
            self.assertEqual((told[0]["type"], told[0]["data"]["incident"]), ("rollout.failed", opened["incident_id"]))
            self.assertIn("opened by agent mcp for", told[0]["data"]["title"])
            self.assertNotIn("\x1b", json.dumps(told[0]) + told[0]["data"]["title"])
            self.assertFalse(call(server, "incident_open", **{**claim, "summary": "and another thing"})[0])
            failed, said = call(server, "incident_open", **{**claim, "summary": "and a third thing"})
            self.assertTrue(failed)
            self.assertIn("incidents in the last hour", said)
            self.assertEqual(len(told), 2)
            failed, seen = call(server, "incident_get", incident_id=opened["incident_id"])
            self.assertFalse(failed, seen)
            self.assertIn("which nobody has checked", seen["report"])
        code, out = self.world.hitless("incident")
        self.assertIn(opened["incident_id"], out)
        code, out = self.world.hitless("incident", opened["incident_id"])
        self.assertEqual(code, OK, out)
        self.assertIn("web@web01", out)
        self.assertIn("answers slowly \\x1b[31mand", out)
        self.assertEqual(self.world.hitless("audit", "verify")[0], OK)

    def test_a_diagnosis_stands_on_evidence_or_is_refused(self):
        with Stdio(self.world, "--allow", "propose") as server:
            _, lb = call(server, "lb_state", service="web")
            _, newest = call(server, "rollout_get")
            if "rollout_id" not in newest:
                self.world.hitless("restart", "web", "--limit", "web03", "--yes")
                _, newest = call(server, "rollout_get")
            given = {"rollout_id": newest["rollout_id"], "category": "healthy", "confidence": "low", "recommended": "none",
                     "hypotheses": [{"category": "healthy", "supports": [lb["evidence_id"]],
                                     "quotes": [{"evidence_id": lb["evidence_id"], "text": "ready check=pass"}]}]}
            failed, kept = call(server, "diagnosis_submit", **given)
            self.assertFalse(failed, kept)
            self.assertEqual((kept["accepted"], kept["enough_to_act"]), (True, False))
            # Whoever reads of the rollout sees it, as a claim.
            code, out = self.world.hitless("ask", "why did %s fail?" % newest["rollout_id"])
            self.assertEqual(code, OK, out)
            self.assertRegex(out, r"Handed in by a client: its claim.*\nagent mcp for \S+ at \S+: healthy \(low\), recommends none")
            self.assertIn('stands in the load balancer (%s): "ready check=pass"' % lb["evidence_id"], out)
            code, out = self.world.hitless("ask", "--json", "why did %s fail?" % newest["rollout_id"])
            claim = json.loads([line for line in out.splitlines() if line.startswith("{")][-1])["claim"]
            self.assertEqual((claim["category"], claim["hypotheses"][0]["quotes"][0]["source"]), ("healthy", "load balancer"))
            many = ["ev_%012x" % n for n in range(41)]
            failed, said = call(server, "plan_create", service="web", intent="restart", reason="because", evidence_ids=many[:40])
            self.assertTrue(failed)
            self.assertIn("no evidence has the id", said)
            crowd = [{"category": "healthy", "supports": many[n:n + 20]} for n in (0, 20, 40)]
            failed, said = call(server, "diagnosis_submit", **{**given, "hypotheses": crowd})
            self.assertTrue(failed)
            self.assertIn("more than 40 ids of evidence in one call", said)
            given["hypotheses"][0]["quotes"][0]["text"] = "never said"
            failed, said = call(server, "diagnosis_submit", **given)
            self.assertTrue(failed)
            self.assertIn("quotes what does not stand in", said)
            given["hypotheses"][0]["supports"] = ["ev_000000000000"]
            failed, said = call(server, "diagnosis_submit", **given)
            self.assertTrue(failed)
            self.assertIn("does not exist", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
