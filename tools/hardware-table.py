#!/usr/bin/env python3
"""Puts the hardware table into README.md, between its markers, from bench/results/gpu-*.json (tools/gpu-check.sh).

    tools/hardware-table.py            writes the table
    tools/hardware-table.py --check    fails when README.md holds another one, or when a result is older than its kernel

A result is older than its kernel where the kernel's file, or a file that it includes from kernels/cuda, was changed
after the result's commit. Without git's history (77: skipped) only the table is compared.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- hardware: written by tools/hardware-table.py -->", "<!-- end of hardware -->"
PAGE = "README.md"


def git(root, *words):
    return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True)


def results(root):
    return [(path.name, json.loads(path.read_text())) for path in sorted((root / "bench" / "results").glob("gpu-*.json"))]


def pending(root):
    path = root / "kernels" / "cuda" / "PENDING"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def table(root):
    found = results(root)
    lacking = pending(root)
    waits = f"{len(lacking)} ops have no CUDA body yet: {', '.join(lacking)}." if lacking else "Every op has a CUDA body."
    if not found:
        return [
            "nothing has run on hardware", "",
            "What waits for a GPU (`tools/gpu-check.sh` does all of it): the register layouts of `mma`, `ldmatrix` and `wgmma`; "
            "the op tests in float and bf16; memcheck and racecheck; every time and share of the floor.", "", waits,
        ]
    lines = ["| device | driver, CUDA | commit | op tests, float | bf16 | sanitizers |", "|---|---|---|---|---|---|"]
    for _, r in found:
        ops = [r["ops"][precision].split(" skipped")[0] + " skipped" for precision in ("float", "bf16")]
        lines.append(
            f"| {r['device']} ({r['compute_capability']}) | {r['driver']}, {r['cuda']} | {r['commit'][:10]} "
            f"| {ops[0]} | {ops[1]} | {r['sanitizers']} |"
        )
    for _, r in found:
        lines += ["", f"{r['device']}, {r['date']}: median of {r['runs']} runs with flushed caches.", ""]
        lines += ["| op | of | first input | precision | µs (quartiles) | GB/s | TFLOP/s |", "|---|---|---|---|---|---|---|"]
        for t in r["times"]:
            seconds, (low, high) = t["seconds"]["median"], t["seconds"]["quartiles"]
            rate = [t[what] / seconds * scale if seconds > 0 else 0 for what, scale in (("bytes", 1e-9), ("flops", 1e-12))]
            lines.append(
                f"| {t['op']} | {t['case']} | {t['shape']} | {t['precision']} | {1e6 * seconds:.1f} ({1e6 * low:.1f} – {1e6 * high:.1f}) "
                f"| {rate[0]:.0f} | {rate[1]:.1f} |"
            )
    return [*lines, "", waits]


def files_of(root, op):
    """The kernel file that defines the op's body, and what it includes."""
    folder = root / "kernels" / "cuda"
    body = re.compile(rf"\bchl_body chl_cuda_{op}\b")
    todo = [p for p in sorted(folder.rglob("*.cu")) if body.search(p.read_text())]
    seen = []
    while todo:
        path = todo.pop()
        if path in seen or not path.exists():
            continue
        seen.append(path)
        todo += [root / "kernels" / name for name in re.findall(r'#include "([^"]+)"', path.read_text())]
    return [p.relative_to(root) for p in seen]


def stale(root):
    wrong = []
    for name, result in results(root):
        commit, _, changed = result["commit"].partition(" ")
        if changed:
            wrong.append(f"{name}: measured with {changed}: commit, then measure")
        if git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
            wrong.append(f"{name}: commit {commit} is not in this history")
            continue
        for op in sorted({t["op"] for t in result["times"]}):
            files = files_of(root, op)
            if not files:
                wrong.append(f"{name}: {op} has no CUDA body any more")
            for path in files:
                if git(root, "diff", "--quiet", commit, "--", path).returncode:
                    wrong.append(f"{name}: {op} was measured before {path} changed: run tools/gpu-check.sh again")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="another checkout (for the test)")
    options = parser.parse_args()
    page = options.root / PAGE
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{PAGE} has no place for the hardware table: {BEGIN} ... {END}")
    before, rest = text.split(BEGIN)
    wanted = before + "\n".join([BEGIN, "", *table(options.root), "", END]) + rest.split(END)[1]
    if not options.check:
        page.write_text(wanted)
        return
    wrong = [] if wanted == text else [f"{PAGE}'s hardware table is not what bench/results say: run tools/hardware-table.py"]
    history = git(options.root, "rev-parse", "HEAD").returncode == 0
    wrong += stale(options.root) if history else []
    if wrong:
        sys.exit("\n".join(wrong))
    if not history and results(options.root):
        print("no git history: the age of results was not checked")
        sys.exit(77)


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        if error.filename != "git":
            raise
        sys.exit(77)
