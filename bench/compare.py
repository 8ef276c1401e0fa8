"""Times chladni against PyTorch: equality first, then interleaved runs; prints and writes JSON.

    python bench/compare.py wplus --ours build/chladni-bench --out bench/results/cpu-wplus.json
    python bench/compare.py wplus --peer "tcmalloc: LD_PRELOAD=libtcmalloc_minimal.so.4 --form scaled"
    python bench/compare.py loader --list files.txt --threads 2 --ours build/bench/chladni-bench
    python bench/compare.py wplus-face --device cuda --bf16 --size 1024 --batch 8 --ours build/bench/chladni-bench

Each contestant is a process that answers timed runs over a pipe (docs/performance.md, "Protocol"). Only one is awake at
a time: the others are stopped, so that their spinning threads cost nothing. `--peer` replaces the default peers;
without `--ours` the first peer is what the others are compared with. PYTHON=... in a peer names its interpreter.
"""

import argparse
import atexit
import json
import os
import pathlib
import platform
import random
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# What differs from the median of the machine's own float32 noise: leaky ReLU and clamp switch sides where their
# argument is within rounding of zero, which moves gradients by about sqrt(rounding error); see docs/performance.md.
TOLERANCE_VALUE, TOLERANCE_GRADIENT = 1e-3, 2e-2
# The larger one also holds for "sounds", mel pictures of files: torchaudio resamples otherwise than soxr.

# glibc gives every large map back to the system and faults it in again at the next step; that cost the peers a quarter
MALLOC = "MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_MMAP_THRESHOLD_=4294967296"
FROZEN = "TORCHINDUCTOR_FREEZING=1"  # constant folding and weight packing, inference only


def tuned(options="", compiled="", environment=""):
    """PyTorch as fast as it was got, without and with its compiler, which wants the FIR filter as sums of shifts."""
    return [
        f"tuned: {MALLOC} --form scaled {options}",
        f"tuned and compiled: {MALLOC} {environment} --form scaled --compile default {options} {compiled}",
    ]


def authors(options=""):
    return [f"authors: {MALLOC} --form authors {options}"]


# What --bf16 races: the authors' way (CLIP in half precision, float32 with TF32 elsewhere), every trick, plain eager
P0, P2 = "P0: --form authors --clip-dtype float16", "P2: --form scaled --dtype bfloat16"
P1 = "P1: --form scaled --dtype bfloat16 --compile max-autotune-no-cudagraphs --graph"

# workload -> variants: (name, chladni-bench arguments, peers)
WORKLOADS = {
    "mel": [("log-mel, 8 clips", "mel --batch 8", [f"torch.stft: {MALLOC} --batch 8"])],
    "loader": [("sound files to mel pictures", "loader", ["librosa: --by librosa", "torchaudio: --by torchaudio"])],
    "swin": [("Swin-T training, batch 8", "swin --batch 8", tuned("--batch 8"))],
    "stylegan2": [
        (
            "StyleGAN2 256, forward",
            "stylegan2 --forward-only",
            tuned("--forward-only", "--fir shifts", FROZEN) + authors("--forward-only"),
        ),
        ("StyleGAN2 256, forward and backward", "stylegan2", tuned(compiled="--fir shifts") + authors()),
    ],
    "clip": [("CLIP image tower, forward", "clip", tuned(environment=FROZEN))],
    "wplus": [
        ("W+ step at 256", "wplus", tuned(compiled="--fir shifts")),
        ("W+ step at 256, authors' preparation", "wplus --compatible", authors()),
    ],
    "wplus-face": [
        ("W+ step at 256, ArcFace", "wplus --face", tuned("--face", "--fir shifts")),
        ("W+ step at 256, ArcFace, authors' preparation", "wplus --face --compatible", authors("--face")),
    ],
}
IN_BF16 = {
    "mel": [("log-mel, float", "mel", ["torch.stft: --power abs"])],
    "swin": [("Swin-T, forward and backward", "swin", [P1.replace("-no-cudagraphs --graph", ""), P2])],
    "stylegan2": [("StyleGAN2, forward and backward", "stylegan2", [P1, P2])],
    "clip": [("CLIP image tower, forward", "clip", [P1, P2])],
    "wplus": [("W+ step", "wplus", [P1, P2]), ("W+ step, authors' preparation", "wplus --compatible", [P0])],
    "wplus-face": [
        ("W+ step, ArcFace", "wplus --face", [f"{P1} --face", f"{P2} --face"]),
        ("W+ step, ArcFace, authors' preparation", "wplus --face --compatible", [f"{P0} --face"]),
    ],
}


