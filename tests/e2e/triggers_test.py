"""`hitless watch --triggers` on real hosts: what calls for a rollout is said, with its evidence and the command; where the
policy says so a leaking service is restarted, with no client noticing (more of that: tests/agent/triggers_test.py)."""
import json
import os
import time
import unittest

from support import *  # noqa: F403

RUN, DROP_IN = "/opt/app/run", "/etc/systemd/system/app.service.d/run.conf"
# Sixty MiB of its own, as a leak would have made them.
BIG = "#!/usr/bin/python3\nimport runpy\nkept = bytearray(b'x' * (60 << 20))\nrunpy.run_path('/opt/app/app.py', run_name='__main__')\n"
MIB = 1024


class TriggersTest(E2eTest):
    hosts = 2

    def look(self, text, code):
        run = self.lab.hitless("watch", "--triggers", "--once", "--json", fleet=text)
        self.assertEqual(run.code, code, run)
        lines = [json.loads(line) for line in run.out.splitlines()]
        self.words = {line["step"]: line for line in lines if "case" in line}
        return [line for line in lines if "trigger" in line]

    def test_drift_and_a_leak_are_proposed(self):
        lab = self.lab
        next_config(lab, NEW_POOL)
        for host in lab.hosts.values():
            host.write(UPSTREAM, NEW_POOL)
            host.systemctl("reload", "nginx")
        text = fleet(lab, web={"policy": {"floor": 1}}, app={"policy": {"floor": 1}})
        before = {unit: identities(lab, unit) for unit in ("app.service", "nginx.service")}
        self.assertEqual(self.look(text, OK), [])

        with self.subTest("drift"):
            lab.host("web02").write(UPSTREAM, NEW_POOL + "# by hand\n")
            found = self.look(text, 2)
            self.assertEqual([(each["trigger"], each["instance"], each["command"]) for each in found],
                             [("drift", "web@web02", "hitless apply web --limit web02")])
            lab.host("web02").write(UPSTREAM, NEW_POOL)
            self.assertEqual(self.look(text, OK), [])
        self.assertEqual({unit: identities(lab, unit) for unit in before}, before)

        with self.subTest("a leak"):
            host = lab.host("web01")
            host.write(RUN, BIG, 0o755)
            host.write(DROP_IN, "[Service]\nExecStart=\nExecStart=%s\n" % RUN)
            host.sh("systemctl daemon-reload; systemctl restart app")
            wait_until(lambda: host.get("/healthz", 8080)[0] == 200, 15, "the app")
            self.wait_in()
            # What earlier looks of this process saw: a sample a minute, growing to what it has now.
            now, invocation = int(time.time() * 1000), host.unit("app.service")["InvocationID"]
            samples = " ".join("%d:%d" % (now - minute * 60_000, (66 - minute) * MIB) for minute in range(40, 0, -1))
            with open(os.path.join(lab.tmp, "state", "memory-histories"), "w") as file:
                file.write("app@web01 %s %s\n" % (invocation, samples))
            before = {unit: identities(lab, unit) for unit in before}
            found = self.look(text, 2)
            self.assertEqual([(each["trigger"], each["instance"], each["command"]) for each in found],
                             [("memory_growth", "app@web01", "hitless restart app --limit web01")])
            self.assertRegex(found[0]["evidence"], r"grows by \d+\.\d MiB an hour: .*41 samples")
            self.assertEqual(list(self.words), ["waits"], "the policy says nothing: an approval is wanted")
            self.assertIn("No rollouts yet", lab.hitless("history").err)
        with self.subTest("and is mended, where the policy says auto"):
            auto = {"policy": {"floor": 1, "autonomy": {"default": "auto"}, "actions_per_hour": 1}}
            text = fleet(lab, web={"policy": {"floor": 1}}, app=auto)
            with lab.load(rate=200) as load, FloorWatch(lab, "be_app") as floor:
                load.wait_sent(100)
                self.assertEqual(len(self.look(text, OK)), 1)
                self.requests(100, load)
            self.assertEqual(self.words["ended"]["result"], "succeeded", self.words)
            self.assertEqual(floor.lowest, 1)
            self.assertEqual(changed(before["app.service"], identities(lab, "app.service")), ["web01"])
            self.assertRegex(self.journal("audit", "export"), r"agent trigger memory_growth for \w+@")
            self.assertEqual(self.look(text, OK), [], "a new process starts anew")
        self.assertEqual(changed(before["nginx.service"], identities(lab, "nginx.service")), [])

    def wait_in(self):
        for lb in self.lab.lbs.values():
            wait_until(lambda n=lb: n.in_rotation("be_app") == sorted(self.lab.hosts), 10, "all in on " + lb.name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
