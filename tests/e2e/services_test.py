#!/usr/bin/env python3
"""Services other than nginx on real hosts: each daemon under Debian's own unit, and Apache behind the load balancers in
place of nginx, with a reload that ends the whole server."""
import os
import pathlib
import subprocess
import unittest

from support import *  # noqa: F403

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("HITLESS_BIN", ROOT / "build/debug/hitless")).parent

SITE = "/etc/apache2/conf-enabled/lab.conf"
GOOD = """\
Alias /healthz /srv/lab/ok
<Directory /srv/lab>
    Require all granted
</Directory>
Alias /generation /srv/lab/%s
"""
PREPARE = """
set -e
systemctl stop nginx
mkdir -p /srv/lab/deep; echo ok >/srv/lab/ok
echo 'Listen 80' >/etc/apache2/ports.conf
rm -f /etc/apache2/sites-enabled/*
cat >%s
systemctl start apache2
"""


class Services(E2eTest):
    backend = "be_web"
    hosts = 2

    def test_daemons_under_their_units(self):
        command = f"{ROOT / 'lab/lab'} -n {self.lab.name} exec web01 --"
        done = subprocess.run([str(BUILD / "hitless_adapters_service_tests"), "--gtest_filter=LiveDaemons.*"],
                              env={**os.environ, "HITLESS_SERVICE_LAB": command}, capture_output=True, text=True,
                              timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])
        self.assertNotIn("SKIPPED", done.stdout)
        self.assertIn("[  PASSED  ] 5 tests", done.stdout)

    def apache(self):
        """Apache takes the place of nginx on both hosts; the service `web` of the fleet file."""
        for host in self.lab.hosts.values():
            host.run("/bin/sh", "-c", PREPARE % SITE, stdin=GOOD % "one")
        for lb in self.lab.lbs.values():
            for name in self.lab.hosts:
                lb.wait_status("be_web", name, "UP")
        next_config(self.lab, GOOD % "one")
        return {"kind": "apache", "health": {"http": "http://{address}:{port}/healthz"},
                "config": [{"source": os.path.join(self.lab.tmp, "next", "{host}.conf"), "dest": SITE}],
                "policy": {"floor": 1}}

    def allow_only_what_is_printed(self, text):
        """`hitless doctor --sudoers` in place of NOPASSWD: ALL."""
        lines = self.lab.hitless("doctor", "--sudoers", fleet=text)
        self.assertEqual(lines.code, OK, lines)
        for host in self.lab.hosts.values():
            host.write("/etc/sudoers.d/deploy", lines.out, mode=0o440)
            host.run("visudo", "-cf", "/etc/sudoers.d/deploy")

    def test_apache_reloads_and_survives_a_reload_that_kills_it(self):
        lab, web = self.lab, self.apache()
        before = identities(lab, "apache2.service")
        next_config(lab, GOOD % "two")
        self.allow_only_what_is_printed(fleet(lab, web=web))
        with lab.load(rate=200, via="web", mix="new=1,keep=1", get_path="/healthz") as load:
            run = self.rollout("apply", "web", code=OK, fleet=fleet(lab, web=web))
            self.assert_contains(run, "class reload", "Service reloaded", "resumed normal operations",
                                 "a reload that fails ends it")
            self.assertEqual(changed(before, identities(lab, "apache2.service")), [])  # no parent was restarted

            # Passes `apachectl -t`; at the graceful restart the port of sshd cannot be bound, and Apache exits.
            next_config(lab, GOOD % "three" + "Listen 22\n")
            run = self.rollout("apply", "web", code=ROLLED_BACK, fleet=fleet(lab, web=web))
            self.requests(50, load)
        self.assert_contains(run, "ROLLED BACK", "(reload failed|down): ", "INC-1")
        after = identities(lab, "apache2.service")
        self.assertEqual(changed(before, after), ["web01"])  # the way back was a restart, there alone
        for host in lab.hosts.values():
            self.assertEqual(host.read(SITE), GOOD % "two")
            self.assertEqual(host.get("/healthz")[0], 200)
        self.assert_all_in()

    def test_an_edit_that_nobody_has_loaded_is_shown(self):
        lab, web = self.lab, self.apache()
        lab.host("web02").sh("sleep 0.3; echo '# a colleague was here' >>/etc/apache2/apache2.conf")
        run = self.rollout("reload", "web", code=OK, fleet=fleet(lab, web=web))
        self.assert_contains(run, "Pending edits", "/etc/apache2/apache2.conf")
        run = self.rollout("reload", "web", code=OK, fleet=fleet(lab, web=web))
        self.assertNotIn("Pending edits", run.out + run.err)


if __name__ == "__main__":
    unittest.main(verbosity=1)
