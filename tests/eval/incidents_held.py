"""Incidents where a rollback is wrong, or does not help."""
import signal
import socket
import threading
import time

from incident import *  # noqa: F403


# ---- no rollback, or none that helps ------------------------------------------------------------
STRAY = ("import socket,time\ns=socket.socket()\ns.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
         "while True:\n  try:\n    s.bind(('0.0.0.0',8080)); break\n  except OSError: time.sleep(0.002)\ns.listen()\ntime.sleep(600)\n")


@case(6, "port held by a stray pid", "hold out, page, don't kill")
def stray(world):
    host = world.lab.host("web01")
    host.run("systemd-run", "--quiet", "--unit=stray", "python3", "-c", STRAY)
    world.held_back.append(lambda: host.systemctl("stop", "stray", check=False))
    text = fleet(world.lab, app={"policy": SHORT})
    # web01 cannot tell any more what it has executed: no POST.
    world.under_load(lambda: world.start("restart", "app", fleet=text).wait(), mix="new=1,keep=1")
    world.exit_code(HUMAN)
    world.graded(text, "port_in_use", "8080 on web01", "hold_and_page")
    check(host.unit("stray.service")["ActiveState"] == "active", "the stray process was killed")
    world.touched("app.service", "web01")
    world.all_in(hosts=["web02", "web03"])
    world.nothing_lost()


@case(13, "shared database down", "no rollback; page the dependency")
def dependency_down(world):
    world.on_all(ENV, world.env(APP_DEPENDS=world.lab.dep.url))
    world.restart_all()
    text = fleet(world.lab, app={"dependencies": [dependency(world.lab)], "policy": dict(SHORT, verify={"grace": "2s", "deadline": "10s"})})

    def act():
        run = world.start("restart", "app", fleet=text)
        run.wait_for("Service restarted")
        world.lab.dep.stop()
        run.wait(60)
    world.held_back.append(world.lab.dep.start)
    # nginx answers these itself: all of be_app is down at the end, by no fault of the rollout.
    world.under_load(act, via="web", mix="new=1,keep=1")
    world.exit_code(HUMAN)
    world.graded(text, "dependency_down", "api-gateway", "page_dependency")
    world.touched("app.service", "web01")
    world.nothing_lost()


@case(16, "drain never ends", "deadline policy, no force")
def drain_never_ends(world):
    policy = {"policy": {"drain": {"deadline": "2s", "on_deadline": "abort"}}}
    text = fleet(world.lab, web=policy)

    def act():
        download = LongDownload(world.lab.lb("lb-2"), "web01")
        world.held_back.append(download.close)
        world.start("restart", "web", "--limit", "web01", fleet=text).wait()
        check(download.grows(), "the client was cut off")
    world.under_load(act, via="web")
    world.exit_code(ROLLED_BACK)
    world.graded(text, "drain_stuck", "nginx.service@web01", "hold_and_page")
    world.touched("nginx.service")
    world.all_in("be_web")
    world.nothing_lost()


@case(17, "LB still sends after drain", "abort before restart")
def still_sends(world):
    """A load balancer that nobody told hitless of has kept connections to web01."""
    address, ending = world.lab.host("web01").address, threading.Event()

    def send():
        while not ending.is_set():
            try:
                with socket.create_connection((address, 8080), 2) as link:
                    while not ending.wait(0.05):
                        link.sendall(b"GET /work HTTP/1.1\r\nHost: a\r\n\r\n")
                        if not link.recv(4096):
                            break
            except OSError:
                time.sleep(0.1)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(3)]
    for each in threads:
        each.start()
    try:
        text = fleet(world.lab, app={"policy": {"drain": {"deadline": "3s", "on_deadline": "abort"}}})
        world.rollout("restart", "app", "--limit", "web01", fleet=text)
    finally:
        ending.set()
        for each in threads:
            each.join(5)
    world.exit_code(ROLLED_BACK)
    world.graded(text, "lb_still_sends", "load balancer", "hold_and_page")
    world.touched("app.service")
    world.all_in()
    world.nothing_lost()


