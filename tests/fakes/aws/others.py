"""STS, EC2's DescribeInstances, CloudWatch's GetMetricData, the instance metadata service and a container's
credentials endpoint, as far as hitless speaks with them."""
import calendar
import json
import secrets
import time

from sigv4 import Refused


def iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Keys:
    """Access keys by id; roles give out temporary ones."""

    def __init__(self, config):
        self.known = {key: {"secret": secret} for key, secret in config["keys"].items()}
        self.roles, self.lifetime_s = config.get("roles", []), 3600

    def temporary(self):
        key, value = "ASIA" + secrets.token_hex(8).upper(), {
            "secret": secrets.token_urlsafe(30), "token": "FwoG" + secrets.token_urlsafe(60),
            "expires": time.time() + self.lifetime_s}
        self.known[key] = value
        return key, value

    def as_json(self, token_name="Token"):
        key, value = self.temporary()
        return json.dumps({"Code": "Success", "AccessKeyId": key, "SecretAccessKey": value["secret"],
                           token_name: value["token"], "Expiration": iso(value["expires"])})

    def assume(self, role_arn, session):
        if role_arn not in self.roles:
            raise Refused("AccessDenied", f"not authorized to perform: sts:AssumeRole on resource: {role_arn}")
        key, value = self.temporary()
        return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": value["secret"],
                                "SessionToken": value["token"], "Expiration": iso(value["expires"])},
                "AssumedRoleUser": {"AssumedRoleId": "AROA:" + session, "Arn": role_arn + "/" + session}}


def describe_instances(instances, params):
    filters, n = {}, 1
    while f"Filter.{n}.Name" in params:
        values, m = [], 1
        while f"Filter.{n}.Value.{m}" in params:
            values.append(params[f"Filter.{n}.Value.{m}"])
            m += 1
        filters[params[f"Filter.{n}.Name"]] = values
        n += 1
    rows = []
    for each in instances.values():
        facts = {"network-interface.addresses.private-ip-address": each["ip"], "private-ip-address": each["ip"],
                 "instance-id": each["id"],
                 "instance-state-name": each.get("state", "running"), "tag:Name": each.get("name", "")}
        facts.update({"tag:" + k: v for k, v in each.get("tags", {}).items()})
        unknown = [f for f in filters if f not in facts and not f.startswith("tag:")]
        if unknown:
            raise Refused("InvalidParameterValue", f"The filter '{unknown[0]}' is invalid", 400)
        if all(facts.get(name) in wanted for name, wanted in filters.items()):
            rows.append(each)
    return {"reservationSet": [{"instancesSet": [{
        "instanceId": i["id"], "instanceState": {"code": "16", "name": i.get("state", "running")},
        "privateIpAddress": i["ip"],
        "networkInterfaceSet": [{"privateIpAddressesSet": [{"privateIpAddress": i["ip"]}]}],
        "tagSet": [{"key": k, "value": v} for k, v in
                   dict(i.get("tags", {}), Name=i.get("name", "")).items()]}]} for i in rows]}


class CloudWatch:
    """Sums per period, from the data plane's own counters; what is zero is left out, the last period comes late."""

    def __init__(self, period_s=60, lag_s=60):
        self.period_s, self.lag_s = period_s, lag_s
        self.before, self.sums = {}, {}

    def step(self, stat, groups):
        now = int(time.time() // self.period_s * self.period_s)
        for group in groups:
            total = stat.get((group["name"], "BACKEND"), {})
            servers = [row for (be, sv), row in stat.items() if be == group["name"] and sv not in ("BACKEND",)]
            seen = {"RequestCount": int(total.get("stot") or 0),
                    "NewFlowCount": int(total.get("stot") or 0),
                    "HTTPCode_Target_5XX_Count": sum(int(r.get("hrsp_5xx") or 0) for r in servers),
                    "TargetConnectionErrorCount": int(total.get("econ") or 0),
                    "TCP_Target_Reset_Count": int(total.get("srv_abrt") or 0)}
            seen["HTTPCode_ELB_5XX_Count"] = max(0, int(total.get("hrsp_5xx") or 0) -
                                                 seen["HTTPCode_Target_5XX_Count"])
            for metric, value in seen.items():
                key = metric, group["name"]
                rise = value - self.before.get(key, value)
                self.before[key] = value
                if rise > 0:
                    bucket = self.sums.setdefault(key, {})
                    bucket[now] = bucket.get(now, 0) + rise

    def answer(self, params, groups, faults):
        start, end = (calendar.timegm(time.strptime(params[k], "%Y-%m-%dT%H:%M:%SZ")) for k in ("StartTime", "EndTime"))
        known, results, n = time.time() - self.lag_s, [], 1
        while f"MetricDataQueries.member.{n}.Id" in params:
            prefix = f"MetricDataQueries.member.{n}."
            metric = params[prefix + "MetricStat.Metric.MetricName"]
            names, m = set(), 1
            while f"{prefix}MetricStat.Metric.Dimensions.member.{m}.Name" in params:
                value = params[f"{prefix}MetricStat.Metric.Dimensions.member.{m}.Value"]
                names.add(value.split("/")[1] if value.startswith("targetgroup/") else value.split("/")[1])
                m += 1
            mine = [g["name"] for g in groups if g["name"] in names or
                    (g.get("lb") in names and not any(other["name"] in names for other in groups))]
            sums = {}
            for name in mine:
                for at, value in self.sums.get((metric, name), {}).items():
                    if start <= at < end and at + self.period_s <= known:
                        sums[at] = sums.get(at, 0) + value
            times = sorted(sums)
            status = "PartialData" if faults.take("partial_metrics") else "Complete"
            results.append({"Id": params[prefix + "Id"], "Label": metric, "Timestamps": [iso(t) for t in times],
                            "Values": [f"{sums[t]:.1f}" for t in times], "StatusCode": status})
            n += 1
        return {"MetricDataResults": results, "Messages": []}
