#!/usr/bin/env python3
"""The evaluation: thirty incidents on real hosts (systemd-nspawn), graded by the state of hosts and load balancers.

./dev eval [--quick] [--case N ...] [--repeat N]

A case that cannot be made is shown as not run and fails the evaluation. Exit 0: every case that was asked for holds."""
import argparse
import sys
import time
import traceback

import incidents_held  # noqa: F401
import incidents_rolled_back  # noqa: F401
import incidents_stopped  # noqa: F401
from incident import *  # noqa: F403

QUICK = (3, 5, 15, 22)


def run_case(lab, number):
    """(verdict, seconds, why)"""
    _, _, function = CASES[number]
    began, world = time.monotonic(), None
    try:
        lab.reset()
        world = World(lab)
        try:
            function(world)
        finally:
            world.close()
        lab.stop_all()
        lab.replay_journals()
        return "ok", time.monotonic() - began, world, ""
    except NotRun as why:
        return "not run", time.monotonic() - began, world, str(why)
    except (Wrong, LabError, AssertionError) as why:
        return "WRONG", time.monotonic() - began, world, str(why)
    except Exception:  # a bug of the evaluation: shown, and it counts as wrong
        return "WRONG", time.monotonic() - began, world, traceback.format_exc()


def main():
    parser = argparse.ArgumentParser(prog="./dev eval")
    parser.add_argument("--quick", action="store_true", help="cases %s only" % (QUICK,))
    parser.add_argument("--case", type=int, action="append", choices=sorted(CASES), metavar="N", help="only this one; may be repeated")
    parser.add_argument("--repeat", type=int, default=1, choices=range(1, 11), metavar="N", help="each case so many times")
    options = parser.parse_args()
    numbers = sorted(options.case or (QUICK if options.quick else CASES))
    good, not_run, sent, lost, by_fault, variants, began = 0, 0, 0, 0, 0, 0, time.monotonic()
    print("%2s  %-30s %-32s %-8s %5s %6s %5s" % ("#", "FAULT", "RIGHT OUTCOME", "VERDICT", "TOOK", "SENT", "LOST"), flush=True)
    with labkit.Lab(3) as lab:
        for number in numbers * options.repeat:
            name, right, _ = CASES[number]
            verdict, took, world, why = run_case(lab, number)
            good += verdict == "ok"
            not_run += verdict == "not run"
            faulty = getattr(world, "by_the_fault", 0)
            variants += world.variants if world else 0
            sent, lost, by_fault = sent + (world.sent if world else 0), lost + (world.lost if world else 0), by_fault + faulty
            shown = "%d" % world.lost + ("+%d*" % faulty if faulty else "") if world else "-"
            print("%2d  %-30s %-32s %-8s %4ds %6d %5s" % (number, name, right, verdict, took, world.sent if world else 0, shown), flush=True)
            if why:
                shown = why if len(why) < 8000 else why[:4000] + "\n[...]\n" + why[-4000:]
                print("    " + shown.replace("\n", "\n    "), flush=True)
    total = len(numbers) * options.repeat
    if by_fault:
        print("* lost by the instance that was made to fail requests, until it was out again; not by hitless")
    print("%d answers of models: good and slow ones taken as proposals, hostile, malformed and silent ones not; 0 changed anything" % variants)
    print("%.0f s" % (time.monotonic() - began))
    print("eval: %d of %d right, %d not run, %d requests, %d lost" % (good, total, not_run, sent, lost))
    return 0 if good == total and lost == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
