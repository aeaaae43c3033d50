"""What goes wrong around a restart: peers, dependencies, load balancers, the network, other people."""
import os
import random
import shutil
import time
import unittest

from support import *  # noqa: F403

DROP_IN = "/etc/systemd/system/app.service.d/slow.conf"
STARTS = "/var/lib/app/starts"
# Each start is counted, and takes long enough that the network can be cut in the middle of it.
SLOW_START = "[Service]\nExecStartPre=+/bin/sh -c 'echo start >>%s; sleep 3'\n" % STARTS


class FaultsTest(E2eTest):
    def blocked(self, *argv, text, pattern, via="app"):
        """A rollout that must not begin: exit 5, nobody left, nobody was restarted."""
        lab, before = self.lab, identities(self.lab, "app.service")
        rotation = {name: lb.in_rotation("be_app") for name, lb in lab.lbs.items()}
        with lab.load(rate=300, via=via) as load, FloorWatch(lab, "be_app") as floor:
            floor.lowest = len(rotation["lb-1"])
            run = self.rollout(*argv, code=BLOCKED, fleet=text)
            self.requests(50, load)
        self.assert_contains(run, pattern)
        self.assertEqual(changed(before, identities(lab, "app.service")), [])
        self.assertEqual({name: lb.in_rotation("be_app") for name, lb in lab.lbs.items()}, rotation)
        self.assertEqual(floor.lowest, len(rotation["lb-1"]))
        return run

    def test_peer_already_down(self):
        lab = self.lab
        lab.host("web03").systemctl("stop", "app")
        for lb in lab.lbs.values():
            lb.wait_status("be_app", "web03", "DOWN")
        self.blocked("restart", "app", "--limit", "web01", text=fleet(lab, app={}),
                     pattern="capacity: app@web01 would leave")

    def test_dependency_down_before(self):
        lab = self.lab
        lab.dep.stop()
        self.blocked("restart", "app", text=fleet(lab, app={"dependencies": [dependency(lab)]}), pattern="api-gateway")

    def test_swapped_host_key(self):
        lab = self.lab
        lab.host("web02").sh("rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -A; systemctl restart ssh")
        self.blocked("restart", "app", text=fleet(lab, app={}), pattern="host key has changed")

    def test_dependency_down_in_mid_rollout(self):
        """Old and new alike answer 503: not the restart's fault, so nothing is restarted again."""
        lab = self.lab
        for host in lab.hosts.values():
            host.app_env(APP_DEPENDS=lab.dep.url)
            host.systemctl("restart", "app")
        for host in lab.hosts.values():
            wait_until(lambda h=host: h.get("/healthz", 8080)[0] == 200, 10, "the app")
        for lb in lab.lbs.values():
            wait_until(lambda n=lb: len(n.in_rotation("be_app")) == 3, 10, "all in")
        before = identities(lab, "app.service")
        change = {"dependencies": [dependency(lab)], "policy": {"verify": {"grace": "2s"}}}
        # nginx answers these itself; all of be_app is down at the end, by no fault of the rollout.
        with lab.load(rate=300, via="web", mix="new=1,keep=1") as load:
            run = self.start_rollout("restart", "app", fleet=fleet(lab, app=change))
            run.wait_for("Service restarted")
            lab.dep.stop()
            run.wait(60)
            self.requests(50, load)
        self.assertEqual(run.code, HUMAN, run)
        self.assert_contains(run, "dependency api-gateway is down for old and new alike", "not rolled back")
        after = identities(lab, "app.service")
        self.assertEqual(changed(before, after), ["web01"])
        time.sleep(0.5)
        self.assertEqual(identities(lab, "app.service"), after)

    def test_load_balancer_reloads_in_mid_drain(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        # A reload of HAProxy closes the idle connections of its clients, and so may cross a request on one
        # of them, whoever does what behind it: through lb-1 only new connections.
        with lab.load(rate=150, nodes=["lb-1"], mix="new=1") as fresh, lab.load(rate=150, nodes=["lb-2"]) as load:
            slow = SlowRequest(lab, lab.lb("lb-2"), "web01", 10000)
            run = self.start_rollout("restart", "app", "--limit", "web01", fleet=fleet(lab, app={}))
            run.wait_for("web01 out of rotation, waiting")
            lab.lb("lb-1").reload()
            run.wait(60)
            self.requests(100, load)
            self.requests(100, fresh)
        self.assertEqual(run.code, OK, run)
        self.assert_contains(run, "lowest serving 2 of 3", "(?i)drain.*(re-applied|re-asserted)|(re-applied|re-asserted).*drain")
        self.assertEqual(slow.wait(), [200] * 3)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01"])
        self.assert_all_in()

    def test_somebody_elses_maintenance(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        for lb in lab.lbs.values():
            lb.set_state("be_app", "web03", "maint")
        with lab.load(rate=300) as load:
            run = self.rollout("restart", "app", code=OK, fleet=fleet(lab, app={"policy": {"floor": 1}}))
            self.requests(100, load)
        self.assert_contains(run, "web03.*(?i:skip|left alone|maint)")
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01", "web02"])
        for lb in lab.lbs.values():
            self.assertEqual(lb.status("be_app", "web03"), "MAINT")

    def freeze_while_acting(self, verify):
        """Cuts web01 off while its unit starts; returns the running rollout."""
        lab, host = self.lab, self.lab.host("web01")
        host.write(DROP_IN, SLOW_START)
        host.sh("systemctl daemon-reload; rm -f " + STARTS)
        run = self.start_rollout("restart", "app", "--limit", "web01", fleet=fleet(lab, app={"policy": {"verify": verify}}))
        wait_until(lambda: run.code is not None or host.sh("cat %s 2>/dev/null || true" % STARTS), 40, "the restart", 0.1)
        self.assertIsNone(run.code, run)
        host.freeze()
        return run, host

    def test_host_unreachable_in_mid_restart(self):
        lab = self.lab
        with lab.load(rate=300) as load:
            run, host = self.freeze_while_acting({"deadline": "30s", "grace": "15s"})
            # The restart ends meanwhile, and so does the session that waited for its outcome.
            host.systemctl("kill", "--kill-who=all", "--signal=KILL", "ssh")
            time.sleep(5)
            host.sh("systemctl reset-failed ssh; systemctl start ssh")
            host.thaw()
            run.wait(90)
            self.requests(100, load)
        self.assertEqual(run.code, OK, run)
        self.assertEqual(host.read(STARTS), "start\n")  # exactly once
        self.assert_all_in()

    def test_host_rebooted_in_mid_drain(self):
        """Its reboot has wiped our claim there: taken anew, and restarted like any other."""
        lab, before, host = self.lab, identities(self.lab, "app.service"), self.lab.host("web01")
        run = self.start_rollout("restart", "app", "--limit", "web01",
                                 fleet=fleet(lab, app={"policy": {"drain": {"deadline": "40s", "quiet": "2s"}}}))
        run.wait_for("web01 out of rotation")
        host.kill()
        host.start()
        run.wait(90)
        self.assertEqual(run.code, OK, run)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01"])
        self.assert_all_in()

    def test_host_never_comes_back(self):
        lab = self.lab
        with lab.load(rate=300) as load:
            run, host = self.freeze_while_acting({"deadline": "6s", "grace": "2s"})
            run.wait(90)
            for lb in lab.lbs.values():
                self.assertEqual(lb.in_rotation("be_app"), ["web02", "web03"])
            host.thaw()
            self.requests(300, load)
        self.assertEqual(run.code, HUMAN, run)
        self.assert_contains(run, "web01", "INC-1")
        self.assertEqual(host.read(STARTS), "start\n")
        self.assert_all_in(hosts=["web02", "web03"])  # a human decides

    def test_any_changed_byte_of_the_journal_is_found(self):
        lab = self.lab
        self.rollout("restart", "app", "--limit", "web01", code=OK, fleet=fleet(lab, app={}))
        self.journal("audit", "verify")
        state, copy = lab.tmp + "/state", lab.tmp + "/changed"
        names = [name for name in os.listdir(state) if name.endswith((".db", ".sqlite", ".sqlite3"))]
        self.assertEqual(len(names), 1, os.listdir(state))
        with open(os.path.join(state, names[0]), "rb") as file:
            good = file.read()
        seed = time.time_ns()
        offsets = [0, len(good) - 1] + random.Random(seed).sample(range(1, len(good) - 1), 58)
        missed = []
        for offset in offsets:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(state, copy)
            bad = bytearray(good)
            bad[offset] ^= 1 << (offset % 8)
            with open(os.path.join(copy, names[0]), "wb") as file:
                file.write(bad)
            if lab.hitless("audit", "verify", "--state-dir", copy).code == OK:
                missed.append(offset)
        self.assertEqual(missed, [], "seed %d, %d bytes" % (seed, len(good)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
