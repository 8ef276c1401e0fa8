#!/usr/bin/env python3
"""Statistics of adversarial trainings of the engine beside those of bench/peers/gan.py, run by run of the same seed.

    bench/peers/gan_compare.py --data PICTURES --clip CLIP --pair OURS THEIRS --pair OURS THEIRS ... --out gan.json

OURS is a run of `chladni train gan --clip CLIP --pictures-every K`, whose log has the FID, THEIRS one of gan.py
with --save-every K, whose models `chladni eval pictures` measures. Prints a table: losses, means over spans of steps, and FID;
each the mean over the pairs and half the range of its values.
"""
import argparse
import json
import os
import re
import subprocess

TERMS = ("generator", "fake", "real", "r1", "path_length")


def read_losses(run):
    with open(os.path.join(run, "stats.jsonl"), encoding="utf-8") as lines:
        return [json.loads(line)["terms"] for line in lines]


def logged_fid(run):
    with open(os.path.join(run, "log.txt"), encoding="utf-8") as log:
        return {int(step): float(fid) for step, fid in re.findall(r"step (\d+): FID ([-\d.]+)", log.read())}


def measured_fid(run, options):
    found = {}
    for name in sorted(os.listdir(run)):
        match = re.fullmatch(r"model-(\d+)\.safetensors", name)
        if match:
            report = subprocess.run([options.program, "eval", "pictures", "--generator", os.path.join(run, name), "--data", options.data,
                                     "--clip", options.clip, "--limit", str(options.limit), "--json"],
                                    check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            found[int(match[1])] = json.loads(report)["distances"]["fid"]
    return found


def spans(steps):
    ends = [end for end in (500, 1000, 2000, 3000, 4000, 6000, 8000) if end < steps] + [steps]
    return list(zip([0] + ends, ends))


def means(runs, term, begin, end):
    out = []
    for run in runs:
        values = [step[term] for step in run[begin:end] if term in step]
        out.append(sum(values) / len(values))
    return out


def told(values, digits):
    return f"{sum(values) / len(values):.{digits}f} ± {(max(values) - min(values)) / 2:.{digits}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--clip", required=True)
    parser.add_argument("--pair", nargs=2, action="append", required=True, metavar=("OURS", "THEIRS"))
    parser.add_argument("--program", default="build/chladni")
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    ours, theirs = ([read_losses(pair[i]) for pair in options.pair] for i in range(2))
    steps = min(map(len, ours + theirs))
    with open(os.path.join(options.pair[0][0], "options.json"), encoding="utf-8") as file:
        settings = json.load(file)
    report = {"workload": "gan", "pairs": len(options.pair), "steps": steps, "settings": settings, "losses": {}, "fid": {}}
    rows = spans(steps)
    print("| steps | " + " | ".join(f"{b + 1} to {e}" for b, e in rows) + " |\n|" + "---|" * (len(rows) + 1))
    for term in TERMS:
        for name, runs in (("engine", ours), ("PyTorch", theirs)):
            values = [means(runs, term, *span) for span in rows]
            report["losses"].setdefault(term, {})[name] = values
            print(f"| {term}, {name} | " + " | ".join(told(v, 3) for v in values) + " |")
    fids = {"engine": [logged_fid(pair[0]) for pair in options.pair], "PyTorch": [measured_fid(pair[1], options) for pair in options.pair]}
    at = sorted(set.intersection(*(set(found) for runs in fids.values() for found in runs)))
    print("\n| step | " + " | ".join(map(str, at)) + " |\n|" + "---|" * (len(at) + 1))
    for name, runs in fids.items():
        report["fid"][name] = {step: [found[step] for found in runs] for step in at}
        print(f"| FID, {name} | " + " | ".join(told(report["fid"][name][step], 2) for step in at) + " |")
    with open(options.out, "w", encoding="utf-8") as out:
        json.dump(report, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
