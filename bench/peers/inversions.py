#!/usr/bin/env python3
"""Inversions of held-out pictures of the demo's world: how near they come.

    python3 bench/peers/inversions.py BUILD/chladni WORK [pictures [steps of an inversion [of a tuning]]]    (numpy, Pillow)

A calm scene that no training has seen is inverted by optimisation, then the generator is tuned to it. Per way: the mean of squared
differences of pixels in [-1, 1], the CLIP distance 1 - cosine, and the seconds.
"""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "..", "weights", "demo")
CLIP = ["--clip", os.path.join(DEMO, "clip.safetensors")]
AUDIO = ["--audio", os.path.join(DEMO, "audio.safetensors")]


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    return result.stdout, result.stderr


def world(program, folder, *options):
    if not os.path.exists(os.path.join(folder, "pairs.jsonl")):
        run(program, "world", "--out", folder, *options)
    return folder


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float64) / 127.5 - 1


def embedding(program, picture):
    run(program, "embed", "--image", picture, *CLIP, "--out", picture + ".npy")
    return np.load(picture + ".npy").reshape(-1)


def compare(program, photo, generator, code, out):
    run(program, "generate", "--generator", generator, "--latent", code, "--out", out)
    l2 = np.mean((pixels(photo) - pixels(out)) ** 2)
    return l2, 1 - float(embedding(program, photo) @ embedding(program, out))


def seconds_of(progress, what):
    return float(re.findall(rf"^{what} step (\d+)/\1 .*took (\S+) s", progress, re.M)[-1][1])


def main():
    program, work = sys.argv[1:3]
    given = sys.argv[3:]
    os.makedirs(work, exist_ok=True)
    count, invert, tune = given + ["10", "300", "100"][len(given) :]
    generator = os.path.join(DEMO, "generator.safetensors")
    photos = world(program, os.path.join(work, "photos"), "--split", "calm", "--count", count, "--seed", "77")
    rows = {"optimisation": [], "optimisation + tuning": []}
    for i in range(int(count)):
        photo, folder = os.path.join(photos, "pictures", f"{i:05d}.png"), os.path.join(work, f"{i}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        tuned, code = os.path.join(folder, "t.safetensors"), os.path.join(folder, "t.npy")
        progress = run(program, "edit", "--generator", generator, *CLIP, *AUDIO, "--image", photo, "--sound", os.path.join(DEMO, "sounds", "rain.ogg"),
                       "--invert-steps", invert, "--tune", tune, "--save-tuned", tuned, "--steps", "1", "--out", os.path.join(folder, "e.png"))[1]  # fmt: skip
        took = seconds_of(progress, "inverting"), seconds_of(progress, "tuning")
        for way, weights, seconds in zip(rows, (generator, tuned), (took[0], sum(took))):
            measured = (*compare(program, photo, weights, code, os.path.join(folder, way.replace(" ", "") + ".png")), seconds)
            rows[way].append(measured)
            print(os.path.basename(photo), way, *("%.5f" % x for x in measured), flush=True)
    for way, values in rows.items():
        print(way, *("%.5f" % x for x in np.mean(values, axis=0)))


if __name__ == "__main__":
    main()
