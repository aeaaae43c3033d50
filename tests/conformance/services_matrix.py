#!/usr/bin/env python3
"""Runs the service conformance suite and prints the matrix driver × property, in Markdown.

A cell is yes (it holds), no (it does not), or - (the driver cannot come into that situation; the reason is below the
table). Ends with 0 only when no cell is "no" and every driver was asked everything. The last line is the figure.
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


def main():
    report, done = run()
    found = cells(report)
    drivers = sorted({driver for driver, _ in found})
    print("| driver | " + " | ".join(PROPERTIES.values()) + " |")
    print("|---" * (len(PROPERTIES) + 1) + "|")
    for driver in drivers:
        row = [found.get((driver, prop), ("**not asked**", ""))[0] for prop in PROPERTIES]
        print(f"| {driver.replace('_', '-')} | " + " | ".join(row) + " |")
    print()
    for (driver, prop), (text, reason) in sorted(found.items()):
        if text == "-":
            print(f"- {driver.replace('_', '-')}, {PROPERTIES[prop]}: {reason}")
    holds = sum(text in ("yes", "-") for text, _ in found.values())
    wanted = len(drivers) * len(PROPERTIES)
    if holds != wanted or done.returncode != 0:
        print(done.stdout[-6000:], file=sys.stderr)
    print(f"\nservices: {holds} of {wanted} answers hold, {len(drivers)} drivers")
    return 0 if holds == wanted and wanted > 0 and done.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
