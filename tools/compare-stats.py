#!/usr/bin/env python3
"""Compares the losses of two stats.jsonl, step by step, over the steps both have.

    tools/compare-stats.py NEW COMMITTED TOLERANCE      relative; exits with 1 where one is farther off
"""
import json
import sys


def read(path):
    with open(path, encoding="utf-8") as lines:
        return {row["step"]: row for row in map(json.loads, lines)}


def main():
    new, committed, tolerance = read(sys.argv[1]), read(sys.argv[2]), float(sys.argv[3])
    steps = sorted(new.keys() & committed.keys())
    if not steps:
        sys.exit(f"{sys.argv[1]} and {sys.argv[2]} have no step in common")
    worst, where = 0.0, steps[0]
    for step in steps:
        a, b = new[step]["loss"], committed[step]["loss"]
        off = abs(a - b) / max(abs(b), 1e-9)
        if not off <= worst:  # a NaN is the worst
            worst, where = off, step
    print(f"{sys.argv[1]}: {len(steps)} steps, largest difference {worst:.2e} at step {where}")
    if not worst <= tolerance:
        sys.exit(f"the losses differ by more than {tolerance:g}")


main()
