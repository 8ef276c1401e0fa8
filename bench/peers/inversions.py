#!/usr/bin/env python3
"""Inversions of held-out pictures of the demo's world: how near they come, and whether they can still be edited.

    python3 bench/peers/inversions.py BUILD/chladni WORK [--out R.json] [--sheet S.png] [...]    (numpy, Pillow)

A calm scene that no training has seen is inverted by optimisation from the mean of W, by an encoder, and by both; then the generator
is tuned to it. Per way, the mean over the pictures: squared differences of pixels in [-1, 1], the CLIP distance 1 - cosine, processor
seconds, and what the judge sees in edits that begin there, by one held-out sound of each kind: `chladni eval edits`, of every picture in
its own generator, with the same sounds for every way. What is in WORK already is not made again; an encoder is trained there first.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "..", "weights", "demo")
GENERATOR = os.path.join(DEMO, "generator.safetensors")
CLIP = ["--clip", os.path.join(DEMO, "clip.safetensors")]
AUDIO = ["--audio", os.path.join(DEMO, "audio.safetensors")]
KINDS = ["rain", "fire", "wind"]
# of tools/demo.sh, but for the steps: 150 there
EDIT = "--space shared --fixed-mask --latent-weight-relative 0.3 --lr 0.3 --adam-eps 0.01 --steps 60".split()
TRAINING = "--steps 250 --batch 8 --rate 3e-3 --average 0.98 --sizes width=16,depths=1-1-1-1".split()
OWN = "the scene's own code"
STARTS = {"optimisation": "mean", "encoder": "encoder", "encoder + optimisation": "both"}
TUNED = " + tuning"
ATTRIBUTES = ["time", "season", "house"]


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    return result.stdout


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_stages(*command):
    """Processor seconds of each stage ("inverting", "tuning") that tells its first and its last step."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    first, seconds, told = {}, {}, []
    for line in process.stderr:
        now = processor_seconds(process.pid)
        told.append(line)
        step = re.match(r"(\w+) step (\d+)/(\d+) ", line)
        if step and step[2] == "1":
            first[step[1]] = now
        if step and step[2] == step[3] and int(step[3]) > 1:
            n = int(step[3])
            seconds[step[1]] = (now - first[step[1]]) * n / (n - 1)
    if process.wait():
        sys.exit(f"{' '.join(command)}: {''.join(told)}")
    return seconds


def encoding_seconds(given, case):
    """Processor seconds of an edit of a picture beyond those of an edit of its code: the encoder is opened, and run once."""
    edit = [given.program, "edit", "--generator", GENERATOR, *CLIP, *AUDIO, "--sound", os.path.join(DEMO, "sounds", "rain.ogg"), "--steps", "1", "--out", case.path("e.png")]
    took = []
    for source in (["--image", case.photo, "--encoder", given.encoder], ["--latent", case.path("encoder.npy")]):
        runs = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run(*edit, *source)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            runs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        took.append(min(runs))
    return took[0] - took[1]


def world(program, folder, *options):
    if not os.path.exists(os.path.join(folder, "pairs.jsonl")):
        run(program, "world", "--out", folder, *options)
    return folder


def lines_of(folder):
    with open(os.path.join(folder, "pairs.jsonl")) as file:
        return [json.loads(line) for line in file]


def some_sounds(program, work):
    """The held-out sounds of KINDS alone."""
    everything, folder = world(program, os.path.join(work, "held-out"), "--split", "test", "--count", "200", "--seed", "3"), os.path.join(work, "sounds")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "pairs.jsonl"), "w") as file:
        for line in lines_of(everything):
            if line["kind"] in KINDS:
                line["sound"] = os.path.join("..", "held-out", line["sound"])
                file.write(json.dumps({key: line[key] for key in ("sound", "label", "kind", "strength") if key in line}) + "\n")
    return folder


def trained_encoder(program, work):
    folder = os.path.join(work, "encoder")
    if not os.path.exists(os.path.join(folder, "model.safetensors")):
        data = world(program, os.path.join(work, "data"), *"--split train --count 3000 --no-sounds --bias 0 --seed 1 --min-strength 0.3".split())
        run(program, "train", "encoder", "--data", data, "--generator", GENERATOR, *CLIP, "--out", folder, *TRAINING)
    return os.path.join(folder, "model.safetensors")


