#!/usr/bin/env python3
"""Leases, fences and watchdog timers on a real systemd host behind two real HAProxy nodes: the tests LabHost of the
coordination and watchdog drivers, with a reboot of the host between their stages."""
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/tools"))
import labkit  # noqa: E402  (path first)

BUILD = pathlib.Path(os.environ.get("HITLESS_BIN", ROOT / "build/debug/hitless")).parent


class Guard(labkit.LabTest):
    hosts = 1

    def run_tests(self, program, pattern, service="t-reboot"):
        env = {"HITLESS_TEST_SSH_CONFIG": str(self.lab.ssh_config), "HITLESS_TEST_SERVICE": service,
               "HITLESS_TEST_LBS": " ".join("tcp:" + self.lab.lb(name).socket_tcp for name in ("lb-1", "lb-2"))}
        done = subprocess.run([str(BUILD / program), "--gtest_filter=" + pattern], env={**os.environ, **env},
                              capture_output=True, text=True, timeout=400, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])
        self.assertNotIn("SKIPPED", done.stdout)
        self.assertRegex(done.stdout, r"\[  PASSED  \] [1-9]")

    def reboot(self):
        host = self.lab.host("web01")
        host.kill()
        host.start()

    def test_claims(self):
        program = "hitless_adapters_coordination_tests"
        self.run_tests(program, "LabHost.TwoClaimants*", service="t-two")
        self.run_tests(program, "LabHost.Zombie*", service="t-zombie")
        self.run_tests(program, "LabHost.StageBeforeReboot")
        self.reboot()
        self.run_tests(program, "LabHost.StageAfterReboot")

    def test_watchdog(self):
        program = "hitless_adapters_watchdog_tests"
        self.run_tests(program, "LabHost.*-*Stage*")
        self.run_tests(program, "LabHost.StageBeforeReboot")
        self.reboot()
        self.run_tests(program, "LabHost.StageAfterReboot")


if __name__ == "__main__":
    unittest.main(verbosity=1)
