#!/usr/bin/env python3
"""The host and service drivers against a real systemd host: the unit tests that need one (LabHost, Live), with a lab
of one host under them. ctest does not list those tests by themselves."""
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/tools"))
import labkit  # noqa: E402  (path first)

BUILD = pathlib.Path(os.environ.get("HITLESS_BIN", ROOT / "build/debug/hitless")).parent


class Drivers(labkit.LabTest):
    hosts = 1

    def run_tests(self, program, pattern, env):
        done = subprocess.run([str(BUILD / program), f"--gtest_filter={pattern}"], env={**os.environ, **env},
                              capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])
        self.assertNotIn("SKIPPED", done.stdout)
        self.assertRegex(done.stdout, r"\[  PASSED  \] [1-9]")

    def test_hosts_over_ssh_with_systemd(self):
        self.run_tests("hitless_adapters_host_tests", "LabHost.*",
                       {"HITLESS_TEST_SSH_CONFIG": str(self.lab.ssh_config)})

    def test_services_under_systemd(self):
        command = f"{ROOT / 'lab/lab'} -n {self.lab.name} exec web01 --"
        self.run_tests("hitless_adapters_service_tests", "Live.*", {"HITLESS_SERVICE_LAB": command})


if __name__ == "__main__":
    unittest.main(verbosity=1)
