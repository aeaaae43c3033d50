"""The kinds of load balancer that the fake can be, each as far as hitless speaks with it, after their documentation."""
import json
import os
import re
import threading
import time
import urllib.parse


class Kind:
    def __init__(self, config, plane):
        self.config, self.plane, self.lock = config, plane, threading.RLock()
        self.names = list(config["members"])
        self.deaf = False
        self.healthy = {name: True for name in self.names}
        plane.pick = self.eligible
        self.reload(first=True)

    def address(self, name):
        return f"127.0.0.1:{self.config['members'][name]}"

    def eligible(self):
        raise NotImplementedError

    def step(self):
        """A moment of its own time."""

    def reload(self, first=False):
        """As its users reload it; first: its start."""

    def restart(self):
        self.reload()

    def deafen(self):
        self.deaf = True

    def checked(self, name, good):
        with self.lock:
            self.healthy[name] = good

    def handle(self, method, path, query, headers, body):
        """(status, what is answered as JSON or text)"""
        raise NotImplementedError


class Envoy(Kind):
    """Endpoints from a file that is read when another one is moved there; the admin interface."""

    def reload(self, first=False):  # a hot restart: the process of before goes on with what it has
        self.epoch = 0 if first else self.epoch + 1
        self.started, self.inode, self.hosts = time.time(), None, {}
        self.plane.forget_counts()
        self.step()

    def restart(self):
        self.reload(first=True)

    def step(self):
        try:
            inode = os.stat(self.config["file"]).st_ino
            if inode == self.inode:
                return
            self.inode = inode
            with open(self.config["file"], encoding="utf-8") as file:
                hosts = {}
                for resource in json.load(file)["resources"]:
                    for locality in resource["endpoints"]:
                        for host in locality["lb_endpoints"]:
                            at = host["endpoint"]["address"]["socket_address"]
                            hosts[f"{at['address']}:{at['port_value']}"] = host.get("health_status", "UNKNOWN")
            with self.lock:
                self.hosts = hosts
        except (OSError, ValueError, KeyError):
            pass  # an update that it rejects

    def works(self, name):
        return self.hosts.get(self.address(name)) in ("UNKNOWN", "HEALTHY", "DEGRADED") and self.healthy[name]

    def eligible(self):
        with self.lock:
            known = [name for name in self.names if self.address(name) in self.hosts]
            good = [name for name in known if self.works(name)]
            return known if len(good) * 100 < len(known) * 50 else good  # the panic threshold

    def stats_of(self, name):
        with self.plane.lock:
            c = self.plane.counts[name]
            values = {"cx_connect_fail": c.refused, "cx_total": c.total, "rq_error": c.bad, "rq_success": c.good,
                      "rq_timeout": 0, "rq_total": c.total}
            gauges = {"cx_active": c.active, "rq_active": c.active}
        # What is 0 is left out, as protobuf's JSON does it.
        made = [dict({"name": n}, **({"value": str(v)} if v else {})) for n, v in values.items()]
        return made + [dict({"type": "GAUGE", "name": n}, **({"value": str(v)} if v else {})) for n, v in gauges.items()]

    def host_status(self, name):
        health = {"eds_health_status": self.hosts[self.address(name)]}
        if not self.healthy[name]:
            health["failed_active_health_check"] = True
        return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.config["members"][name]}},
                "stats": self.stats_of(name), "health_status": health, "weight": 1, "locality": {}}

    def handle(self, method, path, query, headers, body):
        if method != "GET":
            return 400, "Method Not Allowed"
        if path == "/clusters" and query.get("format") == "json":
            with self.lock:
                hosts = [self.host_status(name) for name in self.names if self.address(name) in self.hosts]
            return 200, {"cluster_statuses": [{"name": "other"}, {"name": "web", "added_via_api": True,
                                                                  "host_statuses": hosts}]}
        if path == "/server_info":
            up = f"{int(time.time() - self.started)}s"
            return 200, {"version": "fake", "state": "LIVE", "uptime_current_epoch": up, "uptime_all_epochs": up,
                         "command_line_options": {"restart_epoch": self.epoch, "parent_shutdown_time": "900s"}}
        if path == "/stats" and query.get("format") == "json":
            with self.plane.lock:
                counts = list(self.plane.counts.values())
            all_stats = {"cluster.web.upstream_rq_total": sum(c.total for c in counts),
                         "cluster.web.upstream_rq_5xx": sum(c.bad for c in counts),
                         "cluster.web.upstream_cx_connect_fail": sum(c.refused for c in counts),
                         "cluster.web.health_check.attempt": 1, "cluster.other.upstream_rq_total": 7}
            wanted = re.compile(query.get("filter", ""))
            return 200, {"stats": [{"name": n, "value": v} for n, v in all_stats.items() if wanted.search(n)]}
        return 404, "invalid path"


