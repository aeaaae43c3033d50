"""The zero-drop certificate as a user meets it: card, journal, report, notification."""
import base64
import json
import os
import unittest

from support import *  # noqa: F403

NOBODY = "no prober is configured"
# Leaves a connection whose server went before it had read: what a health check meets when an app is stopped.
CUT_OFF = """[Service]
ExecStop=+/usr/bin/python3 -c "import socket; s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); \
c.send(b'GET / HTTP/1.0'); s.accept()[0].close()"
"""


def with_prober(lab, notifications=(), prober=None, **services):
    """The fleet of the lab with a steady client through lb-1; `prober` changes it."""
    document = json.loads(fleet(lab, notifications=notifications, **services))
    document["prober"] = merged({"url": lab.lb("lb-1").app_url, "rate": 40, "paths": [{"path": "/work", "expect": "pid="}],
                                 "soak": "1s"}, prober or {})
    return json.dumps(document)


def rollout_id(run):
    return next(word for word in run.out.split() if word.startswith("R-"))


def content_of(attachment):
    content = attachment["content"]
    return base64.b64decode(content).decode() if attachment["encoding"] == "base64" else content


class CertificateTest(E2eTest):
    def certificate(self, rollout):
        return json.loads(self.journal("report", rollout, "--json"))

    def report(self, rollout):
        """The report, through the file that `report` writes; the kept one is the same."""
        path = os.path.join(self.lab.tmp, "report.html")
        self.journal("report", rollout, "--out", path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path) as file:
            html = file.read()
        self.assertEqual(html, self.journal("report", rollout, "--out", "-"))
        self.assertEqual(os.listdir(os.path.join(self.lab.tmp, "state", "reports")), [rollout + ".html"])
        return html

    def test_good_restart_is_confirmed(self):
        lab, receiver = self.lab, Receiver()
        self.addCleanup(receiver.close)
        text = with_prober(lab, [{"kind": "webhook", "name": "ops", "url": receiver.url}], app={}, prober={
            "mix": {"get_new": 2, "get_kept": 2, "post_new": 1, "post_kept": 1}, "post_path": "/order",
            "id_header": "X-Request-Id", "executions_url": "http://{address}:{port}/executions?prefix={prefix}"})
        run = self.rollout("restart", "app", code=OK, fleet=text)
        rollout = rollout_id(run)
        self.assertRegex(run.out, r"clients +[\d ]+ probes, 0 lost · confirmed")
        certificate = self.certificate(rollout)
        self.assertEqual((certificate["verdict"], certificate["lost"]), ("confirmed", 0), certificate)
        self.assertGreaterEqual(certificate["baseline"]["sent"], 20)
        sources = {row["source"] for row in certificate["counters"]}
        self.assertEqual(sources, {"be_app @ lb-1", "be_app @ lb-2", "web01", "web02", "web03"})
        html = self.report(rollout)
        for word in ("confirmed", "<svg", "app@web01", "draining", "be_app @ lb-1"):
            self.assertIn(word, html)
        self.assertNotIn("<script", html)
        body = json.loads(receiver.received[-1][1])["data"]
        self.assertIn({"name": "clients", "value": "confirmed"}, body["fields"])
        attached = {each["name"]: each for each in body["attachments"]}
        self.assertEqual(sorted(attached), sorted([rollout + "-audit.jsonl", rollout + ".html"]))
        self.assertEqual(content_of(attached[rollout + ".html"]), html)
        self.assertRegex(self.journal("show", rollout), r"0 lost · confirmed")

    def test_a_health_check_cut_off_by_the_stop_is_no_client(self):
        lab, host = self.lab, self.lab.host("web01")
        host.write("/etc/systemd/system/app.service.d/stop.conf", CUT_OFF)
        host.systemctl("daemon-reload")
        run = self.rollout("restart", "app", "--limit", "web01", code=OK, fleet=with_prober(lab, app={}))
        certificate = self.certificate(rollout_id(run))
        aborts = {row["source"]: row["rollout"] for row in certificate["counters"] if row["counter"] == "TCPAbortOnClose"}
        self.assertGreaterEqual(aborts["web01"], 1, certificate)
        self.assertEqual(certificate["verdict"], "confirmed", certificate)
        self.assertRegex(" ".join(certificate["remarks"]), r"web01: TCPAbortOnClose \+\d while app@web01 was out of rotation")

    def test_sick_program_is_refuted(self):
        """/healthz is 200, everything else 502: only live traffic shows it, so clients lose requests."""
        lab, receiver = self.lab, Receiver()
        self.addCleanup(receiver.close)
        old = lab.host("web01").read("/etc/app.env")
        lines = [line for line in old.splitlines() if not line.startswith("APP_MODE=")]
        next_config(lab, "\n".join(lines + ["APP_MODE=sick"]) + "\n")
        change = {"config": [{"source": os.path.join(lab.tmp, "next", "{host}.conf"), "dest": "/etc/app.env"}],
                  "policy": {"rejoin": {"soak": "2s"}}}
        text = with_prober(lab, [{"kind": "webhook", "name": "ops", "url": receiver.url}], app=change,
                           prober={"rate": 100})
        run = self.rollout("apply", "app", code=ROLLED_BACK, fleet=text)
        rollout = rollout_id(run)
        self.assertRegex(run.out, r"clients +[\d ]+ probes, \d+ lost · refuted: \d+ requests? lost")
        self.assertRegex(run.out, r"lost [\d:.]+Z http_5xx, .*app@web01")
        certificate = self.certificate(rollout)
        self.assertEqual(certificate["verdict"], "refuted")
        ours = [loss for loss in certificate["losses"] if loss["blame"] == "ours"]
        self.assertEqual(certificate["lost"], len(ours))
        self.assertEqual({loss["kind"] for loss in ours}, {"http_5xx"})
        self.assertEqual({where["instance"] for loss in ours for where in loss["where"]}, {"app@web01"})
        told = json.loads(receiver.received[-1][1])["data"]
        self.assertRegex(told["title"], r"clients: refuted: \d+ requests? lost")
        self.assertIn("refuted", self.report(rollout))
        self.assertIn("refuted", self.journal("incident", "INC-1"))

    def test_kill_behind_our_back_is_refuted(self):
        """Somebody kills the app of an instance in rotation, with requests in flight, while another one is in work."""
        lab = self.lab
        text = with_prober(lab, app={}, prober={"rate": 100, "paths": [{"path": "/work?ms=200"}]})
        run = self.start_rollout("restart", "app", "--limit", "web01", fleet=text)
        run.wait_for(r"web01 out of rotation")
        lab.host("web02").sh("systemctl kill -s KILL app")
        run.wait(120)
        certificate = self.certificate(rollout_id(run))
        self.assertEqual(certificate["verdict"], "refuted", run)
        self.assertGreater(certificate["lost"], 0)
        self.assertIn("%d lost" % certificate["lost"], run.out)

    def test_without_a_prober_nothing_is_known(self):
        run = self.rollout("restart", "app", "--limit", "web01", code=OK, fleet=fleet(self.lab, app={}))
        self.assertRegex(run.out, r"clients +unknown: " + NOBODY)
        self.assertIn(NOBODY, self.report(rollout_id(run)))
        self.assertEqual(self.lab.hitless("report", "--json").code, 1)

    def test_prober_that_does_not_start_is_unknown(self):
        text = with_prober(self.lab, app={}, prober={"url": "http://no-such-name.invalid/"})
        run = self.rollout("restart", "app", "--limit", "web01", code=OK, fleet=text)
        self.assertRegex(run.out, r"clients +unknown")
        self.assertRegex(run.out, "did not start|cannot resolve")

    def test_taken_over_says_what_nobody_watched(self):
        """Killed in mid-rollout; whoever goes on has seen only the rest."""
        lab = self.lab
        text = with_prober(lab, app={})
        run = self.start_rollout("restart", "app", fleet=text)
        run.wait_for(r"web01 out of rotation")
        run.kill()
        again = lab.hitless("resume", "--progress", "plain", fleet=text)
        self.assertEqual(again.code, OK, again)
        self.assertRegex(again.out, r"clients .*· unknown")
        self.assertIn("nobody watched from", again.out)
        self.assertEqual(self.certificate(rollout_id(again))["verdict"], "unknown")

    def test_json_ends_with_the_certificate(self):
        run = self.lab.hitless("restart", "app", "--limit", "web01", "--yes", "--json",
                               fleet=with_prober(self.lab, app={}))
        self.assertEqual(run.code, OK, run)
        last = json.loads(run.out.splitlines()[-1])
        self.assertEqual(last["certificate"]["verdict"], "confirmed", last)
        self.assertEqual(last["certificate"], self.certificate(last["rollout"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
