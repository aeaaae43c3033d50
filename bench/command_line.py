#!/usr/bin/env python3
"""How quick the command line is: medians of wall time against a peer in the same run (`haproxy -c`, which also reads
and checks a small file). Prints ratios; asserts nothing. Needs build/release/hitless, or HITLESS_BIN."""
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HITLESS = pathlib.Path(os.environ.get("HITLESS_BIN", ROOT / "build/release/hitless"))
RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 15


def median_ms(argv):
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main():
    peer_argv = ["haproxy", "-c", "-f", str(ROOT / "examples/haproxy.cfg")]
    rows = [
        ("hitless --help", [str(HITLESS), "--help"]),
        ("hitless check --offline", [str(HITLESS), "check", "--offline", "-f", str(ROOT / "examples/hitless.yaml")]),
        ("hitless schema", [str(HITLESS), "schema"]),
    ]
    peer = median_ms(peer_argv)
    print(f"peer: haproxy -c                 {peer:8.1f} ms   (median of {RUNS})")
    for name, argv in rows:
        value = median_ms(argv)
        print(f"{name:32} {value:8.1f} ms   {value / peer:5.2f} x the peer")


if __name__ == "__main__":
    main()
