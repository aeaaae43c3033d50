"""New configuration on real nginx: what is derived, what is proven, what is taken back."""
import base64
import hashlib
import hmac
import json
import os
import unittest

from support import *  # noqa: F403

ZONE = "limit_req_zone %s zone=orders:1m rate=9000r/s;\n" + NEW_POOL
HOLDER = "import socket,time; s=socket.socket(); s.bind(('0.0.0.0',8088)); s.listen(); time.sleep(300)"


class ReloadTest(E2eTest):
    backend = "be_web"

    def configs(self):
        return {name: host.read(UPSTREAM) for name, host in self.lab.hosts.items()}

    def test_pool_change_is_rolled_out_by_reload(self):
        lab, before = self.lab, identities(self.lab, "nginx.service")
        next_config(lab, NEW_POOL)
        with lab.load(rate=300, via="web") as load, FloorWatch(lab, "be_web") as floor:
            run = self.rollout("apply", "web", code=OK, fleet=fleet(lab, web={}))
            self.requests(100, load)
        self.assert_contains(run, "only upstream pool change, no listen port changes", "class reload", "Service reloaded")
        self.assertEqual(set(self.configs().values()), {NEW_POOL})
        self.assertEqual(changed(before, identities(lab, "nginx.service")), [])  # no master was restarted
        self.assertGreater(floor.reads, 50)
        self.assertEqual(floor.lowest, 2)
        self.assert_all_in()
        self.assert_no_incident()

    def test_sabotaged_pool_is_rolled_back(self):
        lab, before = self.lab, self.configs()
        who = identities(lab, "nginx.service")
        mtimes = {name: host.sh("stat -c %y " + UPSTREAM) for name, host in lab.hosts.items()}
        next_config(lab, BAD_POOL)
        receiver = Receiver()
        self.addCleanup(receiver.close)
        key = "a key for the test, long enough"
        sinks = [{"kind": "webhook", "name": "receiver", "url": receiver.url, "secret": "${env:HOOK_KEY}"}]
        with lab.load(rate=300, via="web") as load, FloorWatch(lab, "be_web") as floor:
            run = self.rollout("apply", "web", code=ROLLED_BACK, fleet=fleet(lab, sinks, web={}), env={"HOOK_KEY": key})
            self.requests(100, load)
        self.assert_contains(run, "HTTP 502", "INC-1", "ROLLED BACK")
        self.assertEqual(self.configs(), before)
        self.assertEqual(lab.host("web01").get("/healthz/deep")[0], 200)
        for name in ("web02", "web03"):
            self.assertEqual(lab.host(name).sh("stat -c %y " + UPSTREAM), mtimes[name])
        self.assertEqual(changed(who, identities(lab, "nginx.service")), [])
        self.assertGreaterEqual(floor.lowest, 2)
        self.assert_all_in()
        incident = self.journal("incident", "INC-1")
        self.assertIn("502", incident)
        self.assertIn("+    server 127.0.0.1:9", incident)
        # Looked at before the rollback: why, by rules, with the line of nginx that says it.
        self.assertIn("upstream_unreachable", incident)
        self.assertIn("while connecting to upstream", incident)
        self.assert_notified(receiver, key)

    def assert_notified(self, receiver, key):
        self.assertEqual(len(receiver.received), 2, receiver.received)  # started, failed
        for headers, body in receiver.received:
            lower = {name.lower(): value for name, value in headers.items()}
            content = "%s.%s." % (lower["webhook-id"], lower["webhook-timestamp"])
            digest = hmac.new(key.encode(), content.encode() + body, hashlib.sha256).digest()
            self.assertEqual(lower["webhook-signature"], "v1," + base64.b64encode(digest).decode())
        last = receiver.received[-1][1].decode()
        json.loads(last)
        self.assertIn("INC-1", last)

    def test_failure_on_the_last_one_rolls_all_back(self):
        lab, before = self.lab, self.configs()
        next_config(lab, NEW_POOL, web03=BAD_POOL)
        with lab.load(rate=300, via="web") as load, FloorWatch(lab, "be_web") as floor:
            run = self.rollout("apply", "web", code=ROLLED_BACK, fleet=fleet(lab, web={}))
            self.requests(100, load)
        self.assert_contains(run, "web03.*502", "INC-1")
        self.assertEqual(self.configs(), before)
        self.assertEqual(floor.lowest, 2)
        self.assert_all_in()
        for host in lab.hosts.values():
            self.assertEqual(host.get("/healthz/deep")[0], 200)

    def test_zone_key_change_is_a_restart(self):
        """nginx -t passes and a reload would silently keep the old configuration; the diff knows."""
        lab = self.lab
        for host in lab.hosts.values():
            host.write(UPSTREAM, ZONE % "$binary_remote_addr")
            host.systemctl("reload", "nginx")
        before = identities(lab, "nginx.service")
        next_config(lab, ZONE % "$http_x_customer")
        with lab.load(rate=300, via="web") as load:
            run = self.rollout("apply", "web", "--limit", "web01", code=OK, fleet=fleet(lab, web={}))
            self.requests(100, load)
        self.assert_contains(run, "class restart", "Service restarted")
        self.assertEqual(changed(before, identities(lab, "nginx.service")), ["web01"])
        self.assert_all_in()

    def test_port_taken_by_another_process(self):
        """nginx -t passes (it ignores a taken port); the reload fails, and only the error log says so."""
        lab, before = self.lab, self.configs()
        lab.host("web01").run("systemd-run", "--quiet", "--unit=holder", "python3", "-c", HOLDER)
        wait_until(lambda: "8088" in lab.host("web01").sh("ss -Hltn"), 10, "the port's holder")
        self.addCleanup(lab.host("web01").systemctl, "stop", "holder", check=False)
        next_config(lab, NEW_POOL + "server {\n    listen 8088;\n    return 200 ok;\n}\n")
        with lab.load(rate=300, via="web") as load:
            run = lab.hitless("apply", "web", "--limit", "web01", "--yes", "--progress", "plain", fleet=fleet(lab, web={}))
            self.requests(100, load)
        self.assertEqual(run.code, ROLLED_BACK, run)
        self.assert_contains(run, "Service reloaded", "not_applied: .*8088 failed .98: Address already in use")
        self.assertEqual(self.configs(), before)
        self.assert_all_in()

    def test_change_behind_a_link_is_seen(self):
        """Debian's sites-enabled holds links; what is installed is the file that they lead to."""
        lab, dest = self.lab, "/etc/nginx/sites-available/lab"
        site = lab.host("web01").read(dest)
        change = {"config": [{"source": os.path.join(lab.tmp, "next", "{host}.conf"), "dest": dest}]}
        for old, new, word in (("listen 80;", "listen 8081;", "class human-only"),
                               ('return 200 "ok', 'return 200 "fine', "class reload")):
            self.assertIn(old, site)
            next_config(lab, site.replace(old, new))
            run = lab.hitless("plan", "web", "--for", "apply", "--out", "-", fleet=fleet(lab, web=change))
            self.assertEqual(run.code, BLOCKED if word == "class human-only" else OK, run)
            self.assert_contains(run, word)

    def test_an_edit_by_hand_in_mid_rollout_is_not_lost(self):
        """Somebody edits the file after the checklist: not overwritten, and kept when the old one comes back."""
        lab, host = self.lab, self.lab.host("web01")
        next_config(lab, NEW_POOL)
        old = host.read(UPSTREAM)
        host.sh("chown root:www-data %s; chmod 640 %s" % (UPSTREAM, UPSTREAM))
        text = fleet(lab, web={"policy": {"drain": {"quiet": "3s"}}})
        run = self.start_rollout("apply", "web", "--limit", "web01", fleet=text)
        run.wait_for("web01 out of rotation")
        host.sh("echo '# by hand' >>" + UPSTREAM)
        run.wait(60)
        self.assertEqual(run.code, ROLLED_BACK, run)
        self.assert_contains(run, UPSTREAM + " was changed by somebody else since the checklist",
                             "what somebody else wrote to " + UPSTREAM + " meanwhile is kept as " + UPSTREAM)
        self.assertEqual(host.read(UPSTREAM), old)
        kept = host.sh("cat %s.backup-*-R-*" % UPSTREAM)
        self.assertEqual(kept.strip(), old.strip() + "\n# by hand")
        # The mode and owner of before, for the file and for its copies: others may not read them.
        about = host.sh("stat -c '%%a %%U:%%G' %s*" % UPSTREAM).split("\n")
        self.assertEqual(set(filter(None, about)), {"640 root:www-data"})
        self.assert_all_in()

    def test_a_link_is_no_destination(self):
        """Found before anything is touched, not when the instance is out of rotation already."""
        lab, dest = self.lab, "/etc/nginx/sites-enabled/lab"
        next_config(lab, lab.host("web01").read(dest).replace('return 200 "ok', 'return 200 "fine'))
        change = {"config": [{"source": os.path.join(lab.tmp, "next", "{host}.conf"), "dest": dest}]}
        run = self.rollout("apply", "web", code=BLOCKED, fleet=fleet(lab, web=change))
        self.assert_contains(run, "Destination: " + dest + " is not a regular file")
        change["config"][0]["dest"] = "/etc/nginx/no-such-folder/lab"
        run = self.rollout("apply", "web", code=BLOCKED, fleet=fleet(lab, web=change))
        self.assert_contains(run, "does not exist")
        self.assert_all_in()

    def test_saved_plan_runs_once_nothing_moved(self):
        lab = self.lab
        next_config(lab, NEW_POOL)
        text = fleet(lab, web={})
        path = lab.tmp + "/web.plan"
        plan = lab.hitless("plan", "web", "--for", "apply", "--limit", "web01", "--out", path, fleet=text)
        self.assertEqual(plan.code, OK, plan)
        for other in (["restart"], ["apply", "app"]):
            run = lab.hitless(*other, "--plan", path, "--yes", fleet=text)
            self.assertEqual(run.code, 64, run)
            self.assert_contains(run, "this is a plan to apply web")
        with lab.load(rate=300, via="web") as load:
            with self.subTest("configuration on a host moved"):
                lab.host("web01").write(UPSTREAM, UPSTREAM_MOVED)
                run = self.rollout("apply", "--plan", path, code=STALE, fleet=text)
                self.assert_contains(run, "web01")
                self.assertEqual(lab.host("web01").read(UPSTREAM), UPSTREAM_MOVED)
            lab.host("web01").write(UPSTREAM, self.configs()["web02"])
            with self.subTest("somebody took a server out"):
                for lb in lab.lbs.values():
                    lb.set_state("be_web", "web02", "maint")
                run = self.rollout("apply", "--plan", path, code=STALE, fleet=text)
                self.assert_contains(run, "web02")
                for lb in lab.lbs.values():
                    lb.set_state("be_web", "web02", "ready")
                    lb.wait_status("be_web", "web02", "UP")
            with self.subTest("the new file moved"):
                next_config(lab, NEW_POOL + "# other\n")
                run = self.rollout("apply", "--plan", path, code=STALE, fleet=text)
                self.assertEqual(lab.host("web01").read(UPSTREAM), self.configs()["web02"])
                next_config(lab, NEW_POOL)
            self.rollout("apply", "--plan", path, code=OK, fleet=text)
            self.requests(100, load)
        self.assertEqual([name for name, text in self.configs().items() if text == NEW_POOL], ["web01"])
        self.assert_all_in()


UPSTREAM_MOVED = "upstream app_pool {\n    server 127.0.0.1:8080 weight=2;\n}\n"

if __name__ == "__main__":
    unittest.main(verbosity=2)
