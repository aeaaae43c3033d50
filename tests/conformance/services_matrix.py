#!/usr/bin/env python3
"""Runs the service conformance suite and makes the matrix driver × property, in Markdown (for report.py).

A cell is yes (it holds), no (it does not), or - (the driver cannot come into that situation; the reason is below the
table).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("HITLESS_BIN", ROOT / "build/debug/hitless")).parent / "hitless_adapters_service_tests"
PROPERTIES = {
    "Identity": "who runs is told",
    "ConfigTest": "configuration tested before it is installed",
    "GoodReloadProven": "good reload proven",
    "SilentFailureCaught": "reload that did not take effect caught",
    "DeadOnBadReload": "death by a bad reload caught",
    "RestartProven": "restart proven",
    "FlappingTold": "crash loop told",
    "UnknownIsNeverGood": "unknown is never good",
    "PendingEditShown": "someone else's edit shown",
}


def run():
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        done = subprocess.run([str(PROGRAM), "--gtest_filter=*ServiceConformance.*", f"--gtest_output=json:{report}"],
                              capture_output=True, text=True, timeout=900, check=False)
        if not os.path.exists(report):
            sys.exit(f"{PROGRAM} made no report (exit {done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        with open(report) as file:
            return json.load(file), done


def cells(report):
    """{(driver, property): (text, reason)}"""
    found = {}
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            prop, driver = test["name"].split("/")
            if test.get("failures"):
                found[driver, prop] = ("**no**", "")
            elif test.get("not_applicable"):
                found[driver, prop] = ("-", test["not_applicable"])
            elif test["result"] == "COMPLETED":
                found[driver, prop] = ("yes", "")
    return found


def matrix():
    """The lines of the page, drivers, answers that hold, that do not apply, that are broken or missing, and whether all is well"""
    report, done = run()
    found = cells(report)
    drivers = sorted({driver for driver, _ in found})
    lines = ["| driver | " + " | ".join(PROPERTIES.values()) + " |", "|---" * (len(PROPERTIES) + 1) + "|"]
    for driver in drivers:
        row = [found.get((driver, prop), ("**not asked**", ""))[0] for prop in PROPERTIES]
        lines.append(f"| {driver.replace('_', '-')} | " + " | ".join(row) + " |")
    lines.append("")
    for (driver, prop), (text, reason) in sorted(found.items()):
        if text == "-":
            lines.append(f"- {driver.replace('_', '-')}, {PROPERTIES[prop]}: {reason}")
    said = [text for text, _ in found.values()]
    hold, missing = said.count("yes"), said.count("-")
    broken = len(drivers) * len(PROPERTIES) - hold - missing
    fine = broken == 0 and hold > 0 and done.returncode == 0
    if not fine:
        print(done.stdout[-6000:], file=sys.stderr)
    return lines, len(drivers), hold, missing, broken, fine
