"""What `hitless doctor --sudoers` prints is enough for whole rollouts, and is not more than that."""
import os
import shlex
import unittest

from support import *  # noqa: F403

SUDOERS = "/etc/sudoers.d/deploy"


class SudoersTest(E2eTest):
    hosts = 2

    def setUp(self):
        super().setUp()
        lab = self.lab
        next_config(lab, NEW_POOL)
        self.app = {"config": [{"source": os.path.join(lab.tmp, "env"), "dest": "/etc/app.env"}]}
        with open(os.path.join(lab.tmp, "env"), "w") as file:
            file.write(lab.host("web01").read("/etc/app.env") + "APP_VERSION=next\n")
        policy = {"policy": {"floor": 1}}
        self.fleet = fleet(lab, app=merged(policy, self.app), web=policy)
        self.install(self.fleet)

    def install(self, text):
        """The printed lines in place of NOPASSWD: ALL."""
        lines = self.lab.hitless("doctor", "--sudoers", fleet=text)
        self.assertEqual(lines.code, OK, lines)
        for host in self.lab.hosts.values():
            host.write(SUDOERS, lines.out, mode=0o440)
            host.run("visudo", "-cf", SUDOERS)

    def sudo(self, *argv):
        return self.lab.host("web01").ssh("sudo -n -- " + " ".join(map(shlex.quote, argv)), check=False)

    def test_rollouts_need_no_more(self):
        lab = self.lab
        for verb, name, unit in (("restart", "app", "app"), ("restart", "web", "nginx"), ("apply", "app", "app")):
            before = identities(lab, unit + ".service")
            self.rollout(verb, name, code=OK, fleet=self.fleet)
            self.assertEqual(changed(before, identities(lab, unit + ".service")), sorted(lab.hosts), verb + " " + name)
        for verb in ("reload", "apply"):
            self.rollout(verb, "web", code=OK, fleet=self.fleet)
        for host in lab.hosts.values():
            self.assertEqual(host.read(UPSTREAM), NEW_POOL)
            self.assertIn("APP_VERSION=next", host.read("/etc/app.env"))
        doctor = lab.hitless("doctor", fleet=self.fleet)
        self.assertIn("works without a password", doctor.out)
        self.assertNotIn("sudo says no", doctor.out)

    def test_a_new_file_goes_away_again(self):
        """It passes `nginx -t`, but then the health check gets its 500: the rollback removes it."""
        lab, dest = self.lab, "/etc/nginx/conf.d/30-new.conf"
        next_config(lab, "", **{name: "server { listen 80; server_name %s; return 500; }\n" % host.address
                                for name, host in lab.hosts.items()})
        source = os.path.join(lab.tmp, "next", "{host}.conf")
        text = fleet(lab, web={"policy": {"floor": 1}, "config": [{"source": source, "dest": dest}]})
        self.install(text)
        run = self.rollout("apply", "web", code=ROLLED_BACK, fleet=text)
        self.assert_contains(run, "500")
        incident = self.journal("incident", "INC-1")
        self.assertIn("Diagnosis, by rules", incident)
        self.assertNotIn("not to be had", incident, "sudo does not allow to look at the failure")
        for host in lab.hosts.values():
            self.assertEqual(host.run("test", "-e", dest, check=False).returncode, 1)
        self.assert_all_in("be_web")

    def test_nothing_else_is_allowed(self):
        self.assertEqual(self.sudo("true").returncode, 0)
        self.assertEqual(self.sudo("head", "-c", "1", "--", UPSTREAM).returncode, 0)
        for argv in (
                ["cat", "/etc/shadow"], ["head", "-c", "99", "--", "/etc/shadow"], ["true", "x"], ["sh"], ["sh", "-c", "id"],
                ["head", "-c", "9", "--", "/etc/nginx/../shadow"], ["systemctl", "restart", "ssh.service"],
                ["systemd-run", "--unit=hitless-op-x", "sh", "-c", "id"], ["rm", "-f", "--", "/etc/shadow"],
                ["dd", "of=/etc/sudoers.d/.hitless-0123456789abcdef", "conv=excl,fsync", "bs=64k", "status=none"],
                ["mv", "-fT", "--", "/etc/.hitless-0123456789abcdef", "/etc/passwd"]):
            refused = self.sudo(*argv)
            self.assertNotEqual(refused.returncode, 0, argv)
            self.assertIn("password is required", refused.stderr, argv)


if __name__ == "__main__":
    unittest.main(verbosity=2)