def own_scene(photos, i, folder):
    """A folder of one scene, as --sources has them."""
    os.makedirs(folder, exist_ok=True)
    np.save(os.path.join(folder, "latents.npy"), np.load(os.path.join(photos, "latents.npy"))[i : i + 1])
    with open(os.path.join(folder, "pairs.jsonl"), "w") as file:
        file.write("{}\n")
    return folder


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float64) / 127.5 - 1


def embedding(program, picture, by=CLIP, suffix=".npy"):
    out = picture + suffix
    if not os.path.exists(out):
        run(program, "embed", "--image", picture, *by, "--out", out)
    return np.load(out).reshape(-1)


class Case:
    """One picture by all ways."""

    def __init__(self, given, i):
        self.given, self.i = given, i
        self.photo = os.path.join(given.photos, "pictures", f"{i:05d}.png")
        self.folder = os.path.join(given.work, "cases", f"{i:02d}")
        os.makedirs(self.folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def invert(self, start):
        """Writes START.safetensors, the tuned generator, and START.npy, the code; the seconds."""
        report = self.path(start + ".json")
        if not os.path.exists(report):
            g = self.given
            how = {"mean": ["--invert-steps", str(g.invert)],
                   "encoder": ["--encoder", g.encoder, "--invert-steps", "0"],
                   "both": ["--encoder", g.encoder, "--invert-steps", str(g.both)]}[start]  # fmt: skip
            seconds = run_stages(g.program, "edit", "--generator", GENERATOR, *CLIP, *AUDIO, "--image", self.photo, "--sound", os.path.join(DEMO, "sounds", "rain.ogg"),
                                 *how, "--tune", str(g.tune), "--save-tuned", self.path(start + ".safetensors"), "--steps", "1", "--out", self.path("e.png"))  # fmt: skip
            with open(report, "w") as file:
                json.dump(seconds, file)
        with open(report) as file:
            return json.load(file)

    def near(self, start, generator, name):
        out = self.path(name + ".png")
        if not os.path.exists(out):
            run(self.given.program, "generate", "--generator", generator, "--latent", self.path(start + ".npy"), "--out", out)
        p, face = self.given.program, ["--face", self.given.face]
        found = {"l2": np.mean((pixels(self.photo) - pixels(out)) ** 2), "clip": 1 - float(embedding(p, self.photo) @ embedding(p, out))}
        if self.given.face:
            found["identity"] = float(embedding(p, self.photo, face, "-face.npy") @ embedding(p, out, face, "-face.npy"))
        return found

    def edits(self, source, generator, name):
        report, g = self.path(name + "-edits.json"), self.given
        if not os.path.exists(report):
            run(g.program, "eval", "edits", "--generator", generator, *CLIP, *AUDIO, "--judge", os.path.join(DEMO, "judge.safetensors"), "--sources", source, "--sounds", g.sounds,
                "--seed", str(self.i), "--limit", "1", "--gate", "0", "--intensity", "0", *EDIT, "--sheet", self.path(name + "-edits.png"), "--out", report)  # fmt: skip
        with open(report) as file:
            trials = json.load(file)["trials"]
        truth = [self.given.truth[self.i][a] for a in ATTRIBUTES]
        named = [t["named"] == t["kind"] for t in trials]
        kept = [all(t[a][0] == t[a][1] for a in ATTRIBUTES) for t in trials]
        true = [[t[a][1] for a in ATTRIBUTES] == truth for t in trials]
        return {"named_right": np.mean(named), "kept": np.mean(kept), "both": np.mean(np.logical_and(named, kept)),
                "start_true": float([trials[0][a][0] for a in ATTRIBUTES] == truth),
                "named_and_true": np.mean(np.logical_and(named, true))}  # fmt: skip

    def measure(self, way):
        if way == OWN:
            return self.edits(own_scene(self.given.photos, self.i, self.path("own")), GENERATOR, "own") if self.i < self.given.edited else {}
        start, tuned = STARTS[way.removesuffix(TUNED)], way.endswith(TUNED)
        took = self.invert(start)
        generator, name = (self.path(start + ".safetensors"), start + "-tuned") if tuned else (GENERATOR, start)
        found = {**self.near(start, generator, name), "seconds": took.get("inverting", 0) + (took["tuning"] if tuned else 0) + (0 if start == "mean" else self.given.encoding)}
        return {**found, **self.edits(self.path(start + ".npy"), generator, name)} if self.i < self.given.edited else found


def interval(values):
    draw = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    return np.quantile(np.asarray(values)[draw].mean(axis=1), [0.025, 0.975])


def summary(rows):
    found = {key: [row[key] for row in rows if key in row] for key in rows[0]}
    return {key: {"pictures": len(v), "mean": round(float(np.mean(v)), 5), "interval": [round(float(x), 5) for x in interval(v)]} for key, v in found.items()}


def write_sheet(cases, path, rows):
    """A row per picture: the photo, then each way's picture, each with its edit by rain below."""
    names = [s + t for s in STARTS.values() for t in ("", "-tuned")]
    side = 128
    column = 1 + list(dict.fromkeys(line["kind"] for line in lines_of(cases[0].given.sounds))).index("rain")
    sheet = Image.new("RGB", (side * (1 + len(names)), 2 * side * rows), "white")
    for r, case in enumerate(cases[:rows]):
        sheet.paste(Image.open(case.photo), (0, 2 * side * r))
        for c, name in enumerate(names):
            sheet.paste(Image.open(case.path(name + ".png")), (side * (c + 1), 2 * side * r))
            edits = Image.open(case.path(name + "-edits.png")).convert("RGB")
            w = edits.width // (1 + len(KINDS))
            sheet.paste(edits.crop((column * w, 0, (column + 1) * w, edits.height)).resize((side, side)), (side * (c + 1), side * (2 * r + 1)))
    sheet.save(path)


def machine():
    with open("/proc/cpuinfo") as file:
        return {"cpu": re.search(r"model name\s*: (.*)", file.read())[1], "cores": os.cpu_count()}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("work")
    for name, value in (("pictures", 20), ("invert", 300), ("both", 100), ("tune", 100), ("edited", 20), ("at-once", 2)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--face", help="also the cosine of this ArcFace's embeddings of picture and inversion: for worlds with faces")
    parser.add_argument("--out")
    parser.add_argument("--sheet")
    parser.add_argument("--sheet-rows", type=int, default=6)
    parser.add_argument("--ways", default="", help="only these, separated by commas")
    return parser.parse_args()


def main():
    given = arguments()
    given.work = os.path.abspath(given.work)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.makedirs(given.work, exist_ok=True)
    given.photos = world(given.program, os.path.join(given.work, "photos"), "--split", "calm", "--count", str(given.pictures), "--seed", "77")
    given.truth = lines_of(given.photos)
    given.sounds = some_sounds(given.program, given.work)
    ways = given.ways.split(",") if given.ways else [OWN] + [start + tuned for start in STARTS for tuned in ("", TUNED)]
    given.encoder = trained_encoder(given.program, given.work) if any("encoder" in way for way in ways) else None
    cases = [Case(given, i) for i in range(given.pictures)]
    if given.encoder:
        cases[0].invert("encoder")
        given.encoding = encoding_seconds(given, cases[0])
    found = {}
    for way in ways:
        with ThreadPoolExecutor(given.at_once) as pool:
            rows = list(pool.map(lambda case: case.measure(way), cases))
        found[way] = summary(rows)
        print(way, *(f"{key} {value['mean']:.5f}" for key, value in found[way].items()), flush=True)
    if given.out:
        settings = {name: getattr(given, name) for name in ("pictures", "edited", "invert", "both", "tune")}
        with open(given.out, "w") as file:
            json.dump({"workload": "inversions", "machine": machine(), "commit": run("git", "-C", HERE, "rev-parse", "HEAD").strip(), "settings": {**settings, "kinds": KINDS, "edit": " ".join(EDIT), "training": " ".join(TRAINING)}, "ways": found}, file, indent=1)
            file.write("\n")
    if given.sheet:
        write_sheet(cases, given.sheet, given.sheet_rows)


if __name__ == "__main__":
    main()
