"""Packages upgraded on hosts that are out of rotation, from an archive that the test makes: versions 1, 2 and a broken 3.

The package owns the app of the lab. The postinst script of version 2 restarts it by itself, as real packages do, without
asking anybody; version 3 dies at its start.
"""
import gzip
import hashlib
import os
import shutil
import subprocess
import unittest

from support import *  # noqa: F403

APP, CONFFILE = "/opt/app/app.py", "/etc/lab-app.conf"
BREAK = "raise SystemExit('version 3 is broken')\n"
POSTINST = "#!/bin/sh\nset -e\n[ \"$1\" != configure ] || systemctl restart app.service\n"


class PatchTest(E2eTest):
    def setUp(self):
        super().setUp()
        self.repository = os.path.join(self.lab.tmp, "archive")
        os.makedirs(self.repository)
        app = self.lab.host("web01").read(APP)
        self.build("1", app)
        self.publish()
        for host in self.lab.hosts.values():
            host.sh("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*; "
                    "echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list.d/lab.list; "
                    "dpkg -i /srv/archive/lab-app_1_all.deb >/dev/null; systemctl restart app; "
                    "echo 'edited = here' >" + CONFFILE)
            wait_until(lambda h=host: h.get("/healthz", 8080)[0] == 200, 10, "the app on " + host.name)
        wait_until(lambda: all(lb.in_rotation("be_app") == sorted(self.lab.hosts) for lb in self.lab.lbs.values()), 10, "all in")
        self.build("2", app + "# version 2\n", POSTINST)
        self.publish()

    def build(self, version, app, postinst=None):
        """One .deb of the app, made with dpkg-deb, in the archive here."""
        root = os.path.join(self.lab.tmp, "deb-" + version)
        files = {APP: app, CONFFILE: "default = %s\n" % version,
                 "/DEBIAN/conffiles": CONFFILE + "\n",
                 "/DEBIAN/control": "Package: lab-app\nVersion: %s\nArchitecture: all\nMaintainer: lab <lab@lab>\n"
                                    "Description: the app of the lab\n" % version}
        if postinst:
            files["/DEBIAN/postinst"] = postinst
        for path, text in files.items():
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            with open(root + path, "w") as file:
                file.write(text)
            os.chmod(root + path, 0o755 if path.endswith("postinst") else 0o644)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, self.repository], check=True, capture_output=True)

    def publish(self, *without):
        """The archive with its index onto every host, less the versions named; and `apt-get update` there."""
        text = ""
        for name in sorted(os.listdir(self.repository)):
            if not name.endswith(".deb") or any(name == "lab-app_%s_all.deb" % version for version in without):
                continue
            path = os.path.join(self.repository, name)
            control = subprocess.run(["dpkg-deb", "-f", path], check=True, capture_output=True, text=True).stdout
            with open(path, "rb") as file:
                data = file.read()
            text += "%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n" % (control, name, len(data), hashlib.sha256(data).hexdigest())
        for name, write in (("Packages", lambda f: f.write(text.encode())), ("Packages.gz", lambda f: f.write(gzip.compress(text.encode())))):
            with open(os.path.join(self.repository, name), "wb") as file:
                write(file)
        for name, host in self.lab.hosts.items():
            there = os.path.join(self.lab.state, "hosts", name, "root", "srv", "archive")
            shutil.rmtree(there, ignore_errors=True)
            shutil.copytree(self.repository, there)
            for version in without:
                os.remove(os.path.join(there, "lab-app_%s_all.deb" % version))
            if os.path.exists(os.path.join(os.path.dirname(there), "..", "etc", "apt", "sources.list.d", "lab.list")):
                host.sh("apt-get -q update 2>&1")

    def versions(self):
        return [host.run("dpkg-query", "-W", "-f", "${Version}", "lab-app").stdout for host in self.lab.hosts.values()]

    def text(self):
        return fleet(self.lab, app={}, web={})

    def test_upgrade_under_load(self):
        lab, text, before = self.lab, self.text(), identities(self.lab, "app.service")
        nginx = identities(lab, "nginx.service")
        plan = lab.hitless("plan", "app", "--for", "patch", fleet=text)
        self.assert_contains(plan, "lab-app 1 → 2", "the archive still has every old version")
        with lab.load(rate=200) as app, lab.load(rate=100, via="web") as web, FloorWatch(lab, "be_app") as floor:
            run = self.rollout("patch", "app", "--package", "lab-app", code=OK, fleet=text)
            self.requests(50, app)
            self.requests(50, web)
        self.assertEqual(self.versions(), ["2", "2", "2"])
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01", "web02", "web03"])
        self.assertEqual(changed(nginx, identities(lab, "nginx.service")), [])  # it does not need it
        self.assertEqual([host.read(CONFFILE) for host in lab.hosts.values()], ["edited = here\n"] * 3)
        self.assertEqual(floor.lowest, 2)
        self.assert_contains(run, "Installed: lab-app=2", "nothing runs what was replaced", "web: kept running")
        again = self.rollout("patch", "app", "--package", "lab-app", code=OK, fleet=text)
        self.assert_contains(again, "up to date")
        self.assert_all_in("be_web")

    def test_what_was_upgraded_by_others_is_restarted(self):
        """As unattended-upgrades leaves it: the new version on disk, the old one running. And a package that is held."""
        lab = self.lab
        self.build("2.1", lab.host("web01").read(APP) + "# version 2.1\n")  # restarts nothing
        self.publish()
        lab.host("web02").sh("dpkg -i /srv/archive/lab-app_2.1_all.deb >/dev/null; apt-mark hold lab-app >/dev/null")
        for name in ("web01", "web03"):
            lab.host(name).sh("apt-mark hold lab-app >/dev/null")
        # What needrestart alone knows, the real one: a script of an interpreter that was replaced, by no package.
        lab.host("web03").sh("mv /usr/sbin/needrestart.aside /usr/sbin/needrestart; "
                             "cp %s %s.new && mv %s.new %s" % (APP, APP, APP, APP))
        before = identities(lab, "app.service")
        plan = lab.hitless("plan", "app", "--for", "patch", "--out", "-", fleet=self.text())
        self.assert_contains(plan, "Held packages: lab-app")
        with lab.load(rate=200) as load:
            run = self.rollout("patch", "app", code=OK, fleet=self.text())
            self.requests(50, load)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web02", "web03"])
        self.assertEqual(self.versions(), ["1", "2.1", "1"])
        self.assert_contains(run, "was started before its package lab-app was upgraded", "app.service is named by needrestart")
        self.assertNotIn("outcome unknown", run.out)  # though it reloads systemd from within a unit of its own

    def test_broken_version_goes_back(self):
        lab = self.lab
        self.build("3", BREAK)
        self.publish()
        with lab.load(rate=200) as load, FloorWatch(lab, "be_app") as floor:
            run = self.rollout("patch", "app", "--package", "lab-app", code=ROLLED_BACK, fleet=self.text())
            self.requests(50, load)
        self.assertEqual(self.versions(), ["1", "1", "1"])
        self.assertEqual([host.read(CONFFILE) for host in lab.hosts.values()], ["edited = here\n"] * 3)
        self.assertEqual(floor.lowest, 2)
        self.assert_contains(run, "Going back to the old versions", "INC-1")
        self.assert_all_in()

    def test_no_way_back_stale_plan_and_a_broken_dpkg(self):
        lab, text, before = self.lab, self.text(), identities(self.lab, "app.service")
        lab.start_hitless("plan", "app", "--for", "patch", "--out", os.path.join(lab.tmp, "p"), fleet=text).wait()
        self.build("3", BREAK)
        self.publish()
        stale = self.rollout("patch", "--plan", os.path.join(lab.tmp, "p"), code=STALE, fleet=text)
        self.assert_contains(stale, "package lab-app: 1 → 2 -> 1 → 3")
        self.publish("1")
        blocked = self.rollout("patch", "app", code=BLOCKED, fleet=text)
        self.assert_contains(blocked, "no way back: neither the archive nor .* has lab-app 1")
        for host in lab.hosts.values():  # apt kept it: that is a way back too
            host.sh("mkdir -p /var/cache/apt/archives")
            shutil.copy(os.path.join(self.repository, "lab-app_1_all.deb"),
                        os.path.join(lab.state, "hosts", host.name, "root", "var/cache/apt/archives"))
        back = self.rollout("patch", "app", "--limit", "web01", code=ROLLED_BACK, fleet=text)
        self.assert_contains(back, "/var/cache/apt/archives/lab-app_1_all.deb")
        self.assertEqual(self.versions(), ["1", "1", "1"])
        lab.host("web02").sh("dpkg --unpack /srv/archive/lab-app_2_all.deb >/dev/null")
        broken = self.rollout("patch", "app", code=BLOCKED, fleet=text)
        self.assert_contains(broken, "dpkg: it was interrupted")
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01"])
        self.assert_all_in()


if __name__ == "__main__":
    unittest.main(verbosity=2)
