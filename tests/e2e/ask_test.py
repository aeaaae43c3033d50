"""`hitless ask` with a person at the terminal: what was understood, the plan, the question, and only then the rollout."""
import os
import pty
import select
import subprocess
import sys
import time
import unittest

from support import *  # noqa: F403

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "llm"))

from fake_model import FakeModel  # noqa: E402


class AskTest(E2eTest):
    hosts = 2

    def at_terminal(self, words, answer, **env):
        """(exit code, all that was on the screen)."""
        folder = os.path.join(self.lab.tmp, "run")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "hitless.yaml"), "w") as file:
            file.write(fleet(self.lab, app={"policy": {"floor": 1}}))
        state = os.path.join(self.lab.tmp, "state")
        self.lab.state_dirs.add(state)
        ours, theirs = pty.openpty()
        run = subprocess.Popen([labkit.HITLESS, "ask", words, "--progress", "plain"], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
                               close_fds=True, start_new_session=True, env={**os.environ, "HITLESS_STATE_DIR": state, **env})
        os.close(theirs)
        seen, answered, end = b"", False, time.monotonic() + 120
        try:
            while time.monotonic() < end:
                if select.select([ours], [], [], 0.2)[0]:
                    try:
                        part = os.read(ours, 65536)
                    except OSError:  # the other side is closed
                        break
                    if not part:
                        break
                    seen += part
                if b"Go ahead?" in seen and not answered:
                    answered = True
                    self.before_answer = identities(self.lab, "app.service")
                    os.write(ours, answer.encode() + b"\n")
            return run.wait(30), seen.decode(errors="replace")
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()
            os.close(ours)

    def test_a_person_says_no_and_yes(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        words = "app on web01 leaks; restart it safely"
        code, screen = self.at_terminal(words, "n")
        self.assertEqual(code, ABORTED, screen)
        self.assertIn("hitless restart app --limit web01", screen)
        self.assertIn("Nothing was done.", screen)
        self.assertEqual(identities(lab, "app.service"), before)
        with lab.load(rate=200) as load:
            code, screen = self.at_terminal(words, "y")
            self.requests(50, load)
        self.assertEqual(code, OK, screen)
        self.assertEqual(self.before_answer, before)  # nothing before the answer
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web01"])
        self.assert_all_in()

    def test_what_a_model_read_is_confirmed_by_a_person(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        fake = FakeModel("good", {"intent": "restart", "service": "app", "hosts": ["web02"], "at_once": None})
        self.addCleanup(fake.close)
        model = {"HITLESS_MODEL_URL": fake.url, "HITLESS_MODEL": "fake-1"}
        words = "kindly give the second app a breath of fresh air"
        code, screen = self.at_terminal(words, "n", **model)
        self.assertEqual(code, ABORTED, screen)
        self.assertIn("fake-1 takes it for: restart app on web02", screen)
        self.assertEqual(identities(lab, "app.service"), before)
        with lab.load(rate=200) as load:
            code, screen = self.at_terminal(words, "y", **model)
            self.requests(50, load)
        self.assertEqual(code, OK, screen)
        self.assertEqual(self.before_answer, before)
        self.assertEqual(changed(before, identities(lab, "app.service")), ["web02"])
        self.assert_all_in()


if __name__ == "__main__":
    unittest.main(verbosity=2)
