#!/usr/bin/env python3
"""pairs.jsonl of a folder of labelled recordings, alone or together with a procedural world.

    tools/recordings-pairs.py RECORDINGS --split train --world WORLD --levels 4 --out DATA    to train on
    tools/recordings-pairs.py RECORDINGS --split check --labels weights/demo/labels.txt --out CHECK

RECORDINGS holds sounds.tsv, a table with a head: path (in the folder), label, split, source. The lines of WORLD (chladni
world) are copied with the source "world". A recording of one of the world's kinds gets that kind; all others are of one
kind and label, "other sound": --balance draws them together as often as one of the world's, and a CLIP pair that knows only
the world's words may place theirs anywhere, "clock ticking" beside "rain". --labels FILE takes the
recordings of the labels in FILE only; without a world a label is a kind ("kind", for eval edits). Sources of fewer than 30 recordings are one source, "small": drawn as often as a
large one each, their few recordings would be learned by heart. --levels N, with a world: a recording of one of its kinds is
there N times, each time turned to another level ("level_db") and with label, picture and strength of a line of that kind that
is as loud: what is recorded loudly is "heavy rain", as in the world. The recordings stay where they are: DATA/pairs.jsonl
names them by their whole paths."""
import argparse
import collections
import csv
import json
import os
import random
import sys

SMALL = 30
QUIET, LOUD = -42, -12  # decibels of a world's sounds of strength 0 and 1 (host/demo/world/synth.h)
OTHER = "other sound"


def world_lines(folder):
    with open(os.path.join(folder, "pairs.jsonl"), encoding="utf-8") as file:
        for text in file:
            line = json.loads(text)
            for key in ("sound", "picture"):
                line[key] = os.path.abspath(os.path.join(folder, line[key]))
            line["source"] = "world"
            yield line


def recordings(folder, split, labels):
    with open(os.path.join(folder, "sounds.tsv"), encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for key in ("path", "label", "split", "source"):
        if table and key not in table[0]:
            sys.exit(f"{folder}/sounds.tsv: the column \"{key}\" is missing; there are {', '.join(table[0])}")
    rows = [r for r in table if r["split"] == split]
    if not rows:
        there = ", ".join(sorted({r["split"] for r in table}))
        sys.exit(f"{folder}/sounds.tsv: no recording of the split \"{split}\"; there are {there}")
    if labels is not None:
        rows = [r for r in rows if r["label"] in labels]
    count = collections.Counter(r["source"] for r in rows)
    for r in rows:
        source = r["source"] if count[r["source"]] >= SMALL else "small"
        yield {"sound": os.path.abspath(os.path.join(folder, r["path"])), "label": r["label"], "source": source}


def at_levels(line, kin, count, draw):
    """The recording's lines: strengths are even, each drawn from its part of 0 to 1."""
    lines = []
    for i in range(count):
        strength = (i + draw.random()) / count
        pair = draw.choice(sorted(kin, key=lambda k: abs(k["strength"] - strength))[:20])
        level = QUIET + (LOUD - QUIET) * strength
        lines.append({**line, "label": pair["label"], "picture": pair["picture"], "strength": pair["strength"],
                      "level_db": round(level, 2)})
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings")
    parser.add_argument("--split", required=True)
    parser.add_argument("--world")
    parser.add_argument("--labels")
    parser.add_argument("--levels", type=int, default=0)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    lines = list(world_lines(args.world)) if args.world else []
    kin = collections.defaultdict(list)
    for line in lines:
        kin[line["kind"]].append(line)
    if args.levels < 0 or (args.levels and not kin):
        sys.exit(f"--levels must be >= 0, and needs --world where it is not 0, got {args.levels}")
    draw = random.Random(1)
    labels = None
    if args.labels:
        with open(args.labels, encoding="utf-8") as file:
            labels = set(file.read().splitlines())
    for line in recordings(args.recordings, args.split, labels):
        levels = args.levels
        if kin and line["label"] not in kin:
            line["label"], levels = OTHER, 0
        line["kind"] = line["label"]
        lines += at_levels(line, kin[line["label"]], levels, draw) if levels else [line]
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "pairs.jsonl"), "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
    print(f"{args.out}/pairs.jsonl: {len(lines)} sounds")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
