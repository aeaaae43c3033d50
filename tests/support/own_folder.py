"""A test that runs hitless in a folder of its own: no environment, state or fleet file of whoever runs the test."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HITLESS = os.environ.get("HITLESS_BIN", str(ROOT / "build/release/hitless"))


class OwnFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.state = self.path / "state"

    def environment(self, **more):
        own = {name: value for name, value in os.environ.items() if not name.startswith(("HITLESS", "XDG"))}
        return {**own, "HITLESS_STATE_DIR": str(self.state), "LC_ALL": "C.UTF-8", **more}

    def fleet(self, text):
        (self.path / "hitless.yaml").write_text(text)

    def run_hitless(self, *argv, env=None, timeout=60):
        return subprocess.run([HITLESS, *argv], cwd=self.path, env=self.environment(**(env or {})), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout, check=False)
