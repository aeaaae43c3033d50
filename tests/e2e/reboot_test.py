"""Reboots of whole hosts: nginx and the app on them out of rotation together, the boot id as proof, nobody put back
who did not come back.

A lab host shares the kernel of this machine but has a boot id of its own for each boot, as real machines do.
"""
import re
import signal
import threading
import time
import unittest

from support import *  # noqa: F403


class RebootTest(E2eTest):
    def boots(self):
        return {name: host.read("/proc/sys/kernel/random/boot_id").strip() for name, host in self.lab.hosts.items()}

    def text(self, deadline="60s"):
        policy = {"policy": {"reboot_deadline": deadline}}
        return fleet(self.lab, web=policy, app=policy)

    def up_again(self, name):
        self.lab.host(name).start()

    def watch_kill(self, run, name):
        """Takes the power from the host as soon as it was told to reboot."""
        run.wait_for("Rebooting " + name)
        self.lab.host(name).kill()

    def test_under_load(self):
        lab, before = self.lab, self.boots()
        with lab.load(rate=200, via="web") as web, lab.load(rate=200) as app:
            with FloorWatch(lab, "be_web") as of_web, FloorWatch(lab, "be_app") as of_app:
                run = self.rollout("reboot", "web", "--limit", "web01,web02", code=OK, fleet=self.text())
            self.requests(50, web)
            self.requests(50, app)
        self.assertEqual(changed(before, self.boots()), ["web01", "web02"])
        self.assertEqual((of_web.lowest, of_app.lowest), (2, 2))
        self.assert_contains(run, "boot id [0-9a-f]{8}… → [0-9a-f]{8}…", "app: PID", "web: PID")
        self.assert_all_in("be_web")
        self.assert_all_in("be_app")
        self.assert_no_incident()

    def test_only_if_needed_and_only_what_comes_back(self):
        lab, before = self.lab, self.boots()
        lab.host("web02").sh("echo linux-image-9 >/run/reboot-required.pkgs; touch /run/reboot-required")
        plan = lab.hitless("plan", "web", "--for", "reboot", "--if-needed", "--out", "-", fleet=self.text())
        self.assertEqual(plan.code, OK, plan)
        self.assertRegex(plan.out, "web02 .*drain → reboot → verify → rejoin")
        self.assertEqual(plan.out.count("skip: it does not ask for a reboot"), 2, plan)
        self.assert_contains(plan, r"asked for by the host \(linux-image-9\)")
        lab.host("web02").sh("systemctl disable app.service")
        blocked = self.rollout("reboot", "web", "--if-needed", code=BLOCKED, fleet=self.text())
        self.assert_contains(blocked, "app.service is disabled")
        lab.host("web02").sh("systemctl enable app.service")
        self.assertEqual(self.boots(), before)

    def test_does_not_come_back(self):
        lab, before = self.lab, self.boots()
        with lab.load(rate=200, via="web") as load:
            run = self.start_rollout("reboot", "web", fleet=self.text("8s"))
            self.watch_kill(run, "web01")
            run.wait(60)
            self.assertEqual(run.code, HUMAN, run)
            self.assert_contains(run, "QUARANTINED", "verify deadline 8s", "the host does not answer", "INC-1")
            load.wait_sent(50)
            for lb in lab.lbs.values():
                self.assertEqual(lb.in_rotation("be_web"), ["web02", "web03"])
                self.assertEqual(lb.in_rotation("be_app"), ["web02", "web03"])
            self.up_again("web01")  # what it executed before it went can be asked again
            load.assert_no_loss()
        self.assertEqual(changed(before, self.boots()), ["web01"])
        status = lab.hitless("status", fleet=self.text())
        self.assertEqual(len(re.findall("quarantined by R-[0-9a-f]+", status.out)), 2, status)

    def test_killed_while_the_host_is_down(self):
        """kill -9 after the order; whoever resumes waits for the host, and it is not rebooted a second time."""
        lab, before = self.lab, self.boots()
        run = self.start_rollout("reboot", "web", "--limit", "web01", fleet=self.text())
        self.watch_kill(run, "web01")
        run.process.send_signal(signal.SIGKILL)
        run.wait(10)
        text, up = self.text(), threading.Timer(2, self.up_again, ["web01"])
        up.start()
        self.addCleanup(up.join)
        refused = self.rollout("restart", "app", code=BLOCKED, fleet=text)
        self.assert_contains(refused, r"\(reboot of web\) was cut off", "hitless resume R-")
        resumed = lab.hitless("resume", "--progress", "plain", fleet=text)
        self.assertEqual(resumed.code, OK, resumed)
        up.join()
        uptime = lab.host("web01").sh("systemctl show -p UserspaceTimestampMonotonic --value").strip()
        time.sleep(3)
        self.assertEqual(lab.host("web01").sh("systemctl show -p UserspaceTimestampMonotonic --value").strip(), uptime)
        self.assertEqual(changed(before, self.boots()), ["web01"])
        self.assertNotIn("INC-", lab.hitless("incident").out)
        self.assert_all_in("be_web")
        self.assert_all_in("be_app")


if __name__ == "__main__":
    unittest.main(verbosity=2)
