#!/usr/bin/env python3
"""One rollout over Envoy, NGINX Plus, Traefik, Consul and IPVS at once, by their fakes, under load through each of them:
three real nginx are restarted one after the other, out means out of all, and nothing is lost. It shows that fleet file,
wiring and drivers fit together; what the real load balancers do beyond their fakes it cannot show."""
import json
import os
import pathlib
import subprocess
import sys
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "aws"))
import world as base  # noqa: E402
from world import HOSTS, ROOT, free_ports, wait_until  # noqa: E402

KINDS = ["envoy", "nginx_plus", "traefik", "consul"] + (["ipvs"] if os.geteuid() == 0 else [])  # ipvs keeps state in /run
IPVS_STATE = pathlib.Path("/run/hitless-ipvs/_t_127_0_0_1_80")


class Fake:
    def __init__(self, kind, folder, members, **more):
        config = pathlib.Path(folder, kind + ".json")
        config.write_text(json.dumps({"members": members, "checks": "/healthz", **more}), encoding="utf-8")
        self.process = subprocess.Popen([sys.executable, str(HERE / "lb_fake.py"), kind, str(config)],
                                        stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline().split()[1])}"
        self.front = f"http://127.0.0.1:{self.ask('/_fake')['front']}"

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def stop(self):
        self.process.kill()
        self.process.communicate()


class Load(base.Load):
    def __init__(self, fronts, folder):
        self.out = os.path.join(folder, "load.json")
        words = [word for front in fronts for word in ("--base", front)]
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/tools/loadclient.py"), *words, "--rate", "60", "--mix", "new=1",
             "--get-path", "/page", "--out", self.out], preexec_fn=base.die_with_parent)
        wait_until(lambda: self.summary().get("ok", 0) > 30, "the clients get answers")


class World(base.World):
    def __enter__(self):
        self.fakes = {}
        return super().__enter__()

    def _start(self, edge, alb):
        for host, port in zip(HOSTS, self.ports):
            home = pathlib.Path(self.folder, host)
            (home / "www").mkdir(parents=True)
            (home / "www" / "page").write_text("x" * 2_000, encoding="utf-8")
            (home / "nginx.conf").write_text(base.NGINX.format(home=home, port=port), encoding="utf-8")
            subprocess.run([self.script, "start", host], check=True, timeout=30)
        at = [("127.0.0.1", port) for port in self.ports]
        endpoints = [{"endpoint": {"address": {"socket_address": {"address": a, "port_value": p}}}} for a, p in at]
        self.eds, self.yml = os.path.join(self.folder, "eds.json"), os.path.join(self.folder, "web.yml")
        pathlib.Path(self.eds).write_text(json.dumps({"resources": [{
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "cluster_name": "web",
            "endpoints": [{"lb_endpoints": endpoints}]}]}), encoding="utf-8")
        servers = "".join(f'          - url: "http://{a}:{p}"\n' for a, p in at)
        self.before = f"http:\n  services:\n    web:\n      loadBalancer:\n        servers:\n{servers}"
        pathlib.Path(self.yml).write_text(self.before, encoding="utf-8")
        members = {"web-" + host: port for host, port in zip(HOSTS, self.ports)}
        for kind in KINDS:
            self.fakes[kind] = Fake(kind, self.folder, members, **{"envoy": {"file": self.eds}, "traefik": {"file": self.yml}}
                                    .get(kind, {}))
        if "ipvs" in self.fakes:
            self.ipvsadm = os.path.join(self.folder, "ipvsadm")
            pathlib.Path(self.ipvsadm).write_text(
                f"#!/bin/sh\nsaid=$(curl -q -sS -f --noproxy '*' -m 10 --data-binary \"$*\" {self.fakes['ipvs'].url}/ipvsadm) || "
                "exit 1\ncode=${said%%\"\n\"*}\n[ \"$said\" = \"$code\" ] || echo \"${said#*\"\n\"}\"\nexit \"$code\"\n",
                encoding="utf-8")
            os.chmod(self.ipvsadm, 0o755)
        for fake in self.fakes.values():
            wait_until(lambda f=fake: self._serves(f.front), f"{fake.front} serves")

    def __exit__(self, *error):
        for fake in self.fakes.values():
            fake.stop()
        super().__exit__(*error)
        for folder in (IPVS_STATE, IPVS_STATE.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def start(self, *args, fleet=None):
        path = os.path.join(self.folder, "hitless.yaml")
        pathlib.Path(path).write_text(fleet or self.fleet(), encoding="utf-8")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HITLESS", "XDG"))}
        env.update(HITLESS_STATE_DIR=os.path.join(self.folder, "state"), LC_ALL="C.UTF-8")
        return subprocess.Popen([base.HITLESS, *args], cwd=self.folder, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                preexec_fn=base.die_with_parent)

    def fleet(self, **_):
        node = {"name": "n1"}
        lbs = {"envoy": {"endpoints": self.eds, "nodes": [{**node, "url": self.fakes["envoy"].url}]},
               "nginx_plus": {"nodes": [{**node, "url": self.fakes["nginx_plus"].url + "/api/9"}]},
               "traefik": {"file": self.yml, "nodes": [{**node, "url": self.fakes["traefik"].url}]},
               "consul": {"settle": "1s", "url": self.fakes["consul"].url}}
        pools = {"envoy": {"cluster": "web"}, "nginx_plus": {"upstream": "web"}, "traefik": {"service": "web"},
                 "consul": {"service": "web", "service_id": "web-{host}"}}
        if "ipvs" in self.fakes:
            lbs["ipvs"] = {"binary": self.ipvsadm, "nodes": [node]}
            pools["ipvs"] = {"virtual_service": "tcp:127.0.0.1:80"}
        made = json.loads(super().fleet(pools=[{"lb": kind, **pool} for kind, pool in pools.items()]))
        made["load_balancers"] = {kind: {"kind": kind, **lb} for kind, lb in lbs.items()}
        return json.dumps(made, indent=1)


class Rollout(unittest.TestCase):
    def test_a_restart_over_all_kinds_at_once_loses_nothing(self):
        with World() as world:
            before = world.pids()
            with Load([fake.front for fake in world.fakes.values()], world.folder) as load:
                code, out = world.run("restart", "web", "--yes", "--progress", "plain")
                self.assertEqual(code, 0, out)
            summary = load.summary()
            self.assertEqual(summary["lost"], 0, summary)
            self.assertGreater(summary["sent"], 100)
            self.assertTrue(all(a != b for a, b in zip(before, world.pids())), out)
            self.assertEqual(pathlib.Path(world.yml).read_text(encoding="utf-8"), world.before, "as it was")
            self.assertNotIn("DRAINING", pathlib.Path(world.eds).read_text(encoding="utf-8"))
            code, out = world.run("audit", "verify")
            self.assertEqual(code, 0, out)
            print(f"rollout over {', '.join(KINDS)}: {summary['sent']} requests, {summary['lost']} lost, "
                  f"{len(HOSTS)} restarted")


if __name__ == "__main__":
    unittest.main(verbosity=2)
