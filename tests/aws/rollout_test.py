#!/usr/bin/env python3
"""Rollouts over an ALB (the fake of AWS over a real HAProxy) and an HAProxy at once, under load: out means out of all,
nothing is lost, and a controller that is killed is picked up where it was. See tests/fakes/aws for what the fake is."""
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from world import HOSTS, IDS, Load, World, wait_until  # noqa: E402


class Rollout(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()

    def tearDown(self):
        self.world.__exit__()

    def assert_nothing_lost(self, load):
        summary = load.summary()
        self.assertEqual(summary["lost"], 0, summary)
        self.assertGreater(summary["sent"], 100)

    def test_mixed_restart_under_load_loses_nothing(self):
        world = self.world
        before = world.pids()
        world.aws.faults(drain_lag_s=0.8)  # the ALB goes on sending after it has said `draining`
        begun = time.time()
        with Load(world) as load:
            code, out = world.run("restart", "web", "--yes", "--progress", "plain")
            took = time.time() - begun
            self.assertEqual(code, 0, out)
            world.wait_registered()  # the same ids on the same ports
        self.assert_nothing_lost(load)
        self.assertTrue(all(a != b for a, b in zip(before, world.pids())), out)
        told = [(params["Targets.member.1.Id"], int(params["Targets.member.1.Port"]))
                for _, _, params in world.aws.calls("DeregisterTargets")]
        self.assertEqual(told, list(zip(IDS, world.ports)))
        asked = len([c for c in world.aws.calls("DescribeTargetHealth") if c[0] >= begun])
        self.assertLess(asked, took / 0.2 + 60, "one call for all targets, no more often than poll:")
        print(f"mixed rollout: {load.summary()['sent']} requests through ALB and HAProxy, "
              f"{load.summary()['lost']} lost, {len(HOSTS)} restarted in {took:.0f}s")

    def test_killed_in_the_drain_and_resumed(self):
        world = self.world
        with Load(world) as load:
            process = world.start("restart", "web", "--yes", "--progress", "plain")
            wait_until(lambda: world.aws.calls("DeregisterTargets"), "the first target leaves")
            process.send_signal(signal.SIGKILL)
            out, _ = process.communicate(timeout=60)
            wait_until(lambda: len(world.registered()) == 2, "AWS forgets the target altogether", 30)
            code, out = world.run("resume", "--progress", "plain")
            self.assertEqual(code, 0, out)
            world.wait_registered()
        self.assert_nothing_lost(load)
        code, out = world.run("audit", "verify")
        self.assertEqual(code, 0, out)

    def test_plan_check_and_doctor_tell_what_aws_is_like(self):
        world = self.world
        code, out = world.run("plan", "web", "--for", "restart")
        self.assertEqual(code, 0, out)
        self.assertIn("settles for 2s after deregistering", out)
        self.assertIn("`settle:` is shorter than the 20s", out)
        self.assertIn("the drain deadline is", out)
        self.assertIn("watchdog", out)
        code, out = world.run("check")
        self.assertEqual(code, 0, out)
        code, out = world.run("check", fleet=world.fleet().replace('"web-tg"', '"web-tgg"'))
        self.assertEqual(code, 78, out)
        self.assertIn("TargetGroupNotFound", out)
        self.assertEqual(world.aws.calls("DeregisterTargets"), [], "nothing was touched")
        code, out = world.run("doctor", "web")
        self.assertIn("web-tg @ alb", out)

    def test_a_foreign_deregistration_is_left_alone(self):
        """And the floor counts it: with 2 of 3 and floor 2 nothing may leave."""
        world = self.world
        arn = world.aws.group_arn()
        world.aws.faults(deregister=[arn, IDS[1], world.ports[1]])
        wait_until(lambda: len(world.registered()) == 2, "it is gone", 30)
        code, out = world.run("restart", "web", "--yes", "--progress", "plain")
        self.assertNotEqual(code, 0, out)
        self.assertEqual(world.aws.calls("DeregisterTargets"), [], out)
        self.assertEqual(world.aws.calls("RegisterTargets"), [], "it is not ours to put back")
        fleet = world.fleet(policy={"floor": 1}.items())
        code, out = world.run("restart", "web", "--yes", "--progress", "plain", fleet=fleet)
        self.assertEqual(code, 0, out)
        self.assertIn("someone else", out)
        self.assertNotIn((IDS[1], world.ports[1]), world.registered())


if __name__ == "__main__":
    unittest.main(verbosity=2)
