#!/usr/bin/env python3
"""A PostgreSQL behind PgBouncer is restarted and reloaded under pgbench: no transaction may fail. Real programs on
loopback, under the user `postgres` when the test is root; the system's own cluster is never touched."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HITLESS = os.environ.get("HITLESS_BIN", str(ROOT / "build/release/hitless"))
BIN = "/usr/lib/postgresql/15/bin/"
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.geteuid() == 0 else []
MAX_PAUSE_S = 12
DRAIN_S = 4
SLOW_MACHINE_S = 20  # what a busy machine may add to anything

# Ends everything when this test ends, however it does: reads until the other end of its stdin is gone.
WATCHER = """
trap '' INT TERM HUP
read -r never
dir=$1 bin=$2
shift 2
pid=$(cat "$dir/pgbouncer.pid" 2>/dev/null) && kill -TERM "$pid"
"$@" "$bin/pg_ctl" -D "$dir/data" -s -m immediate stop
for i in 1 2 3 4 5 6 7 8 9; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
rm -rf -- "$dir"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, timeout_s=SLOW_MACHINE_S):
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("gave up waiting for " + what)
        time.sleep(0.02)
    return value


class World:
    """One PostgreSQL, one PgBouncer with the database `app` (transaction pooling), and a fleet file."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hitless-pg-"))
        os.chmod(self.dir, 0o755)
        self.port, self.bouncer_port = free_port(), free_port()
        for port in (self.port, self.bouncer_port):
            assert port, "no port"
        if AS_POSTGRES:
            shutil.chown(self.dir, "postgres", "postgres")
        self.watcher = subprocess.Popen(["sh", "-c", WATCHER, "sh", str(self.dir), BIN, *AS_POSTGRES], stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.run([*AS_POSTGRES, BIN + "initdb", "-D", self.dir / "data", "-A", "trust", "-U", "postgres", "--no-sync"])
        with open(self.dir / "data/postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("\nlisten_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\nfsync = off\n"
                       "max_connections = 40\nshared_buffers = 16MB\n" % (self.port, self.dir))
        shutil.copyfile(self.dir / "data/postgresql.conf", self.dir / "next.conf")
        self.run([*AS_POSTGRES, BIN + "pg_ctl", "-D", self.dir / "data", "-s", "-w", "-l", self.dir / "log", "start"])
        self.run([BIN + "pgbench", "-i", "-q", "-s", "1", "-h", self.dir, "-p", str(self.port), "-U", "postgres", "postgres"])
        (self.dir / "pgbouncer.ini").write_text(
            "[databases]\napp = host=127.0.0.1 port=%d dbname=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            "listen_port = %d\nunix_socket_dir = %s\nauth_type = trust\nauth_file = %s\nadmin_users = hitless\n"
            "pool_mode = transaction\nserver_login_retry = 1\ndefault_pool_size = 10\nlogfile = %s\npidfile = %s\nignore_startup_parameters = "
            "extra_float_digits\n" % (self.port, self.bouncer_port, self.dir, self.dir / "users", self.dir / "pgbouncer.log",
                                      self.dir / "pgbouncer.pid"), encoding="utf-8")
        (self.dir / "users").write_text('"hitless" "secret"\n"postgres" ""\n', encoding="utf-8")
        if AS_POSTGRES:
            for name in ("pgbouncer.ini", "users"):
                shutil.chown(self.dir / name, "postgres", "postgres")
        self.run([*AS_POSTGRES, "pgbouncer", "-q", "-d", self.dir / "pgbouncer.ini"])
        wait_until(lambda: self.query("select 1").returncode == 0, "PgBouncer")

    @staticmethod
    def run(argv):
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=120, check=False)
        if done.returncode:
            raise AssertionError("%s\n%s%s" % (argv, done.stdout, done.stderr))
        return done.stdout

    def close(self):
        self.watcher.stdin.close()
        self.watcher.wait(60)

    def psql(self, sql, port=None, database="app", user="postgres"):
        return [BIN + "psql", "-X", "-w", "-At", "-h", str(self.dir), "-p", str(port or self.bouncer_port), "-U", user,
                "-d", database, "-c", sql]

    def query(self, sql, **how):
        return subprocess.run(self.psql(sql, **how), capture_output=True, text=True, timeout=120, check=False)

    def start_query(self, sql):
        return subprocess.Popen(self.psql(sql), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def paused(self):
        rows = self.query("SHOW DATABASES", database="pgbouncer", user="hitless").stdout.splitlines()
        return [row.split("|")[11] for row in rows if row.startswith("app|")] == ["1"]

    def active(self):
        rows = self.query("SHOW POOLS", database="pgbouncer", user="hitless").stdout.splitlines()
        return sum(int(row.split("|")[6]) for row in rows if row.startswith("app|"))

    def postmaster(self):
        return (self.dir / "data/postmaster.pid").read_text(encoding="utf-8").split()[0]

    def fleet(self, **policy):
        service = {
            "kind": "postgresql", "hosts": ["db01"], "port": self.port,
            "pools": [{"lb": "bouncer", "database": "app"}],
            "postgresql": {"data_dir": str(self.dir / "data"), "log_file": str(self.dir / "log"),
                           "main_config": str(self.dir / "data/postgresql.conf"), "socket_dir": str(self.dir)},
            "config": [{"source": str(self.dir / "next.conf"), "dest": str(self.dir / "data/postgresql.conf")}],
            "health": {"command": [BIN + "pg_isready", "-q", "-h", str(self.dir), "-p", str(self.port)],
                       "interval": "100ms", "timeout": "5s", "rise": 1},
            "policy": {"floor": 0, "drain": {"deadline": "%ds" % DRAIN_S, "quiet": "100ms"},
                       "verify": {"stability": "300ms", "deadline": "40s", "samples": 3, "compare_latency": False},
                       "rejoin": {"traffic_wait": "2s", "soak": "300ms"}, **policy},
        }
        bouncer = {"kind": "pgbouncer", "user": "hitless", "password": "${env:PGB_PASSWORD}", "max_pause": "%ds" % MAX_PAUSE_S,
                   "nodes": [{"name": "pgb-1", "socket": "unix:%s/.s.PGSQL.%d" % (self.dir, self.bouncer_port), "host": "db01"}]}
        return json.dumps({"version": 1, "hosts": {"db01": {"address": "127.0.0.1", "connect": "local"}},
                           "load_balancers": {"bouncer": bouncer}, "services": {"db": service}})

    def hitless(self, *args):
        state = self.dir / "state"
        if not state.exists():
            state.mkdir(mode=0o700)
        (self.dir / "hitless.yaml").write_text(self.fleet(), encoding="utf-8")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HITLESS", "XDG"))}
        env.update(HITLESS_STATE_DIR=str(state), HITLESS_FLEET=str(self.dir / "hitless.yaml"), LC_ALL="C.UTF-8",
                   PGB_PASSWORD="secret")
        return subprocess.Popen([HITLESS, *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)


class Bench:
    """pgbench through PgBouncer: each transaction has one try, and its latency is logged."""

    def __init__(self, world, seconds):
        self.world, self.prefix = world, str(world.dir / ("bench-%d" % time.monotonic_ns()))
        self.process = subprocess.Popen(
            [BIN + "pgbench", "-n", "-c", "6", "-j", "1", "-R", "150", "-T", str(seconds), "--max-tries=1", "-l", "--log-prefix",
             self.prefix, "-h", "127.0.0.1", "-p", str(world.bouncer_port), "-U", "postgres", "app"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=world.dir)
        wait_until(lambda: self.lines(), "the first transaction")

    def lines(self):
        return [line for path in self.world.dir.glob(os.path.basename(self.prefix) + ".*") for line in path.read_text().splitlines()]

    def still_runs(self):
        return self.process.poll() is None

    def end(self):
        out, _ = self.process.communicate(timeout=180)
        failed = re.search(r"number of failed transactions: (\d+)", out)
        done = re.search(r"number of transactions actually processed: (\d+)", out)
        assert failed and done, out
        # Of what was logged, the last column is how late it was begun (pgbench catches up after a wait).
        times = [line.split() for line in self.lines()]
        longest = max(int(each[2]) - int(each[6]) for each in times if each[2].isdigit()) / 1e6
        return int(done.group(1)), int(failed.group(1)) + out.count("aborted"), longest, self.process.returncode, out


class PostgresqlBehindPgbouncer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)

    def under_load(self, *args):
        """Runs hitless while pgbench runs from before it to after it; longer where the machine is busy."""
        bench = Bench(self.world, int(12 + min(2 * os.getloadavg()[0], 50)))
        run = self.world.hitless(*args)
        out, _ = run.communicate(timeout=120)
        covered = bench.still_runs()
        done, failed, longest, code, text = bench.end()
        self.assertTrue(covered, "pgbench ended before the rollout\n" + out)
        self.assertEqual((failed, code), (0, 0), text + out)
        self.assertLess(longest, MAX_PAUSE_S + SLOW_MACHINE_S)
        return run.returncode, out, "%d transactions, %d failed, longest %.2f s" % (done, failed, longest)

    def end_long(self, long):
        """It was left alone until now; it ends when we say so, however slow the machine is."""
        self.assertIsNone(long.poll())
        self.world.query("select pg_cancel_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'",
                         port=self.world.port, database="postgres")
        self.assertIn("canceling statement", long.communicate(timeout=60)[0])

    def test_1_restart(self):
        world, before = self.world, self.world.postmaster()
        code, out, figure = self.under_load("restart", "db", "--yes")
        self.assertEqual(code, 0, out)
        self.assertNotEqual(world.postmaster(), before)
        self.assertIn("accepts queries", out)
        self.assertFalse(world.paused())
        print("restart behind PgBouncer:", figure, file=sys.stderr)

    def test_2_configurations(self):
        world = self.world
        conf = (world.dir / "data/postgresql.conf").read_text(encoding="utf-8")
        (world.dir / "next.conf").write_text(conf + "work_mem = 7MB\n", encoding="utf-8")
        before = world.postmaster()
        code, out, figure = self.under_load("apply", "db", "--yes")
        self.assertEqual(code, 0, out)
        self.assertIn("work_mem by a reload", out)
        self.assertEqual(world.postmaster(), before)
        self.assertEqual(world.query("show work_mem").stdout, "7MB\n")
        print("reload behind PgBouncer:", figure, file=sys.stderr)

        (world.dir / "next.conf").write_text(conf + "shared_buffers = 17MB\n", encoding="utf-8")
        code, out, _ = self.under_load("apply", "db", "--yes")
        self.assertEqual(code, 0, out)
        self.assertIn("shared_buffers only by a restart", out)
        self.assertNotEqual(world.postmaster(), before)
        self.assertEqual(world.query("show shared_buffers").stdout, "17MB\n")

        before = world.postmaster()
        (world.dir / "next.conf").write_text(conf + "shared_buffers = lots\n", encoding="utf-8")
        run = world.hitless("apply", "db", "--yes")
        out, _ = run.communicate(timeout=120)
        self.assertNotEqual(run.returncode, 0, out)
        self.assertIn("shared_buffers", out)
        self.assertEqual(world.postmaster(), before)
        self.assertNotIn("= lots", (world.dir / "data/postgresql.conf").read_text(encoding="utf-8"))

    def test_3_a_transaction_that_does_not_end(self):
        world, before = self.world, self.world.postmaster()
        long = world.start_query("select pg_sleep(600)")
        wait_until(lambda: world.active() > 0, "the long transaction")
        code, out, figure = self.under_load("restart", "db", "--yes")
        self.assertNotEqual(code, 0, out)
        self.assertIn("drain deadline", out)
        self.assertFalse(world.paused())
        self.assertEqual(world.postmaster(), before)
        self.end_long(long)
        print("given up behind PgBouncer:", figure, file=sys.stderr)

    def test_4_killed_while_clients_wait(self):
        world, before = self.world, self.world.postmaster()
        long = world.start_query("select pg_sleep(600)")
        wait_until(lambda: world.active() > 0, "the long transaction")
        run = world.hitless("restart", "db", "--yes")
        wait_until(world.paused, "the PAUSE", 60)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        self.assertTrue(world.paused())
        begun = time.monotonic()
        waiting = world.query("select 'served'")
        took = time.monotonic() - begun
        self.assertEqual(waiting.stdout, "served\n", waiting.stderr)
        self.assertLess(took, MAX_PAUSE_S + SLOW_MACHINE_S)
        self.end_long(long)
        print("killed while paused: served again after %.2f s (max_pause %d s)" % (took, MAX_PAUSE_S), file=sys.stderr)
        # The next one ends what was begun.
        code, out, _ = self.under_load("resume")
        self.assertEqual(code, 0, out)
        self.assertNotEqual(world.postmaster(), before)
        self.assertFalse(world.paused())


if __name__ == "__main__":
    unittest.main(verbosity=1, failfast=False)
