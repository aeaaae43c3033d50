#!/usr/bin/env python3
"""All benchmarks of hitless (docs/PERFORMANCE.md): `./dev bench [--quick]`.

The command line, the controller's own cost for many instances, and rolling over real hosts beside Ansible and a shell
loop. Exit 0 only when a full run meets every goal; the last line is the count."""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
BUILD = os.environ.get("HITLESS_BUILD", os.path.join(ROOT, "build", "release"))
os.environ.setdefault("HITLESS_BIN", os.path.join(BUILD, "hitless"))

import rolling  # noqa: E402
import scale  # noqa: E402
from goals import Goals  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 hosts, 2 runs, up to 1,000 simulated instances; never exits 0")
    parser.add_argument("--parts", default="command_line,scale,rolling")
    parser.add_argument("--scale", default="100,1000,10000", help="simulated instances")
    parser.add_argument("--scale-limit", type=int, default=900, help="seconds for each simulated rollout")
    parser.add_argument("--svg", help="write the curve of the simulated rollouts here")
    rolling.add_arguments(parser)
    options = parser.parse_args()
    if options.quick:
        options.scale, options.scale_limit = "100,300,1000", 120
        options.hosts, options.runs, options.window = "3", 2, 0
    return options


def main():
    options, goals = arguments(), Goals()
    parts = options.parts.split(",")
    print("load average at the start: %.1f on %d cores" % (os.getloadavg()[0], os.cpu_count()), flush=True)
    if "command_line" in parts:
        subprocess.run([sys.executable, os.path.join(HERE, "command_line.py")], check=True)
    if "scale" in parts:
        scale.measure(os.path.join(BUILD, "hitless_scale"), [int(n) for n in options.scale.split(",")], options.scale_limit,
                      goals, options.svg)
    if "rolling" in parts:
        rolling.measure_all(options, goals)
    whole = not options.quick and len(parts) == 3
    print("\nload average at the end: %.1f%s" % (os.getloadavg()[0], "" if whole else "; not a full run"))
    print(goals.verdict())
    return 0 if whole and all(goals.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
