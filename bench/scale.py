"""The controller's own cost for many instances (bench/scale.cpp), as a table, goals and, when asked for, a curve in SVG."""
import json
import os
import subprocess

MAX_MB, MIN_ENTRIES_PER_S, LINEAR = 200, 5000, 1.3
WIDTH, HEIGHT, LEFT, BOTTOM = 560, 300, 60, 40


def lines(argv):
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=7200, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rollouts(binary, sizes, limit_s, folder, goals):
    rows = lines([binary, "--dir", folder, "--seconds", str(limit_s), *map(str, sizes)])
    print("\nrollout of simulated instances, a tenth of them at once, real engine")
    print("  %9s %8s %9s %9s %9s %11s %8s %8s  %s" % ("instances", "journal", "seconds", "CPU s", "entries", "entries/s", "us each", "peak MB", "result"))
    for row in rows:
        if "seconds" in row:
            print("  %9d %8s %9.1f %9.1f %9d %11.0f %8.0f %8.0f  %s" % tuple(row[key] for key in (
                "instances", "journal", "seconds", "cpu_seconds", "entries", "entries_per_s", "us_per_entry", "peak_mb", "result")))
        else:
            print("  %9d %8s  %s" % (row["instances"], row["journal"], row["result"]))
    judge(rows, max(sizes), goals)
    return rows


def judge(rows, largest, goals):
    for row in rows:
        if row["instances"] != largest:
            continue
        what = "%d instances, %s journal" % (largest, row["journal"])
        if row["result"] != "succeeded":
            goals.failed(what, row["result"])
            continue
        goals.add("peak memory, " + what, row["peak_mb"], MAX_MB, " MB")
    for kind in ("memory", "sqlite"):
        good = [row for row in rows if row["journal"] == kind and row["result"] == "succeeded"]
        for small, large in zip(good, good[1:]):
            more = large["instances"] / small["instances"]
            growth = (large["cpu_seconds"] / max(small["cpu_seconds"], 0.01)) / more
            goals.add("CPU of %d -> %d instances, %s journal, of linear growth" % (small["instances"], large["instances"], kind),
                      growth, LINEAR, "x")


def journal(binary, folder, goals):
    rows = lines([binary, "--journal", "--dir", folder])
    print("\njournal (SQLite, synchronous FULL): durable entries per second by the size of the transaction")
    for row in rows:
        print("  %4d in one: %8.0f" % (row["group"], row["durable_entries_per_s"]))
    goals.add("durable entries/s, grouped", max(row["durable_entries_per_s"] for row in rows), MIN_ENTRIES_PER_S, most=False)


def svg(rows, path):
    """CPU milliseconds per instance against the number of instances; a flat line is linear growth."""
    curves = {kind: [(row["instances"], 1000 * row["cpu_seconds"] / row["instances"]) for row in rows
                     if row["journal"] == kind and row["result"] == "succeeded"] for kind in ("memory", "sqlite")}
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return
    sizes, top = sorted({n for n, _ in points}), 1.1 * max(ms for _, ms in points)
    step = (WIDTH - LEFT - 90) / max(len(sizes) - 1, 1)

    def place(n, ms):
        return LEFT + sizes.index(n) * step, HEIGHT - BOTTOM - ms / top * (HEIGHT - 2 * BOTTOM)

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
             '<title>CPU milliseconds of the controller per instance</title><rect width="100%" height="100%" fill="white"/>',
             '<text x="%d" y="20">CPU ms per instance (flat: linear)</text>' % LEFT]
    for share in (0, 0.5, 1):
        y = place(sizes[0], share * top)[1]
        parts.append('<path d="M%d %.0fH%d" stroke="#ccc"/><text x="4" y="%.0f">%.1f</text>' % (LEFT, y, WIDTH - 80, y + 4, share * top))
    for n in sizes:
        parts.append('<text x="%.0f" y="%d" text-anchor="middle">%d</text>' % (place(n, 0)[0], HEIGHT - 15, n))
    for (kind, curve), colour in zip(curves.items(), ("#0b62a4", "#b3471d")):
        if curve:
            dots = [place(*point) for point in curve]
            parts.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (colour, " ".join("%.0f,%.0f" % dot for dot in dots)))
            parts.append('<text x="%.0f" y="%.0f" fill="%s">%s</text>' % (dots[-1][0] + 6, dots[-1][1] + (14 if kind == "memory" else -4), colour, kind))
    with open(path, "w") as file:
        file.write("\n".join(parts) + "\n</svg>\n")


def measure(binary, sizes, limit_s, goals, svg_path=None, folder=None):
    folder = folder or os.environ.get("TMPDIR", "/tmp")
    journal(binary, folder, goals)
    rows = rollouts(binary, sizes, limit_s, folder, goals)
    if svg_path:
        svg(rows, svg_path)
