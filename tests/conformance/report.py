#!/usr/bin/env python3
"""./dev conformance: runs both conformance suites, keeps their matrices in docs/CONFORMANCE.md, and says as its last line
what holds. Ends with 0 only when nothing is broken.

    report.py [--services | --load-balancers] [--only DRIVER]     --only: that load balancer driver alone, nothing is written
"""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import services_matrix  # noqa: E402

ROOT = services_matrix.ROOT
DOC = ROOT / "docs/CONFORMANCE.md"


def load_balancers(only):
    program = services_matrix.PROGRAM.parent / "hitless-conformance"
    lines = []
    with subprocess.Popen([str(program), *(["--only", only] if only else [])], stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    figure = re.fullmatch(r"conformance: (\d+) drivers, \d+ properties: (\d+) hold, (\d+) not promised, (\d+) broken",
                          lines[-1] if lines else "")
    if figure is None:
        sys.exit(f"{program} ended with {run.returncode} and no figure")
    table = [line for line in lines if line.startswith("|")]
    return table, [int(n) for n in figure.groups()], run.returncode == 0


def keep(name, table):
    """The table between its marks in the page."""
    begin, end = f"<!-- {name}: written by ./dev conformance -->\n", f"<!-- end of {name} -->\n"
    text = DOC.read_text(encoding="utf-8")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    fresh = before + begin + "\n".join(table) + "\n" + end + after
    if fresh != text:
        DOC.write_text(fresh, encoding="utf-8")
        print(f"{DOC.relative_to(ROOT)}: the matrix of {name} is new", file=sys.stderr)


def main():
    args = sys.argv[1:]
    only = args[args.index("--only") + 1] if "--only" in args[:-1] else ""
    parts, good = [], True
    if "--services" not in args:
        table, (drivers, hold, not_promised, broken), fine = load_balancers(only)
        good &= fine and broken == 0
        parts.append(f"{drivers} load balancers: {hold} hold, {not_promised} not promised, {broken} broken")
        if not only:
            keep("load balancers", table)
    if "--load-balancers" not in args and not only:
        table, drivers, hold, not_asked, broken, fine = services_matrix.matrix()
        print("\n" + "\n".join(table))
        good &= fine
        parts.append(f"{drivers} services: {hold} hold, {not_asked} not applicable, {broken} broken")
        keep("services", table)
    print("conformance: " + "; ".join(parts))
    return 0 if good and parts else 1


if __name__ == "__main__":
    sys.exit(main())
