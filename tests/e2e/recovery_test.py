"""Rollouts that are interrupted: by kill -9, by people, by another controller, by a full disk, by nobody coming back."""
import os
import re
import signal
import subprocess
import time
import unittest

from support import *  # noqa: F403

WATCHDOG_MARGIN_S = 60  # back or flagged at the latest so long after the drain's end


class RecoveryTest(E2eTest):
    def rollout_id(self, run):
        return re.search(r"R-[0-9a-f]+", run.err + run.out).group()

    def kill_in(self, run, text):
        """kill -9 as soon as the rollout says `text`."""
        run.wait_for(text)
        run.process.send_signal(signal.SIGKILL)
        run.wait(10)

    def wait_in(self, backend="be_app", timeout_s=10):
        for lb in self.lab.lbs.values():
            wait_until(lambda n=lb: n.in_rotation(backend) == sorted(self.lab.hosts), timeout_s, "all in on " + lb.name)

    def test_killed_in_the_drain(self):
        """`status` names the command that puts it right; the command does; clients notice nothing."""
        lab, before = self.lab, identities(self.lab, "app.service")
        text = fleet(lab, app={})
        with lab.load(rate=300) as load, FloorWatch(lab, "be_app") as floor:
            run = self.start_rollout("restart", "app", fleet=text)
            self.kill_in(run, "out of rotation, waiting")
            status = lab.hitless("status", "app", fleet=text)
            self.assert_contains(status, "taken out by " + self.rollout_id(run), "was cut off. Next: hitless resume R-")
            watched = lab.hitless("watch", fleet=text)
            self.assertEqual(watched.code, 1, watched)
            resumed = lab.hitless("resume", "--progress", "plain", fleet=text)
            self.assertEqual(resumed.code, OK, resumed)
            self.requests(100, load)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01", "web02", "web03"])
        self.assertEqual(floor.lowest, 2)
        self.assert_all_in()
        again = lab.hitless("resume", self.rollout_id(run), fleet=text)
        self.assert_contains(again, "has ended: succeeded")

    def test_the_next_rollout_finishes_the_last_one(self):
        lab = self.lab
        text = fleet(lab, app={})
        run = self.start_rollout("restart", "app", fleet=text)
        self.kill_in(run, "Service restarted")
        between = identities(lab, "app.service")
        with lab.load(rate=300) as load:
            after = self.rollout("restart", "app", "--limit", "web02", code=OK, fleet=text)
            self.requests(50, load)
        self.assert_contains(after, "was cut off: it is finished first")
        self.assertEqual(self.journal("history").count("succeeded"), 2)
        self.assertLessEqual({"web02", "web03"}, set(changed(between, identities(lab, "app.service"))))
        self.assert_all_in()

    def test_killed_in_a_rollback(self):
        lab = self.lab
        next_config(lab, BAD_POOL)
        old = lab.host("web01").read(UPSTREAM)
        text = fleet(lab, web={})
        with lab.load(rate=300, via="web") as load:
            run = self.start_rollout("apply", "web", fleet=text)
            self.kill_in(run, "Restoring config")
            resumed = lab.hitless("resume", "--progress", "plain", fleet=text)
            self.assertEqual(resumed.code, ROLLED_BACK, resumed)
            self.requests(100, load)
        self.assertEqual([host.read(UPSTREAM) for host in lab.hosts.values()], [old] * 3)
        self.assert_all_in("be_web")

    def test_killed_between_the_end_and_the_notification(self):
        """`resume` sends what was due, and says how the rollout had ended; once."""
        lab, receiver = self.lab, Receiver()
        self.addCleanup(receiver.close)
        text = fleet(lab, [{"kind": "webhook", "name": "ops", "url": receiver.url}], app={})
        argv = ["restart", "app", "--limit", "web01", "--yes", "--progress", "plain"]
        run = lab.hitless(*argv, fleet=text, env={"HITLESS_CRASH_AT": "before notification"})
        self.assertEqual(run.code, -signal.SIGKILL, run)
        self.assert_contains(lab.hitless("history"), "succeeded")
        self.assert_contains(lab.hitless("status", "app", fleet=text), "nobody was told of it yet. Next: hitless resume R-")
        ended = [body for _, body in receiver.received if b"rollout.succeeded" in body]
        self.assertEqual(ended, [])
        resumed = lab.hitless("resume", fleet=text)
        self.assertEqual(resumed.code, OK, resumed)
        self.assert_contains(resumed, "has ended: succeeded. Its notification was still due", "sent late, for R-")
        ended = [body for _, body in receiver.received if b"rollout.succeeded" in body]
        self.assertEqual(len(ended), 1)
        self.assert_contains(lab.hitless("resume", fleet=text), "no rollout runs or was cut off")
        self.assertNotIn("nobody was told", lab.hitless("status", "app", fleet=text).out)

    def test_source_changed_meanwhile(self):
        """What was planned cannot be installed any more: what was changed goes back."""
        lab = self.lab
        next_config(lab, NEW_POOL)
        old = lab.host("web01").read(UPSTREAM)
        text = fleet(lab, web={})
        run = self.start_rollout("apply", "web", fleet=text)
        self.kill_in(run, "web01 done")
        next_config(lab, NEW_POOL + "# edited\n")
        resumed = lab.hitless("resume", "--progress", "plain", fleet=text)
        self.assertEqual(resumed.code, ABORTED, resumed)
        self.assert_contains(resumed, "is not what R-[0-9a-f]+ was planned with: rolling back")
        self.assertEqual([host.read(UPSTREAM) for host in lab.hosts.values()], [old] * 3)
        self.assert_all_in("be_web")

    def test_pause_resume_watch(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        text = fleet(lab, app={})
        with lab.load(rate=300) as load:
            run = self.start_rollout("restart", "app", fleet=text)
            run.wait_for("Taking web01 out")
            paused = lab.hitless("pause", fleet=text)
            self.assertEqual(paused.code, OK, paused)
            self.assert_contains(lab.hitless("status", fleet=text), "runs now. Next: hitless watch R-")
            watch = lab.start_hitless("watch", "--progress", "plain", fleet=text)
            run.wait_for("web01 done")
            time.sleep(2)
            self.assertEqual(changed(before, identities(lab, "app.service")), ["web01"])
            self.assert_all_in()
            self.assertEqual(lab.hitless("resume", fleet=text).code, OK)
            self.assertEqual(run.wait(60).code, OK, run)
            self.assertEqual(watch.wait(10).code, OK, watch)
            self.requests(50, load)
        self.assert_contains(watch, "web03 done", "R-[0-9a-f]+  app restart DONE")
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01", "web02", "web03"])

    def test_abort_from_another_terminal(self):
        lab = self.lab
        next_config(lab, NEW_POOL)
        old = lab.host("web01").read(UPSTREAM)
        text = fleet(lab, web={})
        with lab.load(rate=300, via="web") as load:
            run = self.start_rollout("apply", "web", fleet=text)
            run.wait_for("web01 done")
            self.assertEqual(lab.hitless("abort", fleet=text).code, OK)
            self.assertEqual(run.wait(60).code, ABORTED, run)
            self.requests(50, load)
        self.assertEqual([host.read(UPSTREAM) for host in lab.hosts.values()], [old] * 3)
        self.assert_all_in("be_web")

    def test_retry_works_on_what_is_left(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        lab.host("web02").app_env(APP_MODE="crash_after_start")
        text = fleet(lab, app={})
        failed = self.rollout("restart", "app", code=HUMAN, fleet=text)
        self.assertEqual(changed(before, identities(lab, "app.service"))[0], "web01")
        lab.host("web02").app_env(APP_MODE="good")
        lab.host("web02").systemctl("reset-failed", "app")
        lab.host("web02").systemctl("start", "app")  # as the incident says; of Type=simple, so it may not listen yet
        wait_until(lambda: lab.host("web02").get("/healthz", 8080)[0] == 200, 10, "app on web02")
        between = identities(lab, "app.service")
        with lab.load(rate=300) as load:
            again = lab.hitless("retry", self.rollout_id(failed), "--yes", "--progress", "plain", fleet=text)
            self.assertEqual(again.code, OK, again)
            self.requests(50, load)
        self.assertEqual(changed(between, identities(lab, "app.service")), ["web02", "web03"])
        self.wait_in()

    def test_rollback_of_one_that_succeeded(self):
        lab = self.lab
        next_config(lab, NEW_POOL)
        old = lab.host("web01").read(UPSTREAM)
        text = fleet(lab, web={})
        with lab.load(rate=300, via="web") as load:
            run = self.rollout("apply", "web", code=OK, fleet=text)
            self.assertEqual(lab.host("web02").read(UPSTREAM), NEW_POOL)
            back = lab.hitless("rollback", self.rollout_id(run), "--yes", "--progress", "plain", fleet=text)
            self.assertEqual(back.code, OK, back)
            self.requests(50, load)
        self.assertEqual([host.read(UPSTREAM) for host in lab.hosts.values()], [old] * 3)
        twice = lab.hitless("rollback", self.rollout_id(back), "--yes", "--dry-run", fleet=text)
        self.assertEqual(twice.code, OK, twice)  # there is a way back from a way back

    def test_killed_in_the_rollback_of_one_that_succeeded(self):
        """It goes on to the configuration of before, and not back to the one that it came from."""
        lab = self.lab
        next_config(lab, NEW_POOL)
        old = lab.host("web01").read(UPSTREAM)
        text = fleet(lab, web={})
        limit = ["--limit", "web01", "--limit", "web02"]
        first = self.rollout("apply", "web", *limit, code=OK, fleet=text)
        run = self.start_rollout("rollback", self.rollout_id(first), fleet=text)
        self.kill_in(run, "web01 done")
        resumed = lab.hitless("resume", "--progress", "plain", fleet=text)
        self.assertEqual(resumed.code, OK, resumed)
        self.assertEqual([host.read(UPSTREAM) for host in lab.hosts.values()], [old] * 3)
        self.assert_all_in("be_web")

    def test_two_controllers(self):
        """The second one refuses and names the holder, from the same state folder and from another."""
        lab = self.lab
        text = fleet(lab, app={})
        run = self.start_rollout("restart", "app", fleet=text)
        run.wait_for("Taking web01 out")
        same = self.rollout("restart", "app", code=BLOCKED, fleet=text)
        self.assert_contains(same, "app is being worked on by .*@")
        other = {"HITLESS_STATE_DIR": os.path.join(lab.tmp, "elsewhere")}
        elsewhere = self.rollout("restart", "app", code=BLOCKED, fleet=text, env=other)
        self.assert_contains(elsewhere, "being worked on by .*" + self.rollout_id(run))
        self.assertEqual(run.wait(60).code, OK, run)

    def test_paused_past_its_lease(self):
        """A controller that sleeps through its lease and wakes up: another one has the service, it changes nothing."""
        lab = self.lab
        text = fleet(lab, app={})
        run = self.start_rollout("restart", "app", fleet=text)
        run.wait_for("Taking web01 out")
        run.process.send_signal(signal.SIGSTOP)
        other = {"HITLESS_STATE_DIR": os.path.join(lab.tmp, "elsewhere")}
        try:
            wait_until(lambda: lab.hitless("restart", "app", "--yes", "--limit", "web03", "--progress", "plain",
                                           fleet=text, env=other).code != BLOCKED, 90, "the lease to end")
            between = identities(lab, "app.service")
        finally:
            run.process.send_signal(signal.SIGCONT)
        run.wait(60)
        self.assertEqual(run.code, HUMAN, run)
        self.assertEqual(changed(between, identities(lab, "app.service")), [])

    def test_stopped_while_the_load_balancers_forget(self):
        """SIGSTOP for longer than a look is good for: what was seen before it decides nothing."""
        lab, before = self.lab, identities(self.lab, "app.service")
        text = fleet(lab, app={"policy": {"drain": {"quiet": "3s", "deadline": "40s"}}})
        # Only new connections: a reload of HAProxy closes idle ones and may cross a request on them.
        with lab.load(rate=300, mix="new=1") as load:
            run = self.start_rollout("restart", "app", "--limit", "web02", fleet=text)
            run.wait_for("out of rotation, waiting")
            time.sleep(2)  # drained, and nearly for long enough
            run.process.send_signal(signal.SIGSTOP)
            try:
                for lb in lab.lbs.values():
                    lb.reload()  # the drain is forgotten: web02 serves again
                self.wait_in()
                time.sleep(6)
            finally:
                run.process.send_signal(signal.SIGCONT)
            self.assertEqual(run.wait(90).code, OK, run)
            self.requests(50, load)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web02"])
        self.assert_all_in()

    def test_nobody_comes_back(self):
        """The watchdog: the load balancer's check guards it, so it is put back, and an alarm says so."""
        lab = self.lab
        text = fleet(lab, app={"policy": {"drain": {"deadline": "5s"}}})
        run = self.start_rollout("restart", "app", fleet=text)
        self.kill_in(run, "out of rotation, waiting")
        self.wait_in(timeout_s=5 + WATCHDOG_MARGIN_S)
        status = lab.hitless("status", "app", fleet=text)
        self.assert_contains(status, "the watchdog of R-[0-9a-f]+ fired on")
        with lab.load(rate=300) as load:
            resumed = lab.hitless("resume", "--progress", "plain", fleet=text)
            self.assertEqual(resumed.code, OK, resumed)
            self.requests(50, load)
        self.assertNotIn("watchdog of", lab.hitless("status", "app", fleet=text).out)

    def test_full_disk(self):
        """No journal, no new action; but what was only taken out goes back at once. Then `resume` ends it."""
        lab, before = self.lab, identities(self.lab, "app.service")
        folder = os.path.join(lab.tmp, "small")
        os.makedirs(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)
        env = {"HITLESS_STATE_DIR": os.path.join(folder, "state")}
        text = fleet(lab, app={"policy": {"drain": {"quiet": "2s"}}})
        with lab.load(rate=300) as load:
            run = self.start_rollout("restart", "app", fleet=text, env=env)
            run.wait_for("out of rotation, waiting")
            self.fill(os.path.join(folder, "filler"))
            run.wait(60)
            self.assertEqual(run.code, HUMAN, run)
            self.assert_contains(run, "put back into rotation unchanged or proven: app@web01")
            self.assert_all_in()
            self.assertEqual(changed(before, identities(lab, "app.service")), [])
            os.remove(os.path.join(folder, "filler"))
            resumed = lab.hitless("resume", "--progress", "plain", fleet=text, env=env)
            self.assertEqual(resumed.code, OK, resumed)
            self.requests(50, load)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01", "web02", "web03"])

    def fill(self, path):
        with open(path, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
