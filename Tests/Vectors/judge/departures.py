#!/usr/bin/env python3
"""Judges replays of the recordings against compare.py and the list of those that are knowingly not reproduced.

usage: departures.py --binary PATH [--timeout S] [--jobs N] DIRECTORY
       departures.py --output OUT VECTOR

DIRECTORY holds recordings and departures.txt: a line `NAME: reason` for each recording that is knowingly not
reproduced; # begins a comment. The first form replays all of them by `PATH replay` and prints a line for each; the last
line counts: `N reproduced, N depart, N failed`. The second form judges one replay whose output is in the folder OUT.

A recording fails that differs without being listed, that is listed and yet reproduced (it must be taken off the list),
that could not be replayed, or that is listed and does not exist. The status is non-zero on any failure.
"""
import argparse
import concurrent.futures
import functools
import os
import pathlib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare

LIST = "departures.txt"


def read_departures(directory):
    """{name: reason} of the list in a folder of recordings."""
    reasons = {}
    for number, line in enumerate((directory / LIST).read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line: continue
        name, _, reason = line.partition(":")
        if not reason.strip(): sys.exit(f"{LIST} line {number}: no reason")
        if name in reasons: sys.exit(f"{LIST} line {number}: {name} is listed twice")
        reasons[name] = reason.strip()
    return reasons


def verdict(result, detail, reason):
    """(kind, text) of a recording: kind is reproduced, depart or failed."""
    if result == "error": return "failed", f"FAILED: {detail}"
    if reason is None: return ("reproduced", "ok") if result == "ok" else ("failed", f"FAILED: {detail}")
    if result == "ok": return "failed", f"FAILED: reproduced, though {LIST} lists it: take it off"
    return "depart", f"departs: {reason}"


def judge_all(directory, binary, timeout, jobs):
    reasons, counts = read_departures(directory), {"reproduced": 0, "depart": 0, "failed": 0}
    paths = compare.vectors([directory])
    check = functools.partial(compare.check, binary=binary, timeout=timeout)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for path, (result, detail) in zip(paths, pool.map(check, paths)):
            kind, text = verdict(result, detail, reasons.get(path.name))
            counts[kind] += 1
            print(f"{path.name}: {text}", flush=True)
    for name in sorted(set(reasons) - {path.name for path in paths}):
        counts["failed"] += 1
        print(f"{name}: FAILED: {LIST} lists it, but there is no such recording")
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return not counts["failed"] and bool(paths)


def judge_one(vector, output):
    difference = compare.difference(compare.Vector(vector), output)
    reason = read_departures(vector.parent).get(vector.name)
    kind, text = verdict("differs" if difference else "ok", difference, reason)
    print(text)
    return kind != "failed"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", help="the program that replays")
    parser.add_argument("--output", type=pathlib.Path, help="what a replay of one recording wrote")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one replay (default 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="replays at a time")
    parser.add_argument("path", type=pathlib.Path, help="a folder of recordings, or with --output one recording")
    options = parser.parse_args()
    if bool(options.binary) == bool(options.output): parser.error("give --binary or --output")
    path = options.path.resolve()
    if options.output: return judge_one(path, options.output)
    return judge_all(path, options.binary, options.timeout, options.jobs)


if __name__ == "__main__": sys.exit(0 if main() else 1)
