#!/usr/bin/env python3
"""Puts the tables into docs/kernels/floors.md from `chladni-bench WORKLOAD --floors`, which needs no GPU.

    tools/floors-table.py BUILD/bench/chladni-bench            writes them
    tools/floors-table.py BUILD/bench/chladni-bench --check    fails when the page holds others

The page says what it wants: `<!-- floors: OPTIONS -->` the table of one workload, `<!-- sums: OPTIONS; OPTIONS -->` the
last rows of several. Each ends at `<!-- end -->`.
"""

import argparse
import difflib
import functools
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "kernels" / "floors.md"
PLACE = re.compile(r"(<!-- (floors|sums): (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


@functools.cache
def table(bench, options):
    return subprocess.run([bench, *options.split(), "--floors"], check=True, capture_output=True, text=True).stdout


def sums(bench, workloads):
    lines = []
    for options in workloads:
        heads, rule, *_, last = table(bench, options).splitlines()
        lines = lines or [heads.replace("| op |", "| workload |").replace(" share |", ""), rule.removesuffix("---|")]
        cells = last.split(" | ")
        lines.append(" | ".join([f"| `{options}`", *cells[1:-1]]) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", help="the program chladni-bench")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, help="another page (for the test)")
    options = parser.parse_args()

    def fill(place):
        begin, kind, words, end = place.groups()
        made = table(options.bench, words) if kind == "floors" else sums(options.bench, words.split("; "))
        return f"{begin}\n{made}\n{end}"

    text = options.page.read_text()
    wanted, places = PLACE.subn(fill, text)
    if not places:
        sys.exit(f"{options.page} has no place for a table")
    if not options.check:
        options.page.write_text(wanted)
    elif wanted != text:
        print("\n".join(difflib.unified_diff(text.splitlines(), wanted.splitlines(), "the page", "the graphs", lineterm="", n=0)))
        sys.exit(f"{options.page.name} is not what the graphs say: run tools/floors-table.py, and see whether its text still holds")


if __name__ == "__main__":
    main()
