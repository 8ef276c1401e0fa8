#!/usr/bin/env python3
"""Workers of a batch die at random moments; every edit is done once, with the bytes of an unbroken run.

  batch.py PROGRAM FIXTURES DEMO_WEIGHTS                          a sample, for every day
  batch.py PROGRAM FIXTURES DEMO_WEIGHTS --jobs 1000 --kills 100  more

Two workers on one folder are killed (SIGKILL) and started again until as many have died as asked for; then
they may finish. One row in twenty has a sound that is none. After each kill: no finished picture was touched,
none is cut. At the end: the pictures and their recipes are the unbroken run's, byte for byte, the journals
say once that each was done, and the rows that failed are the bad ones."""
import argparse, collections, glob, json, os, random, shutil, signal, subprocess, sys, tempfile, time


def wrong(text):
    print("WRONG", text)
    sys.exit(1)


class Batch:
    def __init__(self, program, fixtures, weights, jobs, steps):
        self.program, self.jobs = os.path.abspath(program), jobs
        self.root = tempfile.mkdtemp(prefix="chladni-batch-")
        at = lambda name: os.path.join(self.root, name)
        self.environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
        weight = lambda name: os.path.join(os.path.abspath(weights), name + ".safetensors")
        shutil.copy(os.path.join(fixtures, "sound", "rain.wav"), at("rain.wav"))
        self.bad = set()
        with open(at("jobs.jsonl"), "w") as file:
            for i in range(jobs):
                job = {"seed": i, "sound": "rain.wav"}
                if i % 20 == 13:
                    job["sound"] = "bad%d.wav" % (i % 40)
                    self.bad.add(i + 1)
                file.write(json.dumps(job) + "\n")
        with open(at("bad13.wav"), "w") as file:  # bad33.wav is missing
            file.write("no sound")
        self.command = [self.program, "batch", at("jobs.jsonl"), "--generator", weight("generator-32"), "--clip", weight("clip"),
                        "--audio", weight("audio"), "--steps", str(steps), "--batch", "4"]

    def start(self, out):
        return subprocess.Popen(self.command + ["--out", out], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def results(self, out):
        files = {}
        for path in glob.glob(os.path.join(out, "results", "*")):
            if not path.endswith(".tmp"):
                with open(path, "rb") as file:
                    files[os.path.basename(path)] = file.read()
        return files


def pictures(out):
    found = {}
    for path in glob.glob(os.path.join(out, "results", "*.png")):
        about = os.stat(path)
        found[path] = (about.st_ino, about.st_mtime_ns)
        with open(path, "rb") as file:
            if not file.read().endswith(b"IEND\xaeB`\x82"):
                wrong("%s is cut" % path)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("fixtures")
    parser.add_argument("weights")
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    batch = Batch(options.program, options.fixtures, options.weights, options.jobs, options.steps)
    whole, out = os.path.join(batch.root, "whole"), os.path.join(batch.root, "out")
    try:
        began = time.time()
        text = (first := batch.start(whole)).communicate()[1]
        seconds = time.time() - began
        if first.returncode != 3 or len(batch.results(whole)) != 2 * (options.jobs - len(batch.bad)):
            wrong("the unbroken run: exit %d: %s" % (first.returncode, text))
        kills, kept, workers, ends = 0, {}, [batch.start(out), batch.start(out)], 0
        pause = 2 * seconds / max(options.kills, 1)
        while kills < options.kills:
            victim = chance.randrange(2)
            limit = time.time() + chance.uniform(0, min(pause, seconds / 2))
            while workers[victim].poll() is None and time.time() < limit:
                time.sleep(0.005)
            if workers[victim].poll() is None:
                workers[victim].send_signal(signal.SIGKILL)
                kills += 1
            else:  # the batch is complete
                ends += 1
                if workers[victim].returncode != 3:
                    wrong("a worker: exit %d: %s" % (workers[victim].returncode, workers[victim].stderr.read()))
            workers[victim].communicate()
            now = pictures(out)
            for path, about in kept.items():
                if now.get(path) != about:
                    wrong("%s was touched" % path)
            kept = now
            if ends > 3:  # nothing is left to do: from the beginning, and without the other worker, which still writes
                workers[1 - victim].communicate()
                shutil.rmtree(out)
                kept, ends = {}, 0
                workers[1 - victim] = batch.start(out)
            workers[victim] = batch.start(out)
        for worker in workers:
            text = worker.communicate()[1]
            if worker.returncode != 3:
                wrong("a worker at the end: exit %d: %s" % (worker.returncode, text))
        if batch.results(out) != batch.results(whole):
            wrong("the results are not the unbroken run's")
        done = collections.Counter()
        for path in glob.glob(os.path.join(out, "work", "journal", "*")):
            with open(path) as file:
                lines = [line for line in file if line.endswith("\n")]  # one that was cut by a kill is none
            done.update(entry["id"] for entry in map(json.loads, lines) if entry["status"] == "done")
        if len(done) != options.jobs - len(batch.bad) or max(done.values()) != 1:
            wrong("the journals say %d edits, the most frequent %d times" % (len(done), max(done.values())))
        with open(os.path.join(out, "results.jsonl")) as file:
            rows = [json.loads(line) for line in file]
        if {row["line"] for row in rows if row["status"] == "failed"} != batch.bad or len(rows) != options.jobs:
            wrong("the failed rows are not the bad ones")
        print("%d edits, %d of them bad; %d kills; an unbroken run takes %.1f s" % (options.jobs, len(batch.bad), kills, seconds))
    finally:
        shutil.rmtree(batch.root, ignore_errors=True)


if __name__ == "__main__":
    main()
