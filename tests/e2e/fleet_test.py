"""A whole fleet: six hosts restarted under 300 requests a second, two at a time."""
import unittest

from support import *  # noqa: F403


class FleetTest(E2eTest):
    hosts = 6

    def test_rolling_restart_loses_nothing(self):
        lab, before = self.lab, identities(self.lab, "app.service")
        policy = {"policy": {"floor": 4, "at_once": 2}}
        with lab.load(rate=300) as load, FloorWatch(lab, "be_app") as floor:
            self.rollout("restart", "app", code=OK, fleet=fleet(lab, app=policy))
            self.requests(300, load)
        self.assertEqual(changed(before, identities(lab, "app.service")), sorted(lab.hosts))
        self.assertGreaterEqual(floor.lowest, 4)
        self.assertLess(floor.lowest, 6)  # it did look
        self.assertGreater(load.summary["by_kind"]["post"], 100)
        self.assert_all_in()


if __name__ == "__main__":
    unittest.main(verbosity=2)
