#!/usr/bin/env python3
"""Proof that the lab and its tools tell the truth: losses are seen when there are some, none when not.

Run it alone (it takes about a minute): python3 tests/tools/selftest_lab.py
"""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import labkit  # noqa: E402


class TheLab(labkit.LabTest):
    hosts = 3

    def drained_restart(self, name):
        """What a careful sysadmin does by hand, on both nodes."""
        host = self.lab.host(name)
        for lb in self.lab.lbs.values():
            lb.set_state("be_app", name, "drain")
        for lb in self.lab.lbs.values():
            lb.wait_drained("be_app", name)
        time.sleep(0.3)
        host.systemctl("restart", "app")
        labkit.wait_until(lambda: host.get("/healthz", 8080)[0] == 200, 10, "the app")
        time.sleep(0.5)  # two rounds of checks, so that what the nodes say is not from before the restart
        for lb in self.lab.lbs.values():
            labkit.wait_until(lambda: lb.stat()["be_app", name]["check_status"] == "L7OK", 10, "a passed check")
            lb.wait_status("be_app", name, "DRAIN")
            lb.set_state("be_app", name, "ready")

    def test_quiet_traffic_loses_nothing(self):
        with self.lab.load(rate=300, seconds=20) as load:
            load.process.wait(timeout=60)
        load.assert_no_loss()
        self.assertEqual(load.summary["sent"], 6000)
        self.assertEqual(set(load.summary["by_server"]), {"web01", "web02", "web03"})
        self.assertLess(load.summary["cpu_s"], 0.25 * 20)

    def test_restart_in_rotation_is_seen_as_loss(self):
        with self.lab.load(rate=300, get_path="/work?ms=60", post_path="/order?ms=60") as load:
            load.wait_sent(300)
            self.lab.host("web01").systemctl("restart", "app")
            load.wait_sent(900)
        self.assertGreater(load.summary["lost"], 0)
        self.assertEqual({loss["loss"] for loss in load.summary["losses"]} - {"5xx", "stale_close", "reset", "short_body"}, set())
        print("restart in rotation:", load.summary["lost"], "of", load.summary["sent"], load.summary["by_loss"], file=sys.stderr)

    def test_drained_restart_loses_nothing(self):
        before = self.lab.host("web01").unit("app")["InvocationID"]
        with self.lab.load(rate=300, get_path="/work?ms=20", post_path="/order?ms=20") as load:
            load.wait_sent(300)
            self.drained_restart("web01")
            load.wait_sent(600)
        load.assert_no_loss()
        self.assertNotEqual(before, self.lab.host("web01").unit("app")["InvocationID"])

    def test_planted_faults_show(self):
        host, lb = self.lab.host("web02"), self.lab.lb()
        host.app_env(APP_MODE="crash_after_start")
        self.assertEqual(host.systemctl("restart", "app").returncode, 0)
        labkit.wait_until(lambda: host.unit("app")["Result"] == "start-limit-hit" or host.unit("app")["ActiveState"] == "failed",
                          20, "the start limit")
        lb.wait_status("be_app", "web02", "DOWN")
        self.lab.dep.stop()
        self.assertNotEqual(subprocess.run(["curl", "-sf", "-m", "2", self.lab.dep.url]).returncode, 0)
        self.lab.dep.start()

    def test_lb_reload_forgets_drain(self):
        lb = self.lab.lb("lb-2")
        lb.set_state("be_web", "web01", "drain")
        self.assertEqual(lb.status("be_web", "web01"), "DRAIN")
        lb.reload()
        self.assertTrue(lb.status("be_web", "web01").startswith("UP"))

    def test_frozen_host_is_cut_and_comes_back(self):
        host = self.lab.host("web03")
        host.freeze()
        self.lab.lb().wait_status("be_web", "web03", "DOWN")
        self.assertEqual(host.sh("hostname").strip(), "web03")
        host.thaw()
        self.lab.lb().wait_status("be_web", "web03", "UP")
        self.assertEqual(host.ssh("sudo -n id -u").stdout.strip(), "0")

    def test_power_loss_and_reboot(self):
        host = self.lab.host("web03")
        host.write("/etc/kept", "yes\n")
        host.kill()
        host.start()
        self.assertEqual(host.read("/etc/kept"), "yes\n")
        boot = host.read("/proc/sys/kernel/random/boot_id")
        started = host.unit("app")["InvocationID"]
        host.run("systemctl", "reboot", check=False)
        labkit.wait_until(lambda: host.run("systemctl", "is-active", "app", check=False).stdout == "active\n"
                          and host.unit("app")["InvocationID"] != started, 30, "the reboot", 0.3)
        self.assertNotEqual(boot, host.read("/proc/sys/kernel/random/boot_id"))

    def test_reset_repairs_files(self):
        host = self.lab.host("web01")
        env, conf = host.read("/etc/app.env"), host.read("/etc/nginx/conf.d/10-upstream.conf")
        host.app_env(APP_MODE="bad502")
        host.write("/etc/nginx/conf.d/10-upstream.conf", "broken")
        host.sh("rm -r /etc/nginx/snippets; touch /etc/left-over; systemd-run --unit=hitless-op-1 sleep 600; systemctl mask ssh")
        self.lab.reset()
        self.assertEqual((env, conf), (host.read("/etc/app.env"), host.read("/etc/nginx/conf.d/10-upstream.conf")))
        self.assertEqual(host.sh("ls -d /etc/left-over /etc/nginx/snippets/* 2>/dev/null | wc -l").strip(),
                         host.sh("ls /etc/nginx/snippets | wc -l").strip())
        self.assertEqual(host.run("systemctl", "is-active", "hitless-op-1", check=False).stdout, "inactive\n")