class Contestant:
    def __init__(self, name, command, environment=None):
        self.name, self.command, self.seconds = name, command, []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
        )
        atexit.register(self.process.kill)  # a stopped process would outlive us
        self.expect(lambda line: line == "ready")
        self.about = json.loads(self.ask("about"))
        self.about["environment"] = environment or {}
        self.sleep()

    def expect(self, accept):
        line = self.process.stdout.readline().strip()
        if not line or line.startswith("error") or not accept(line):
            sys.exit(f"{self.name}: {shlex.join(map(str, self.command))} answered {line!r}")
        return line

    def ask(self, request):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(request + "\n")
        return self.expect(lambda line: True)

    def sleep(self):
        self.process.send_signal(signal.SIGSTOP)

    def run(self):
        seconds = float(self.ask("run"))
        self.sleep()
        return seconds

    def dump(self, folder):
        names = self.ask(f"dump {folder}").split()
        self.sleep()
        return names

    def quit(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("quit\n")
        self.process.wait()


def peer(text, workload, arguments, options):
    """`name: VARIABLE=value ... --option ...` -> a running peer."""
    name, _, rest = text.partition(":")
    environment, flags, python = {}, [], sys.executable
    for word in shlex.split(rest):
        key, equals, value = word.partition("=")
        if flags or not equals or key.startswith("-"):
            flags.append(word)
        elif key == "PYTHON":
            python = value
        else:
            environment[key] = value
    script = [str(HERE / "peers" / "mel_torch.py")]
    if workload == "loader":
        script = [str(HERE / "peers" / "loader.py")]
    elif workload != "mel":
        script = [str(HERE / "peers" / "serve.py"), workload.removesuffix("-face")]
    where = ["--threads", str(options.threads), "--device", options.device]
    return Contestant(name, [python, *script, *where, *flags, *arguments], environment)


def difference(a, b):
    import numpy as np

    a, b = a.astype(np.float64), b.astype(np.float64)
    if a.size != b.size:
        return float("inf")
    return float(np.linalg.norm(a.ravel() - b.ravel()) / max(np.linalg.norm(b.ravel()), 1e-30))


def arrays(contestant):
    """What it computed in its first run, by name."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        return {name: np.load(pathlib.Path(folder) / f"{name}.npy") for name in contestant.dump(folder)}


def tolerance(name):
    return TOLERANCE_VALUE if name in ("picture", "embedding", "loss", "mel") else TOLERANCE_GRADIENT


def check(who, found, against, expected, tolerances):
    """Relative L2 differences of arrays of the same names."""
    if set(found) != set(expected):
        sys.exit(f"{who} and {against} do not offer the same outputs")
    result = {}
    for name, bound in tolerances.items():
        error = difference(found[name], expected[name])
        result[name] = {"relative_difference": error, "tolerance": bound}
        print(f"  {who}, {name}: relative difference {error:.1e} (tolerance {bound:.0e})")
        if not error <= bound:
            sys.exit(f"{who} and {against} differ in {name}: nothing is timed")
    return result


class Reference:
    """In bf16 nobody is right: everybody is compared with PyTorch in float32, and may be off by twice what PyTorch in
    bf16 is, and by what float32 may be off."""

    def __init__(self, workload, variant, extra, options):
        _, _, peers = variant
        form = "--form authors" if "--form authors" in peers[0] else "--form scaled"
        form += " --face" if "--face" in peers[0] else ""
        float32 = first_run(peer(f"float32: {form}", workload, extra, options))
        bf16 = first_run(peer(f"bf16: {form} --dtype bfloat16", workload, extra, options))
        self.arrays = float32
        self.tolerances = {n: tolerance(n) + 2 * difference(bf16[n], float32[n]) for n in float32}


def first_run(contestant):
    contestant.run()
    found = arrays(contestant)
    contestant.quit()
    return found


def check_equal(ours, theirs, reference):
    """Both with the reference, or without one with each other."""
    a, b = arrays(ours), arrays(theirs)
    if reference:
        mine = check(ours.name, a, "float32", reference.arrays, reference.tolerances)
        return {ours.name: mine, theirs.name: check(theirs.name, b, "float32", reference.arrays, reference.tolerances)}
    return check(ours.name, a, theirs.name, b, {name: tolerance(name) for name in a})


def interval(values, function=statistics.median, draws=2000):
    """95 % bootstrap interval, reproducible."""
    generator = random.Random(0)
    n = len(values)
    found = sorted(function(generator.choices(values, k=n)) for _ in range(draws))
    return [found[int(0.025 * draws)], found[int(0.975 * draws) - 1]]


def spread(values):
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": middle, "quartiles": [low, high], "all": values}


def race(contestants, runs, warm):
    """Interleaved; every second round in the opposite order."""
    for _ in range(warm):
        for c in contestants:
            c.run()
    for i in range(runs):
        for c in contestants if i % 2 == 0 else contestants[::-1]:
            c.seconds.append(c.run())


def report(ours, theirs):
    ratios = [b / a for a, b in zip(ours.seconds, theirs.seconds)]
    low, high = interval(ratios)
    ratio = statistics.median(ratios)
    for c in (ours, theirs):
        c.about |= json.loads(c.ask("about"))  # the most memory they held
        c.sleep()
        s = spread(c.seconds)
        print(f"  {c.name}: {1e3 * s['median']:.1f} ms, quartiles {1e3 * s['quartiles'][0]:.1f} - {1e3 * s['quartiles'][1]:.1f}")
    print(f"  {theirs.name} takes {ratio:.2f} times as long (95 % interval {low:.2f} - {high:.2f})")
    return {
        "peer": theirs.name,
        "ratio": {"median": ratio, "interval95": [low, high], "quartiles": spread(ratios)["quartiles"]},
        "seconds": {ours.name: spread(ours.seconds), theirs.name: spread(theirs.seconds)},
        "about": {ours.name: ours.about, theirs.name: theirs.about},
        "commands": {ours.name: shlex.join(ours.command[1:]), theirs.name: shlex.join(theirs.command[2:])},
    }


def machine():
    cpu, flags = platform.processor(), []
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            cpu = value.strip()
        elif key.strip() == "flags":
            flags = [f for f in value.split() if f.startswith(("avx", "fma", "amx"))]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gb": round(memory / 1e9, 1), "isa": flags}


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "HEAD") + (" with local changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def compare(options, variant):
    name, arguments, peers = variant
    extra = ["--batch", str(options.batch)] if options.batch else []
    extra += ["--size", str(options.size)] if options.size and options.workload != "mel" else []
    extra += ["--list", options.list] if options.workload == "loader" else []
    results, ours, reference = [], None, None
    if options.bf16 and options.workload != "mel" and not options.skip_check:
        reference = Reference(options.workload, variant, extra, options)
    for text in options.peer or peers:
        print(f"{options.workload}: {name}, against {text.partition(':')[0]}")
        theirs = peer(text, options.workload, extra, options)
        if ours is None and not options.ours:
            ours = theirs
            ours.run()
            continue
        if options.ours:
            ours = chladni(options, arguments, extra)
            ours.run()
        ours.seconds, theirs.seconds = [], []
        theirs.run()
        equality = check_equal(ours, theirs, reference) if not options.skip_check else None
        if options.runs > 1:
            race([ours, theirs], options.runs, options.warm)
            results.append({"variant": name, "equality": equality, **report(ours, theirs)})
        theirs.quit()
        if options.ours:
            ours.quit()
    if ours is not None and not options.ours:
        ours.quit()
    return results


def chladni(options, arguments, extra):
    where = ["--device", options.device, "--threads", str(options.threads)]
    where += ["--bf16"] if options.bf16 and options.device != "cpu" else []  # our CPU backend knows float only
    return Contestant("chladni", [options.ours, *shlex.split(arguments), *extra, *where, "--serve"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--ours", help="chladni-bench; without it the first peer takes its place")
    parser.add_argument("--peer", action="append", help="'name: VARIABLE=value ... --option ...'")
    parser.add_argument("--variant", type=int, help="only this one of the workload's variants, from 0")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N, of both sides")
    parser.add_argument("--bf16", action="store_true", help="both sides in reduced precision; other peers: P0, P1, P2")
    parser.add_argument("--runs", type=int, default=20, help="timed runs of each; 0 only checks equality")
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int)
    parser.add_argument("--size", type=int)
    parser.add_argument("--list", help="loader: a file with a sound file a line")
    parser.add_argument("--skip-check", action="store_true", help="for tuning peers whose state has moved on")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    variants = (IN_BF16 if options.bf16 else WORKLOADS)[options.workload]
    if options.variant is not None:
        variants = [variants[options.variant]]
    results = []
    for variant in variants:
        results += compare(options, variant)
    if options.out:
        record = {"workload": options.workload, "machine": machine(), "commit": commit(), "threads": options.threads}
        record |= {"device": options.device, "bf16": options.bf16}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({**record, "runs": options.runs, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
