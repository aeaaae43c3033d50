"""Restarts of an ungraceful program: it dies at once on SIGTERM, and some versions of it are sick."""
import os
import signal
import unittest

from support import *  # noqa: F403

ENV = "/etc/app.env"


class RestartTest(E2eTest):
    def env_change(self, **values):
        """The service `app` with a new /etc/app.env to apply: the values are changed in it."""
        lab = self.lab
        old = lab.host("web01").read(ENV)
        lines = [line for line in old.splitlines() if line.partition("=")[0] not in values]
        next_config(lab, "\n".join(lines + ["%s=%s" % item for item in values.items()]) + "\n")
        return old, {"config": [{"source": os.path.join(lab.tmp, "next", "{host}.conf"), "dest": ENV}]}

    def test_good_restart(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        with lab.load(rate=300) as load, FloorWatch(lab, "be_app") as floor:
            run = self.rollout("restart", "app", code=OK, fleet=fleet(lab, app={}))
            self.requests(100, load)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01", "web02", "web03"])
        self.assertEqual(floor.lowest, 2)
        self.assert_contains(run, "PID")
        self.assert_all_in()
        self.assert_no_incident()
        self.assertIn("succeeded", self.journal("history"))
        self.journal("audit", "verify")

    def stuck(self, on_deadline, code):
        lab, before = self.lab, identities(self.lab, "nginx.service")
        policy = {"policy": {"drain": {"deadline": "2s", "on_deadline": on_deadline}}}
        with lab.load(rate=300, via="web") as load:
            download = LongDownload(lab.lb("lb-2"), "web01")
            self.addCleanup(download.close)
            run = self.rollout("restart", "web", "--limit", "web01", code=code, fleet=fleet(lab, web=policy))
            still_open = not download.cut(2) and download.grows()
            self.requests(100, load)
        self.assert_all_in("be_web")
        return run, changed(before, identities(lab, "nginx.service")), still_open

    def test_stuck_drain_aborts(self):
        run, restarted, still_open = self.stuck("abort", ROLLED_BACK)
        self.assert_contains(run, "drain deadline 2s", "1 .*still in flight")
        self.assertEqual(restarted, [])
        self.assertTrue(still_open)  # the client got what it had asked for

    def test_stuck_drain_is_forced(self):
        _, restarted, still_open = self.stuck("force", OK)
        self.assertEqual(restarted, ["web01"])
        self.assertFalse(still_open)

    def test_crash_loop_is_quarantined(self):
        """Type=simple: `systemctl restart` returns 0, 100 ms later it is dead. Nothing to roll back to."""
        lab, before = self.lab, identities(self.lab, "app.service")
        lab.host("web01").app_env(APP_MODE="crash_after_start")
        with lab.load(rate=300) as load:
            run = self.rollout("restart", "app", code=HUMAN, fleet=fleet(lab, app={}))
            load.wait_sent(100)
            self.assert_all_in(hosts=["web02", "web03"])
            for lb in lab.lbs.values():
                self.assertNotIn("UP", lb.status("be_app", "web01"))
            self.assertEqual(changed(before, identities(lab, "app.service")), ["web01"])
            lab.host("web01").app_env(APP_MODE="ok")  # so that it can tell which requests it ran
            lab.host("web01").sh("systemctl reset-failed app; systemctl restart app")
            wait_until(lambda: lab.host("web01").get("/healthz", 8080)[0] == 200, 10, "the app")
            self.requests(100, load)
            self.assert_all_in(hosts=["web02", "web03"])  # well again, but a human decides
        self.assert_contains(run, "INC-1", "web01.*(flapping|down|failed)")
        with self.subTest("the next rollout puts it back, also when its configuration is right already"):
            next_config(lab, "", **{name: host.read(ENV) for name, host in lab.hosts.items()})
            change = {"config": [{"source": os.path.join(lab.tmp, "next", "{host}.conf"), "dest": ENV}]}
            with lab.load(rate=300) as load:
                run = self.rollout("apply", "app", code=OK, fleet=fleet(lab, app=change))
                self.requests(100, load)
            self.assert_contains(run, r"done +web01\n", r"skipped +web02 web03")
            self.assert_all_in()

    def test_crash_loop_by_configuration_is_rolled_back(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        old, change = self.env_change(APP_MODE="crash_after_start")
        with lab.load(rate=300) as load:
            run = self.rollout("apply", "app", code=ROLLED_BACK, fleet=fleet(lab, app=change))
            self.requests(100, load)
        self.assert_contains(run, "INC-1", "Service restarted")
        self.assertEqual([host.read(ENV) for host in lab.hosts.values()], [old] * 3)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01"])
        self.assert_all_in()

    def test_sick_program_is_caught_in_the_soak(self):
        """/healthz is 200, everything else 502: only live traffic shows it, so some of it is lost."""
        lab = self.lab
        old, change = self.env_change(APP_MODE="sick")
        change["policy"] = {"rejoin": {"soak": "3s"}}
        with lab.load(rate=300) as load:
            run = self.rollout("apply", "app", code=ROLLED_BACK, fleet=fleet(lab, app=change))
            seen = load.snapshot()["lost"]
            load.wait_sent(300)
        self.assert_contains(run, "requests failed at it since it is back", "INC-1")
        self.assertEqual([host.read(ENV) for host in lab.hosts.values()], [old] * 3)
        self.assert_all_in()
        summary = load.stop()
        self.assertEqual(set(summary["by_loss"]), {"5xx"})
        self.assertEqual({loss.get("server", "web01") for loss in summary["losses"]}, {"web01"})
        self.assertLess(summary["lost"], 300)  # a second's worth of one server's share, many times over
        self.assertLessEqual(summary["lost"] - seen, 0 if seen else summary["lost"])

    def test_saved_plan_is_stale_after_somebody_elses_restart(self):
        lab, text, path = self.lab, fleet(self.lab, app={}), self.lab.tmp + "/app.plan"
        plan = lab.hitless("plan", "app", "--out", path, fleet=text)
        self.assertEqual(plan.code, OK, plan)
        lab.host("web02").systemctl("restart", "app")
        for lb in lab.lbs.values():
            wait_until(lambda n=lb: len(n.in_rotation("be_app")) == 3 and lab.host("web02").get("/healthz", 8080)[0] == 200,
                       10, "web02 to serve")
        before = identities(lab, "app.service")
        run = self.rollout("restart", "--plan", path, code=STALE, fleet=text)
        self.assert_contains(run, "app@web02 invocation")
        self.assertEqual(changed(before, identities(lab, "app.service")), [])

    def test_one_ctrl_c_stops_with_everything_in(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        text = fleet(lab, app={})
        with lab.load(rate=300) as load:
            run = self.start_rollout("restart", "app", fleet=text)
            run.wait_for(r"web01 out of rotation")
            run.signal(signal.SIGINT)
            run.wait(60)
            self.assertEqual(run.code, ABORTED, run)
            self.requests(100, load)
        self.assert_all_in()
        self.assertIn(changed(before, identities(lab, "app.service")), ([], ["web01"]))
        self.assertIn("aborted", self.journal("history"))
        self.assertIn("serving 3 of 3", self.lab.hitless("status", fleet=text).out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