class NginxPlus(Kind):
    """The REST API over one upstream with a zone and no state file: a reload forgets what was changed."""

    def reload(self, first=False):
        self.master, self.generation = (self.master, self.generation + 1) if not first else (os.getpid() + 1, 1)
        self.loaded, self.said = time.time(), {name: "up" for name in self.names}
        self.plane.forget_counts()

    def restart(self):
        self.master += 1
        self.generation = 0
        self.reload()

    def eligible(self):
        with self.lock:
            return [name for name in self.names if self.said[name] == "up" and self.healthy[name]]

    def unhide(self):
        self.config["sick_hides_drain"] = False

    def peer(self, number, name):
        with self.plane.lock:
            c = self.plane.counts[name]
            state = self.said[name]
            if state == "draining" and not self.healthy[name] and self.config.get("sick_hides_drain"):
                state = "up"
            return {"id": number, "server": self.address(name), "name": self.address(name), "backup": False, "weight": 1,
                    "state": "unhealthy" if state == "up" and not self.healthy[name] else state, "active": c.active,
                    "requests": c.total, "responses": {"2xx": c.good, "5xx": c.bad, "total": c.good + c.bad},
                    "fails": c.refused, "unavail": 0, "health_checks": {"checks": 9, "fails": 0, "unhealthy": 0}}

    @staticmethod
    def time_of(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".123Z"

    @staticmethod
    def no(status, code, text):
        return status, {"error": {"status": status, "text": text, "code": code}, "request_id": "r", "href": "https://nginx"}

    def handle(self, method, path, query, headers, body):
        if wanted := self.config.get("authorization"):
            if headers.get("Authorization") != wanted:
                return 401, "<html>401 Authorization Required</html>"
        with self.lock:
            if path == "/api/9/nginx" and method == "GET":
                return 200, {"version": "1.25.5", "build": "nginx-plus-fake", "generation": self.generation,
                             "load_timestamp": self.time_of(self.loaded), "timestamp": self.time_of(time.time()),
                             "pid": self.master + 1, "ppid": self.master}
            if path == "/api/9/http/upstreams/web" and method == "GET":
                return 200, {"peers": [self.peer(i, name) for i, name in enumerate(self.names)], "keepalive": 0,
                             "zombies": 0, "zone": "web"}
            found = re.fullmatch("/api/9/http/upstreams/web/servers/([0-9]+)", path)
            if not found or method != "PATCH":
                return self.no(404, "PathNotFound", "path not found") if not found else \
                    self.no(405, "MethodDisabled", "method disabled")
            if int(found[1]) >= len(self.names):
                return self.no(404, "UpstreamServerNotFound", "server not found")
            if headers.get("Content-Type") != "application/json":
                return self.no(415, "JsonError", "json error")
            name, said = self.names[int(found[1])], json.loads(body)
            if said.get("drain"):
                self.said[name] = "draining"
            elif "down" in said:
                self.said[name] = "down" if said["down"] else "up"
            return 200, {"id": int(found[1]), "server": self.address(name)}


class Traefik(Kind):
    """The file provider over a folder that is watched, and the API. It reads files as the tests write them."""

    def reload(self, first=False):
        self.seen, self.listed, self.pending_since = None, [], None
        self.take()

    def look(self):
        try:
            stat = os.stat(self.config["file"])
            return stat.st_ino, stat.st_mtime_ns
        except OSError:
            return None

    def take(self):
        self.seen = self.look()
        try:
            with open(self.config["file"], encoding="utf-8") as file:
                listed = re.findall(r'^ *- url: "([^"]*)"', file.read(), re.M)
            with self.lock:
                self.listed = listed
        except OSError:
            pass

    def step(self):  # changes are taken in a while after they came
        now = time.monotonic()
        if self.look() == self.seen:
            self.pending_since = None
        elif self.pending_since is None:
            self.pending_since = now
        elif now - self.pending_since > 0.1:
            self.take()

    def eligible(self):
        with self.lock:
            return [name for name in self.names if "http://" + self.address(name) in self.listed]

    def handle(self, method, path, query, headers, body):
        if path != "/api/http/services/web@file" or method != "GET":
            return 404, {"message": "service not found"}
        with self.lock:
            balancer = {"passHostHeader": True}
            if self.listed:
                balancer["servers"] = [{"url": url} for url in self.listed]
            return 200, {"loadBalancer": balancer, "status": "enabled", "serverStatus": {u: "UP" for u in self.listed},
                         "usedBy": ["web@file"], "name": "web@file", "provider": "file", "type": "loadbalancer"}


class Consul(Kind):
    """One agent with all registrations, the catalogue that hears of its checks a moment later, and one who looks up
    the passing instances now and then."""

    def reload(self, first=False):
        if first:  # maintenance outlives the agent
            self.reasons, self.told, self.given = {}, {name: True for name in self.names}, list(self.names)
            self.told_at = self.given_at = time.monotonic()

    def step(self):
        now = time.monotonic()
        with self.lock:
            if now - self.told_at > 0.1:
                self.told, self.told_at = {n: self.passing(n) for n in self.names}, now
            if now - self.given_at > 0.1:
                self.given, self.given_at = [n for n in self.names if self.told[n]], now

    def passing(self, name):
        return name not in self.reasons and self.healthy[name]

    def eligible(self):
        with self.lock:
            return list(self.given)

    def check(self, name):
        return {"Node": "n1", "CheckID": f"service:{name}", "Name": "http", "Notes": "", "ServiceID": name,
                "Status": "passing" if self.healthy[name] else "critical", "ServiceName": "web"}

    def maintenance(self, name):
        return {"Node": "n1", "CheckID": f"_service_maintenance:{name}", "Name": "Service Maintenance Mode",
                "Status": "critical", "Notes": self.reasons.get(name, ""), "ServiceID": name, "ServiceName": "web"}

    def handle(self, method, path, query, headers, body):
        if (token := self.config.get("token")) and headers.get("X-Consul-Token") != token:
            return 403, "Permission denied: token lacks permission"
        with self.lock:
            if path == "/v1/agent/self":
                return 200, {"Config": {"Datacenter": "dc1", "NodeName": "n1"}}
            if path == "/v1/agent/checks":
                checks = [self.check(n) for n in self.names] + [self.maintenance(n) for n in self.reasons]
                return 200, {c["CheckID"]: c for c in checks}
            if path == "/v1/health/service/web":
                return 200, [{"Node": {"Node": "n1"}, "Service": {"ID": n, "Service": "web"}, "Checks": [
                    {"CheckID": "serfHealth", "Status": "passing", "ServiceID": ""},
                    {"CheckID": f"service:{n}", "Status": "passing" if self.told[n] else "critical", "ServiceID": n}]}
                    for n in self.names]
            found = re.fullmatch("/v1/agent/service/maintenance/(.+)", path)
            if not found or method != "PUT":
                return 404, "not found"
            name = found[1]
            if name not in self.names:
                return 404, f'Unknown service ID "{name}"'
            if query.get("enable") == "true":
                self.reasons.setdefault(name, query.get("reason") or "Maintenance mode is enabled for this service")
            elif query.get("enable") == "false":
                self.reasons.pop(name, None)
            else:
                return 400, "Missing value for enable"
            return 200, ""


class Ipvs(Kind):
    """The kernel's table of one virtual service, told by `ipvsadm`, whose words come here."""
    PROTOCOLS = {"-t": "TCP ", "-f": "FWM "}
    METHODS = {"-g": "Route", "-i": "Tunnel", "-m": "Masq"}

    @property
    def service(self):
        return self.config.get("service", ["-t", "127.0.0.1:80"])

    def reload(self, first=False):
        if first:
            given = {"weight": 3, "forward": self.config.get("forward", "Masq"), "tunnel": self.config.get("tunnel", "ipip"),
                     "u": 0, "l": 0, **self.config.get("thresholds", {})}
            self.rows = {self.address(name): dict(given) for name in self.names}

    def restart(self):  # the director comes up anew, and its configuration with it
        self.reload(first=True)

    def eligible(self):
        with self.lock:
            return [name for name in self.names if self.rows[self.address(name)]["weight"] > 0]

    def table(self, more):
        title = {"": "Forward Weight ActiveConn InActConn", "--thresholds": "Uthreshold Lthreshold ActiveConn InActConn",
                 "--tun-info": "Forward TunnelInfo    Weight ActiveConn InActConn"}[more]
        text = (f"Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           {title}\n"
                f"{self.PROTOCOLS[self.service[0]]} {self.service[1]} wrr{self.config.get('flags', '')}\n")
        for name in self.names:
            at, row = self.address(name), self.rows[self.address(name)]
            with self.plane.lock:
                counts = f"{self.plane.counts[name].active:<10} {self.config.get('inactive', 0)}"
            tunnel = row["tunnel"] if row["forward"] == "Tunnel" else "n/a"
            columns = {"": f"{row['forward']:<7} {row['weight']:<6}", "--thresholds": f"{row['u']:<10} {row['l']:<10}",
                       "--tun-info": f"{row['forward']:<7} {tunnel:<13} {row['weight']:<6}"}[more]
            text += f"  -> {at:<28} {columns} {counts}\n"
        return text

    def edit(self, words):
        """As the true one: what is not said is set to its default, direct routing without thresholds."""
        row = {"weight": 1, "forward": "Route", "tunnel": "ipip", "u": 0, "l": 0}
        numbers, at = {"-w": "weight", "-x": "u", "-y": "l"}, None
        while words:
            word, *words = words
            if word in self.METHODS:
                row["forward"] = self.METHODS[word]
            elif word == "-r" and words:
                at, *words = words
            elif word in numbers and words and words[0].isdigit():
                row[numbers[word]], words = int(words[0]), words[1:]
            else:
                return 2, "", f"unknown word {word}"
        if at not in self.rows:
            return 255, "", "No such destination"
        self.rows[at] = row
        return 0, "", ""

    def run(self, words):
        with self.lock:
            if words[:1] == ["-Ln"]:
                more = words.pop(1) if words[1:2] in (["--thresholds"], ["--tun-info"]) else ""
                if words[1:] in ([], self.service):
                    return 0, self.table(more), ""
                return 255, "", "No such service"
            if words[0] == "-e" and words[1:3] == self.service:
                return self.edit(words[3:])
            return 2, "", f"unknown words {words}"

    def handle(self, method, path, query, headers, body):
        if path != "/ipvsadm" or method != "POST":
            return 404, "not found"
        code, out, err = self.run(body.split())
        return 200, f"{code}\n{out}{err}"


KINDS = {"envoy": Envoy, "nginx_plus": NginxPlus, "traefik": Traefik, "consul": Consul, "ipvs": Ipvs}


def query_of(path):
    parts = urllib.parse.urlsplit(path)
    return urllib.parse.unquote(parts.path), dict(urllib.parse.parse_qsl(parts.query))