class TheEnd(unittest.TestCase):
    """A killed `lab up`, or a killed test, leaves nothing behind."""

    def traces(self, name):
        with open("/proc/self/mountinfo") as file:
            mounts = [line for line in file if "/hitless-lab/%s/" % name in line]
        state = "/run/hitless-lab/" + name
        return mounts, os.path.exists(state)

    def prefix(self, name):
        """What the interfaces and namespaces of the lab are called; None when it got no further."""
        try:
            with open("/run/hitless-lab/%s/index" % name) as file:
                return "hl" + file.read().split()[0]
        except (FileNotFoundError, IndexError):
            return None

    def network(self, prefix):
        links = {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"]))}
        spaces = {line.split(" ")[0] for line in subprocess.check_output(["ip", "netns"], text=True).split("\n")}
        return {name for name in links | spaces if prefix and (name == prefix or name.startswith(prefix + "-"))}

    def nspawns(self):
        done = subprocess.run(["pgrep", "-fc", "systemd-nspawn.*hitless-lab/k"], capture_output=True, text=True)
        return int(done.stdout)

    def test_kill_of_up(self):
        for delay in (0.2, 0.6, 1.2, 2.5, 4.0):
            name = "k%d" % (delay * 10)
            up = subprocess.Popen([labkit.LAB, "-n", name, "up", "3"], stderr=subprocess.DEVNULL)
            time.sleep(delay)
            up.kill()
            up.wait()
            prefix = self.prefix(name)
            subprocess.run([labkit.LAB, "-n", name, "down"], check=True)
            subprocess.run([labkit.LAB, "-n", name, "down"], check=True)
            self.assertEqual(self.traces(name), ([], False))
            self.assertEqual(self.network(prefix), set())
            self.assertEqual(self.nspawns(), 0)

    def test_guard(self):
        script = "import sys; sys.path.insert(0, %r); import labkit, time; labkit.Lab(1, name='kguard').up(); print(1, flush=True); time.sleep(99)"
        child = subprocess.Popen([sys.executable, "-c", script % os.path.dirname(labkit.__file__)], stdout=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"1\n")
        child.stdout.close()
        child.send_signal(signal.SIGKILL)
        child.wait()
        labkit.wait_until(lambda: self.traces("kguard") == ([], False), 20, "the guard")


if __name__ == "__main__":
    unittest.main(verbosity=2)
