#!/usr/bin/env python3
"""Adversarial training in PyTorch, draw by draw that of `chladni train gan`: the same first weights, order of pictures,
codes and noise of a seed, so that two runs differ by rounding, and after some hundred steps by what that becomes.

    bench/peers/gan.py --data PICTURES --out RUN --seed 1 --steps 2000 --save-every 500

writes RUN/stats.jsonl with the names of the engine's, and RUN/model-STEP.safetensors, which `chladni eval pictures`
measures. The networks and losses are those of tests/fixtures/make_gan.py, here in single precision. Needs torch, safetensors, Pillow.
"""
import argparse
import functools
import json
import os
import sys
import time

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "fixtures"))
import make_gan  # noqa: E402

TERMS = ("generator", "path_length", "fake", "real", "r1")


def read_pictures(folder, side):
    with open(os.path.join(folder, "pairs.jsonl"), encoding="utf-8") as lines:
        names = [json.loads(line)["picture"] for line in lines]
    pictures = np.stack([np.asarray(Image.open(os.path.join(folder, name)).convert("RGB")) for name in names])
    if pictures.shape[1:3] != (side, side):
        sys.exit(f"{folder}: pictures must be {side} x {side}, as --resolution, got {pictures.shape[2]} x {pictures.shape[1]}")
    return pictures


def configure(options, count):
    sizes = {key: int(value) for key, value in (pair.split("=") for pair in options.sizes.split(","))}
    make_gan.DOUBLE = torch.float32
    make_gan.NET = dict(resolution=options.resolution, base=sizes["base"], most=sizes["max"], z=sizes["z"], w=sizes["w"],
                        layers=sizes["mapping"])
    make_gan.SEED, make_gan.BATCH, make_gan.SAMPLES = options.seed, options.batch, count
    make_gan.GAMMA = options.r1 or 0.0002 * options.resolution**2 / options.batch
    make_gan.RATE = make_gan.RATE_CRITIC = options.rate
    make_gan.permutation = functools.lru_cache(1)(make_gan.permutation)


def batches(pictures):
    def batch(step):
        chosen = [pictures[sample][:, ::-1] if mirrored else pictures[sample] for sample, mirrored in make_gan.batch_of(step)]
        return torch.from_numpy(np.stack(chosen).astype(np.float32) / np.float32(127.5) - 1).permute(0, 3, 1, 2), None
    return batch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--sizes", default="base=512,max=32,z=32,w=32,mapping=2")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--r1", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--save-every", type=int, default=500)
    options = parser.parse_args()
    pictures = read_pictures(options.data, options.resolution)
    configure(options, len(pictures))
    os.makedirs(options.out, exist_ok=True)
    training = make_gan.Training(batches(pictures))
    with open(os.path.join(options.out, "stats.jsonl"), "w", encoding="utf-8") as stats:
        for step in range(options.steps):
            start = time.monotonic()
            log = training.step(step)
            terms = {name: float(value) for name, value in zip(TERMS, log) if not np.isnan(value)}
            print(json.dumps({"step": step + 1, "terms": terms, "seconds": time.monotonic() - start}), file=stats, flush=True)
            if (step + 1) % options.save_every == 0:
                save_file(training.model(), os.path.join(options.out, f"model-{step + 1:06}.safetensors"))


if __name__ == "__main__":
    main()
