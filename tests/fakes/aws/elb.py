"""ELBv2 as a state machine over the data plane: target groups, targets keyed by (Id, Port), their states and
timers, as the API reference and the reports of users describe them."""
import http.client
import threading
import time

from sigv4 import Refused

DEFAULTS = {
    "deregistration_delay.timeout_seconds": "300", "stickiness.enabled": "false", "slow_start.duration_seconds": "0",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off"}


class Target:
    def __init__(self, target_id, port, zone, slot, address):
        self.id, self.port, self.zone, self.slot, self.address = target_id, port, zone, slot, address
        self.state, self.reason = "initial", "Elb.RegistrationInProgress"
        self.since = time.monotonic()
        self.placed = self.drained = False


class Elb:
    def __init__(self, config, plane, faults):
        self.plane, self.faults, self.lock = plane, faults, threading.RLock()
        self.account, self.region = config["account"], config["region"]
        self.instances = {i["id"]: i for i in config["instances"]}
        self.balancers = {lb["name"]: dict(lb, arn=self.arn(f"loadbalancer/{lb['type'][:3]}/{lb['name']}/50dc6c49"))
                          for lb in config["load_balancers"]}
        self.groups = {}
        for group in config["target_groups"]:
            arn = self.arn(f"targetgroup/{group['name']}/6d0ecf83")
            attributes = dict(DEFAULTS, **group.get("attributes", {}))
            self.groups[arn] = dict(group, arn=arn, attributes=attributes, live={}, shown=[])
            for target in group.get("targets", []):
                zone = {"AvailabilityZone": target[2]} if len(target) > 2 else {}
                self.register(arn, [{"Id": target[0], "Port": str(target[1]), **zone}])

    def arn(self, rest):
        return f"arn:aws:elasticloadbalancing:{self.region}:{self.account}:{rest}"

    def group(self, arn):
        if arn not in self.groups:
            raise Refused("TargetGroupNotFound", f"Target groups '{arn}' not found", 400)
        return self.groups[arn]

    def key(self, group, target):
        target_id, port = target["Id"], int(target.get("Port") or group["port"])
        if group["type"] == "instance" and target_id not in self.instances:
            raise Refused("InvalidTarget", f"The following targets are not in the target group VPC: '{target_id}'", 400)
        return target_id, port

    def register(self, arn, targets):
        with self.lock:
            group = self.group(arn)
            for asked in targets:
                key = self.key(group, asked)
                known = group["live"].get(key)
                if known and known.state != "draining":
                    continue
                address = self.instances[key[0]]["ip"] if group["type"] == "instance" else key[0]
                used = {t.slot for t in group["live"].values()}
                slot = known.slot if known else next(n for n in range(1, 17) if n not in used)
                group["live"][key] = Target(*key, asked.get("AvailabilityZone", ""), slot, address)

    def deregister(self, arn, targets):
        with self.lock:
            group = self.group(arn)
            for asked in targets:
                key = asked["Id"], int(asked.get("Port") or group["port"])
                target = group["live"].get(key)
                if target and target.state != "draining":
                    target.state, target.reason = "draining", "Target.DeregistrationInProgress"
                    target.since, target.drained = time.monotonic(), False

    def health(self, arn, targets):
        with self.lock:
            group = self.group(arn)
            now = [(t.id, t.port, t.zone, t.state, t.reason) for t in group["live"].values()]
            if self.faults.take("stale_reads"):
                now = group["shown"] or now
            group["shown"] = now
            if not targets:
                return now
            by_key = {(row[0], row[1]): row for row in now}
            wanted = [(t["Id"], int(t.get("Port") or group["port"])) for t in targets]
            return [by_key.get(key, (*key, "", "unused", "Target.NotRegistered")) for key in wanted]

    def peek(self):
        with self.lock:
            return [(t.id, t.port, t.zone, t.state, t.reason) for t in next(iter(self.groups.values()))["live"].values()]

    def step(self, stat):
        """A moment of AWS's time: health checks are looked at, timers run out."""
        with self.lock:
            for group in self.groups.values():
                for key, target in list(group["live"].items()):
                    self._step_target(group, key, target, stat.get((group["name"], f"s{target.slot}"), {}))

    def _step_target(self, group, key, target, row):
        age = time.monotonic() - target.since
        if not target.placed:
            if target.state == "initial" and age >= self.faults.get("register_lag_s", 0):
                self.plane.place(group["name"], target.slot, target.address, target.port)
                target.placed, target.reason = True, "Elb.InitialHealthChecking"
            return
        if target.state == "initial":
            if not group.get("lb"):
                target.state, target.reason = "unused", "Target.NotInUse"
            elif self._passes(group, target):
                self.plane.ready(group["name"], target.slot)
                target.state, target.reason = "healthy", ""
        elif target.state in ("healthy", "unhealthy"):
            up = row.get("status", "").startswith("UP")
            target.state, target.reason = ("healthy", "") if up else ("unhealthy", "Target.FailedHealthChecks")
        elif target.state == "draining":
            if not target.drained:
                if age >= self.faults.get("drain_lag_s", 0):
                    self.plane.drain(group["name"], target.slot)
                    target.drained = True
            elif age >= float(group["attributes"]["deregistration_delay.timeout_seconds"]):
                self.plane.remove(group["name"], target.slot)
                del group["live"][key]

    def _passes(self, group, target):
        """The first check of a target that is new."""
        conn = http.client.HTTPConnection(target.address, target.port, timeout=1)
        try:
            conn.request("GET", group.get("health_path") or "/")
            return conn.getresponse().status == 200
        except OSError:
            return False
        finally:
            conn.close()
