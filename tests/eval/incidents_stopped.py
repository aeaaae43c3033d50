"""Incidents where nothing may be touched: nothing is wrong, or it is stopped before the drain."""
import os

from incident import *  # noqa: F403


# ---- nothing is wrong ---------------------------------------------------------------------------
@case(1, "none, rolling restart", "complete, no incident")
def rolling_restart(world):
    text = fleet(world.lab, app={})
    world.rollout("ask", "restart app safely, one at a time", fleet=text)
    world.exit_code(OK)
    world.no_incident()
    world.touched("app.service", "web01", "web02", "web03")
    world.all_in()
    world.nothing_lost()


@case(2, "none, false alert", "healthy, no action")
def false_alert(world):
    text = fleet(world.lab, app={})
    world.under_load(lambda: world.start("ask", "is app slow on web01?", fleet=text).wait())
    world.exit_code(OK)
    check("in " in world.run.out, "no answer")
    check("No rollouts yet" in world.lab.hitless("history").err, "a rollout was made")
    world.touched("app.service")
    world.all_in()
    world.nothing_lost()


# ---- stopped before the drain -------------------------------------------------------------------
def blocked(world, text, service, category, component, recommended, backend="be_web"):
    before = {name: host.read(UPSTREAM) for name, host in world.lab.hosts.items()}
    world.rollout("apply", service, fleet=text, via="web")
    world.exit_code(BLOCKED)
    found = world.graded(text, category, component, recommended)
    check({name: host.read(UPSTREAM) for name, host in world.lab.hosts.items()} == before, "a file was changed")
    world.touched("nginx.service")
    world.all_in(backend)
    world.nothing_lost()
    return found


@case(3, "nginx syntax", "stop before drain")
def nginx_syntax(world):
    next_config(world.lab, "upstrem app_pool {\n    server 127.0.0.1:8080;\n}\n")
    blocked(world, fleet(world.lab, web={}), "web", "config_syntax", "10-upstream.conf", "stop_before_drain")


HAPROXY = """global
  maxconn 100
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend f
  bind :8443%s
  default_backend b
backend b
  server s 127.0.0.1:80
"""


@case(4, "HAProxy missing cert", "stop before drain")
def haproxy_certificate(world):
    world.on_all("/etc/haproxy/haproxy.cfg", HAPROXY % "")
    for host in world.lab.hosts.values():
        host.sh("systemctl restart haproxy")
        world.held_back.append(lambda h=host: h.systemctl("stop", "haproxy", check=False))
    next_config(world.lab, HAPROXY % " ssl crt /etc/haproxy/site.pem")
    text = fleet(world.lab, web={"kind": "haproxy", "unit": "haproxy.service", "health": {"http": "http://{address}:8443/healthz"},
                                 "config": [{"source": os.path.join(world.lab.tmp, "next", "{host}.conf"), "dest": "/etc/haproxy/haproxy.cfg"}]})
    blocked(world, text, "web", "config_missing_file", "/etc/haproxy/site.pem", "stop_before_drain")


@case(18, "peer already down", "deny: capacity")
def peer_down(world):
    world.lab.host("web03").systemctl("stop", "app")
    for lb in world.lab.lbs.values():
        lb.wait_status("be_app", "web03", "DOWN")
    world.before = {unit: identities(world.lab, unit) for unit in world.before}
    text = fleet(world.lab, app={"policy": {"capacity_wait": "1s"}})
    world.under_load(lambda: world.start("restart", "app", "--limit", "web01", fleet=text).wait(), mix="new=1,keep=1")
    world.exit_code(BLOCKED)
    world.graded(text, "capacity", "app", "deny")
    world.touched("app.service")
    world.all_in(hosts=["web01", "web02"])
    world.nothing_lost()


@case(19, "drift after approval", "stale")
def drift(world):
    next_config(world.lab, NEW_POOL)
    text, path = fleet(world.lab, web={}), world.lab.tmp + "/web.plan"
    plan = world.lab.hitless("plan", "web", "--for", "apply", "--out", path, fleet=text)
    check(plan.code == OK, str(plan))
    moved = "upstream app_pool {\n    server 127.0.0.1:8080 weight=2;\n}\n"
    world.lab.host("web02").write(UPSTREAM, moved)
    world.rollout("apply", "--plan", path, fleet=text, via="web")
    world.exit_code(STALE)
    check("web02" in world.run.err and "has moved" in world.run.err, "does not name what moved\n%s" % world.run)
    check(world.lab.host("web02").read(UPSTREAM) == moved, "the drift was overwritten")
    world.touched("nginx.service")
    world.all_in("be_web")
    world.nothing_lost()


@case(20, "disk full", "no restart, page")
def disk_full(world):
    host = world.lab.host("web01")
    host.sh("set -e; cp -a /etc/nginx/conf.d /tmp/conf.d; mount -t tmpfs -o size=64k none /etc/nginx/conf.d; "
            "cp -a /tmp/conf.d/. /etc/nginx/conf.d/; cat /dev/zero >/etc/nginx/conf.d/fill 2>/dev/null || true")
    world.held_back.append(lambda: host.sh("umount /etc/nginx/conf.d", check=False))
    next_config(world.lab, NEW_POOL + "# a longer file than there is room for\n" * 250)
    blocked(world, fleet(world.lab, web={}), "web", "disk_full", "web01", "stop_before_drain")


@case(22, "upstream DNS fails", "network; hold")
def dns(world):
    next_config(world.lab, "upstream app_pool {\n    server orders.invalid:8080;\n}\n")
    blocked(world, fleet(world.lab, web={}), "web", "name_resolution", "orders.invalid", "hold_and_page")
