"""A folder of W+ codes by a folder of sounds: `chladni batch` against a loop in PyTorch, in turns.

    python bench/peers/edits.py --ours build/chladni --steps 20 --codes 4 --sounds 2 --batch 8 --rounds 3

Both read the same files: StyleGAN2 at 256, CLIP ViT-B/32 and Swin-T with the formula's weights, codes as .npy, sounds of
ten seconds as WAV. Both decode the sounds, compute mel pictures and embeddings, optimise `--batch` codes at once with Adam
on w and the layer mask, and write a PNG for each edit. The loop is steps.WPlus in its tuned form. Of chladni the time of
the whole process counts, from its start to its end; of PyTorch the loop alone, without imports and loading of weights,
after one step to warm up.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import wave

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

import mel_torch  # noqa: E402
import models  # noqa: E402
import steps  # noqa: E402
import weights  # noqa: E402

SIDE, LATENT = 224, 512


# --- files that both read -----------------------------------------------------------------------------
def arrays_of(build):
    """What `build` asks the formula for."""
    asked = {}
    formula = weights.tensor

    def remember(name, shape):
        asked[name] = formula(name, shape).numpy()
        return torch.from_numpy(asked[name])

    weights.tensor = remember
    try:
        build()
    finally:
        weights.tensor = formula
    return asked


def write_models(folder, size):
    generator = arrays_of(lambda: models.Synthesis(size, "scaled"))
    for i in range(8):  # the codes are given: nothing maps to them
        generator[f"mapping.fc{i}.weight"] = weights.array(f"mapping.fc{i}.weight", (LATENT, LATENT))
        generator[f"mapping.fc{i}.bias"] = weights.array(f"mapping.fc{i}.bias", (LATENT,))
    generator["mapping.w_avg"] = np.zeros(LATENT, np.float32)
    save_file(generator, folder / "generator.safetensors")
    save_file(arrays_of(lambda: models.ClipImage("scaled")), folder / "clip.safetensors")
    save_file(arrays_of(models.swin_tiny), folder / "audio.safetensors")


def write_inputs(folder, options):
    rows = 2 * len(models.channels_of(options.size))
    for name in ("codes", "sounds"):
        (folder / name).mkdir()
    for i in range(options.codes):
        np.save(folder / f"codes/{i}.npy", weights.uniform(f"code{i}", (rows, LATENT)).numpy())
    for i in range(options.sounds):
        samples = weights.uniform(f"sound{i}", (mel_torch.RATE * mel_torch.SECONDS,), 0.5).numpy()
        with wave.open(str(folder / f"sounds/{i}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(mel_torch.RATE)
            file.writeframes((samples * 32767).astype("<i2").tobytes())


# --- the loop -----------------------------------------------------------------------------------------
class Loop(steps.WPlus):
    def __init__(self, options):
        super().__init__(steps.Settings("scaled", options.batch, options.size, compile=options.compile))
        self.hears = models.swin_tiny()[0].eval()
        self.mel = mel_torch.LogMel(1, "parts")
        self.optimise(self.source.clone(), self.target.clone(), 1)

    def embed(self, path):
        with wave.open(str(path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        self.mel.wave = torch.from_numpy(samples.astype(np.float32) / 32768)[None]
        self.mel.run()
        with torch.inference_mode():
            picture = F.interpolate(self.mel.mel[:, None], (SIDE, SIDE), mode="bilinear")
            return F.normalize(self.hears(picture), dim=-1)

    def optimise(self, source, target, count):
        self.source, self.target = source, target
        self.w = source.clone().requires_grad_()
        self.mask = torch.zeros(source.shape[:2]).requires_grad_()
        self.optimiser = torch.optim.Adam([self.w, self.mask], lr=steps.RATE)
        for _ in range(count):
            self.run()

    def edit_all(self, folder, out, options):
        targets = {path.stem: self.embed(path)[0].clone() for path in sorted((folder / "sounds").iterdir())}
        codes = {path.stem: torch.from_numpy(np.load(path)) for path in sorted((folder / "codes").iterdir())}
        jobs = [(code, sound) for code in codes for sound in targets]
        for first in range(0, len(jobs), options.batch):
            chunk = jobs[first : first + options.batch]
            source = torch.stack([codes[code] for code, _ in chunk])
            self.optimise(source, torch.stack([targets[sound] for _, sound in chunk]), options.steps)
            with torch.inference_mode():
                pictures = self.synthesis(self.w).add(1).mul(127.5).clamp(0, 255).byte()
            for (code, sound), picture in zip(chunk, pictures.permute(0, 2, 3, 1)):
                Image.fromarray(picture.contiguous().numpy()).save(out / f"{code}-{sound}.png")


def peer(options):
    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    loop = Loop(options)
    out = options.folder / "theirs"
    out.mkdir(exist_ok=True)
    began = time.perf_counter()
    loop.edit_all(options.folder, out, options)
    print(time.perf_counter() - began)


# --- in turns -----------------------------------------------------------------------------------------
def seconds_of_ours(options, folder, round_):
    command = [
        options.ours, "batch", "--latents", folder / "codes", "--sounds", folder / "sounds", "--out", folder / f"ours{round_}",
        "--generator", folder / "generator.safetensors", "--clip", folder / "clip.safetensors", "--audio", folder / "audio.safetensors",
        "--steps", options.steps, "--batch", options.batch, "--device", "cpu", *options.flags.split(),
    ]
    began = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, env={**os.environ, "OMP_NUM_THREADS": str(options.threads)})
    return time.perf_counter() - began


def seconds_of_peer(options, folder):
    again = [sys.executable, __file__, "--folder", folder]
    for name in ("steps", "codes", "sounds", "batch", "size", "threads"):
        again += [f"--{name}", getattr(options, name)]
    if options.compile:
        again += ["--compile", options.compile]
    memory = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296"}
    done = subprocess.run([str(word) for word in again], check=True, env={**os.environ, **memory}, capture_output=True, text=True)
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", type=pathlib.Path, help="the program chladni")
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)  # of the files: this process is the peer
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--codes", type=int, default=4)
    parser.add_argument("--sounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--compile", help="a mode of torch.compile for the peer")
    parser.add_argument("--flags", default="", help="further flags of chladni batch")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    if options.folder:
        return peer(options)
    if not options.ours:
        parser.error("--ours is missing: the program chladni")
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_models(folder, options.size)
        write_inputs(folder, options)
        for i in range(options.rounds):
            pair = {}
            for side in ("ours", "theirs") if i % 2 == 0 else ("theirs", "ours"):
                pair[side] = seconds_of_ours(options, folder, i) if side == "ours" else seconds_of_peer(options, folder)
            pair["load"] = os.getloadavg()[0]
            rounds.append(pair)
            print(pair, file=sys.stderr)
    ratios = [r["theirs"] / r["ours"] for r in rounds]
    about = {
        "edits": options.codes * options.sounds, "steps": options.steps, "batch": options.batch, "size": options.size,
        "threads": options.threads, "compile": options.compile, "flags": options.flags, "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(), "rounds": rounds, "ratio": statistics.median(ratios), "ratios": ratios,
    }
    print(json.dumps(about, indent=1))
    if options.out:
        options.out.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
