"""Puts the tables of docs/performance.md between its markers, from bench/results/cpu-*.json.

    python bench/report.py
"""

import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results: written by bench/report.py -->", "<!-- end of results -->"
ORDER = ("mel", "clip", "swin", "stylegan2", "wplus", "wplus-face")
# what the project set itself, on a machine with AVX-512: (workload, peer) -> ratio
TARGETS = {
    ("mel", "torch.stft"): 4.0,
    ("swin", "tuned"): 1.35,
    ("wplus", "tuned"): 2.5,
    ("wplus", "authors"): 4.5,
    ("wplus-face", "tuned"): 2.5,
    ("wplus-face", "authors"): 4.5,
}


def family(peer):
    return "tuned" if peer.startswith("tuned") else peer


def milliseconds(seconds):
    low, high = seconds["quartiles"]
    return f"{1e3 * seconds['median']:.1f} ({1e3 * low:.1f} – {1e3 * high:.1f})"


def rows(record):
    for result in record["results"]:
        siblings = [r for r in record["results"] if r["variant"] == result["variant"]]
        rivals = [r["ratio"]["median"] for r in siblings if family(r["peer"]) == family(result["peer"])]
        ratio = result["ratio"]["median"]
        low, high = result["ratio"]["interval95"]
        target = TARGETS.get((record["workload"], family(result["peer"])))
        verdict = ""
        if target and ratio == min(rivals):  # the faster form of a peer is what counts
            verdict = f"≥ {target}: " + ("met" if ratio >= target else "**missed**")
        ours, theirs = result["seconds"]["chladni"], result["seconds"][result["peer"]]
        yield (
            f"| {result['variant']} | {milliseconds(ours)} | {result['peer']} | {milliseconds(theirs)} "
            f"| {ratio:.2f} ({low:.2f} – {high:.2f}) | {verdict} |"
        )


def describe(record):
    m = record["machine"]
    about = record["results"][0]["about"]
    peer = next(a for name, a in about.items() if name != "chladni")
    wide = "with" if any(f.startswith("avx512") for f in m["isa"]) else "without"
    return (
        f"{m['cpu']}, {m['cores']} cores, {wide} AVX-512, {m['memory_gb']} GB; commit {record['commit']}; "
        f"{record['threads']} threads; PyTorch {peer.get('torch', 'of mel_torch.py')}; compiler {about['chladni']['compiler']}; "
        f"{record['runs']} interleaved runs"
    )


def main():
    records = []
    for workload in ORDER:
        path = ROOT / "bench" / "results" / f"cpu-{workload}.json"
        if path.exists():
            records.append(json.loads(path.read_text()))
    lines = [BEGIN, ""]
    for text in dict.fromkeys(describe(r) for r in records if r["results"]):
        lines.append(f"- {text}")
    lines += ["", "Median and quartiles in milliseconds; the ratio is the median of the rounds' ratios with its 95 % interval.", ""]
    lines += ["| workload | chladni | peer | peer's time | ratio | goal |", "|---|---|---|---|---|---|"]
    for record in records:
        lines += list(rows(record))
    lines += ["", END]
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + "\n".join(lines) + rest.split(END)[1])


if __name__ == "__main__":
    main()
