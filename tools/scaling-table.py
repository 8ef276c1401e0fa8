#!/usr/bin/env python3
"""The model of weak scaling in docs/scaling.md: efficiency E(N) of the Swin-T training at a fixed batch a GPU.

    tools/scaling-table.py            writes the tables into the page
    tools/scaling-table.py --check    fails when the page holds others
    tools/scaling-table.py --step 0.080 --batch 256 ...    prints the table of other inputs

E(N) = T / (T + gather + 2 alpha + loss + reduce), seconds:
    alpha(N)  = 20 us + 10 us log2(N / 8), the start of a collective (20 us up to 8 GPUs)
    gather(N) = alpha + (N - 1) m b d e / B       m sets of embeddings of b rows, d numbers of e bytes
    loss(N)   = 24 b^2 d (N - 1) / (0.6 R)        the rows of the similarity matrices that more ranks add
    reduce(N) = max(0, 2 (N - 1) / N P g / B - h T)    gradients, beside the share h of the step

The page says what it wants: `<!-- scaling: OPTIONS -->`, up to `<!-- end -->`.
"""
import argparse
import difflib
import math
import pathlib
import re
import shlex
import sys

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "scaling.md"
PLACE = re.compile(r"(<!-- scaling:(.*?)-->\n).*?(<!-- end -->)", re.DOTALL)
INPUTS = {  # name: (value, what it is)
    "step": (0.065, "T, seconds of a step on one GPU"),
    "batch": (384, "b, samples a GPU"),
    "embedding": (512, "d, numbers of an embedding"),
    "sets": (2, "m, sets of embeddings that are gathered while the step waits"),
    "bytes": (2, "e, bytes of a number"),
    "parameters": (28.3e6, "P, weights of Swin-T"),
    "gradient": (2, "g, bytes of a gradient's number"),
    "hidden": (1 / 3, "h, share of the step beside which gradients are exchanged"),
    "rate": (790e12, "R, FLOP/s"),
    "node": (370e9, "B up to 8 GPUs, bytes/s"),
    "network": (200e9, "B beyond, bytes/s"),
}


def model(n, i):
    """Seconds of the parts, and the efficiency."""
    bandwidth = i["node"] if n <= 8 else i["network"]
    alpha = 0 if n == 1 else 1e-6 * (20 + (10 * math.log2(n / 8) if n > 8 else 0))
    gather = alpha + (n - 1) * i["sets"] * i["batch"] * i["embedding"] * i["bytes"] / bandwidth
    loss = 24 * i["batch"] ** 2 * i["embedding"] * (n - 1) / (0.6 * i["rate"])
    exchange = 2 * (n - 1) / n * i["parameters"] * i["gradient"] / bandwidth
    reduce = max(0.0, exchange - i["hidden"] * i["step"])
    whole = i["step"] + gather + 2 * alpha + loss + reduce
    return gather, 2 * alpha, loss, exchange, reduce, i["step"] / whole


def table(inputs):
    lines = ["| GPUs | batch | gather, ms | start, ms | loss, ms | gradients, ms | of these not hidden | E(N) |", "|---|---|---|---|---|---|---|---|"]
    for power in range(9):
        n = 2 ** power
        *parts, efficiency = model(n, inputs)
        cells = " | ".join(f"{1e3 * part:.2f}" for part in parts)
        lines.append(f"| {n} | {n * int(inputs['batch'])} | {cells} | {efficiency:.3f} |")
    return "\n".join(lines)


def inputs_of(words):
    """The inputs with those that the options in a list of words change, and the other options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, help="another page (for the test)")
    for name, (value, about) in INPUTS.items():
        parser.add_argument("--" + name, type=float, help=f"{about} ({value:g})")
    options = parser.parse_args(words)
    given = {name: getattr(options, name) for name in INPUTS}
    return {name: INPUTS[name][0] if value is None else value for name, value in given.items()}, given, options


def main():
    inputs, given, options = inputs_of(sys.argv[1:])
    if any(value is not None for value in given.values()):
        print(table(inputs))
        return
    text = options.page.read_text()
    wanted, places = PLACE.subn(lambda place: f"{place[1]}\n{table(inputs_of(shlex.split(place[2]))[0])}\n\n{place[3]}", text)
    if not places:
        sys.exit(f"{options.page} has no place for a table")
    if not options.check:
        options.page.write_text(wanted)
    elif wanted != text:
        print("\n".join(difflib.unified_diff(text.splitlines(), wanted.splitlines(), "the page", "the model", lineterm="", n=0)))
        sys.exit(f"{options.page.name} is not what the model says: run tools/scaling-table.py, and see whether its text still holds")


if __name__ == "__main__":
    main()
