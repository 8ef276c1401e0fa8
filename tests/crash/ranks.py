#!/usr/bin/env python3
"""Ranks of a training are killed at random moments; resumed, it has the bits of an unbroken run.

  ranks.py PROGRAM            a sample, for every day
  ranks.py PROGRAM --full     64 kills
  ranks.py ... --seed N       other moments

A case starts --ranks 2 or 3 and sends SIGKILL to one rank: at a random moment of the run, its start included, or
when the temporary file of a checkpoint is there, which is before, while or just after it gets its name. The
parent must end within a minute; --resume with the same number of ranks must give the unbroken run's
model, checkpoint, and lines of stats.jsonl. Prints a row per number of ranks and kind of moment."""
import argparse, json, os, random, shutil, signal, subprocess, sys, tempfile, time

STEPS, EVERY, BATCH = 24, 4, 12
FULL, DAILY = 16, {2: (2, 2), 3: (1, 0)}  # kills of each kind; by ranks: at random moments, in checkpoints


class Bench:
    def __init__(self, program, seed):
        self.program, self.random = os.path.abspath(program), random.Random(seed)
        self.root = tempfile.mkdtemp(prefix="chladni-ranks-")
        self.environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            self.environment.pop(name, None)
        subprocess.run([self.program, "world", "--out", self.path("data"), "--count", str(BATCH), "--seconds", "1",
                        "--size", "32", "--seed", "3"], check=True, capture_output=True)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def start(self, run, ranks, *more):
        return subprocess.Popen(
            [self.program, "train", "audio", "--data", self.path("data"), "--out", self.path(run), "--device", "cpu",
             "--batch", str(BATCH), "--weight-text", "0", "--weight-image", "0", "--weight-weak-pair", "0", "--sizes",
             "patch=32,embed=64,depths=2,heads=4", "--steps", str(STEPS), "--save-every", str(EVERY), "--ranks",
             str(ranks), *more], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)

    def finish(self, process):
        """Its code, or None after a minute; what it said."""
        try:
            said = process.communicate(timeout=60)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            process.kill()
            return None, process.communicate()[1].decode(errors="replace")
        return process.returncode, said

    def result(self, run):
        found = {}
        for name in ("model.safetensors", "checkpoint.safetensors"):
            with open(self.path(run, name), "rb") as file:
                found[name] = file.read()
        with open(self.path(run, "stats.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        found["stats.jsonl"] = [{key: value for key, value in line.items() if key in ("step", "loss", "terms", "rate")}
                                for line in lines]
        return found


def rank_of(parent, rank):
    """The process of a rank; None: not there yet, or no more."""
    try:
        with open(f"/proc/{parent}/task/{parent}/children") as file:
            children = [int(word) for word in file.read().split()]
    except OSError:
        return None
    for child in children:
        try:
            with open(f"/proc/{child}/environ", "rb") as file:
                if b"RANK=%d" % rank in file.read().split(b"\0"):
                    return child
        except OSError:
            pass
    return None


def writes_checkpoint(folder):
    try:
        return any(name.startswith("checkpoint.safetensors.") for name in os.listdir(folder))
    except OSError:
        return False


def kill(bench, process, run, ranks, in_checkpoint, seconds):
    """Kills a rank and returns which; None: the run was over."""
    rank = bench.random.randrange(ranks)
    begin = time.monotonic()
    if in_checkpoint:
        rank = bench.random.choice([0, 0, rank])  # rank 0 writes it
        wanted, seen, before = bench.random.randrange(1, STEPS // EVERY), 0, False
        victim = None
        while process.poll() is None and seen < wanted:
            victim = victim or rank_of(process.pid, rank)
            now = writes_checkpoint(bench.path(run))
            seen += now and not before
            before = now
        time.sleep(bench.random.choice([0, 0, 0, 0.001, 0.003]))
    else:
        time.sleep(bench.random.uniform(0, seconds))
        victim = rank_of(process.pid, rank)
    while not victim and process.poll() is None and time.monotonic() < begin + 10:
        victim = rank_of(process.pid, rank)
    if not victim or process.poll() is not None:
        return None
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return rank


def case(bench, ranks, in_checkpoint, seconds, expected, counts):
    run = f"run-{ranks}"
    shutil.rmtree(bench.path(run), ignore_errors=True)
    process = bench.start(run, ranks)
    begin = time.monotonic()
    rank = kill(bench, process, run, ranks, in_checkpoint, seconds)
    struck = time.monotonic() - begin
    code, said = bench.finish(process)
    if rank is None:
        return "over" if code == 0 else f"exit code {code} of a run that nobody harmed: {said[-400:]}"
    counts["half"] += writes_checkpoint(bench.path(run))
    counts["end"] = max(counts["end"], time.monotonic() - begin - struck)
    what = f"{ranks} ranks, rank {rank} killed after {struck:.3f} s"
    if code is None:
        return f"{what}: the parent does not end within a minute: {said[-400:]}"
    if code != 0 and f"rank {rank} was ended by signal 9" not in said:
        return f"{what}: the rank is not named: {said[-400:]}"
    code, said = bench.finish(bench.start(run, ranks, "--resume"))
    if code != 0:
        return f"{what}: resuming ends with {code}: {said[-400:]}"
    for name, data in bench.result(run).items():
        if data != expected[name]:
            return f"{what}: {name} is not that of the unbroken run"
    left = [name for name in os.listdir(bench.path(run)) if name.endswith(".tmp")]
    return f"{what}: {left} is left" if left else "good"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    bench = Bench(arguments.program, arguments.seed)
    wrong = 0
    try:
        for ranks in (2, 3):
            begin = time.monotonic()
            code, said = bench.finish(bench.start("whole", ranks))
            seconds = time.monotonic() - begin
            if code != 0:
                sys.exit(f"ranks.py: the unbroken run ends with {code}: {said}")
            expected = bench.result("whole")
            shutil.rmtree(bench.path("whole"))
            for in_checkpoint in (False, True):
                wanted = FULL if arguments.full else DAILY[ranks][in_checkpoint]
                counts = {"half": 0, "end": 0}
                good = tries = 0
                while good < wanted and tries < 3 * wanted:
                    tries += 1
                    found = case(bench, ranks, in_checkpoint, seconds, expected, counts)
                    good += found == "good"
                    if found not in ("good", "over"):
                        wrong += 1
                        print(f"WRONG: {found}")
                if wanted:
                    print(f"{ranks} ranks, {'in checkpoints' if in_checkpoint else 'at random moments':17}: {good} of {wanted} resumed "
                          f"to the same bits, {counts['half']} with a checkpoint half written, ended within {counts['end']:.1f} s",
                          flush=True)
                wrong += good < wanted
    finally:
        shutil.rmtree(bench.root, ignore_errors=True)
    sys.exit(wrong > 0)


main()
