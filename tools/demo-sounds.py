#!/usr/bin/env python3
"""One loud sound of every kind out of a world's folder, as OGG: weights/demo/sounds.

    chladni world --out held-out --split test --count 400 --seed 3
    tools/demo-sounds.py held-out weights/demo/sounds       needs oggenc (Debian: vorbis-tools)
"""
import json
import pathlib
import subprocess
import sys

STRONG = 0.8  # of 0 to 1


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    world, out = map(pathlib.Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    chosen = {}
    with open(world / "pairs.jsonl", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["strength"] >= STRONG:
                chosen.setdefault(row["kind"], row)
    for kind, row in chosen.items():
        name = kind.replace(" ", "-") + ".ogg"
        # the serial number is all that oggenc would draw at random
        subprocess.run(["oggenc", "--quiet", "--quality", "4", "--serial", "1", "-o", out / name, world / row["sound"]],
                       check=True)
        print(f"{name}: {row['sound']}, {row['label']}")


main()