COUNTED = "[Service]\nExecStartPre=+/bin/sh -c 'echo start >>/var/lib/app/starts%s'\n"


@case(23, "controller killed mid-batch", "resume exactly once")
def controller_killed(world):
    world.on_all(DROP_IN, COUNTED % "")
    for host in world.lab.hosts.values():
        host.sh("systemctl daemon-reload")
    text = fleet(world.lab, app={})

    def act():
        run = world.start("restart", "app", fleet=text)
        run.wait_for("Service restarted")
        run.process.send_signal(signal.SIGKILL)
        run.wait(10)
        world.run = world.lab.hitless("resume", "--progress", "plain", fleet=text)
    world.under_load(act)
    world.exit_code(OK)
    world.no_incident()
    world.touched("app.service", "web01", "web02", "web03")
    for host in world.lab.hosts.values():
        check(host.read("/var/lib/app/starts") == "start\n", host.name + " was not restarted exactly once")
    world.all_in()
    world.nothing_lost()


@case(24, "host link lost mid-restart", "unknown: freeze, page")
def link_lost(world):
    host = world.lab.host("web01")
    host.write(DROP_IN, COUNTED % "; sleep 3")
    host.sh("systemctl daemon-reload")
    text = fleet(world.lab, app={"policy": {"verify": {"deadline": "6s", "grace": "2s"}}})

    def act():
        run = world.start("restart", "app", "--limit", "web01", fleet=text)
        wait_until(lambda: run.code is not None or host.sh("cat /var/lib/app/starts 2>/dev/null || true"), 40, "the restart", 0.1)
        host.freeze()
        world.held_back.append(host.thaw)
        run.wait(90)
    world.under_load(act, mix="new=1,keep=1")
    world.exit_code(HUMAN)
    world.graded(text, "host_lost", "web01", "hold_and_page")
    host.thaw()
    check(host.read("/var/lib/app/starts") == "start\n", "restarted again without knowing")
    world.all_in(hosts=["web02", "web03"])
    world.nothing_lost()


@case(27, "config change on A, B broke it", "blame B")
def somebody_else(world):
    """While nginx gets a good change, somebody installs a sick configuration of the app behind it, by hand."""
    host, sick = world.lab.host("web01"), world.env(APP_MODE="bad502")
    next_config(world.lab, NEW_POOL)
    text = fleet(world.lab, web={"policy": SHORT})

    def act():
        run = world.start("apply", "web", "--limit", "web01", fleet=text)
        run.wait_for("web01 out of rotation, waiting")
        host.write(ENV, sick)
        host.systemctl("restart", "app")
        run.wait(90)
    # nginx answers these itself: the app of web01 is out by its own health check.
    world.under_load(act, via="web", mix="new=1,keep=1")
    world.exit_code(HUMAN)
    world.graded(text, "change_elsewhere", ENV, "page_dependency")
    check(host.read(ENV) == sick, "somebody else's file was touched")
    world.touched("nginx.service")
    world.all_in("be_web", ["web02", "web03"])
    world.nothing_lost()


@case(30, "kill switch mid-rollout", "stop at a safe point")
def kill_switch(world):
    if world.lab.hitless("kill-switch", "status").code != OK:
        raise NotRun("this hitless has no kill switch")
    text = fleet(world.lab, app={})

    def act():
        run = world.start("restart", "app", fleet=text)
        run.wait_for("web01 out of rotation, waiting")
        check(world.lab.hitless("kill-switch", "engage", "--reason", "the evaluation").code == OK, "it cannot be engaged")
        run.wait(60)
    world.under_load(act)
    world.exit_code(ABORTED)
    world.graded(text, "kill_switch", "app", "stop_at_safe_point")
    world.touched("app.service", "web01")  # what was in work came back
    again = world.lab.hitless("restart", "app", "--yes", "--progress", "plain", fleet=text)
    check(again.code == BLOCKED, "another one began\n%s" % again)
    world.touched("app.service", "web01")
    world.all_in()
    world.no_incident()
    world.nothing_lost()
