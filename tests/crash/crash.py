#!/usr/bin/env python3
"""Runs of the program die, or are refused, at every moment; nothing may be lost or wrong.

  crash.py PROGRAM FAULT_LIBRARY            a sample, for every day
  crash.py PROGRAM FAULT_LIBRARY --full     every file operation, 2000 allocations and more
  crash.py ... --only REGEX                 of "scenario/mode"

A scenario is a command and what it writes. It runs once unharmed, for the reference, and then again
and again with one fault (fault.c): killed at the N-th file operation, told to stop there, EIO or a
full disk from there on, the N-th allocation refused, the N-th of those that jansson makes, or all from one on. Two faults come without fault.c,
on two threads: an address space of a limited size, and a signal at a random moment. After each: what is under a final name is whole; exit 0
means the reference's bytes; another code comes with a text (of file errors: with a path); the same
command again (a training: with --resume) gives the reference's bits. A death by a signal that nobody
sent is a crash. Prints a row per scenario and mode, and a reproduction for each case that is wrong."""
import argparse, glob, json, os, random, re, resource, shutil, signal, subprocess, sys, tempfile, time

MODES = ("kill", "signal", "error", "full", "memory", "json", "starve", "limit", "moment")
FULL = {"kill": 150, "signal": 40, "error": 150, "full": 60, "memory": 250, "json": 150, "starve": 60, "limit": 40, "moment": 20}
# no limits of the address space in a sample: what fits below one depends on where the system maps libraries
DAILY = {"kill": 12, "signal": 4, "error": 12, "full": 6, "memory": 20, "json": 4, "starve": 8, "limit": 0, "moment": 2}
FOR_MEMORY = ("world", "zero-shot")  # a sample of their other faults would show nothing that the other scenarios do not
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR2, signal.SIGXCPU)
TIMEOUT = 120


class Scenario:
    def __init__(self, name, command, outputs, again=(), folder=""):
        self.name, self.command, self.outputs, self.again, self.folders = name, command, outputs, list(again), folder.split()


def stats_without_seconds(data):
    lines = [json.loads(line) for line in data.decode().splitlines()]
    for line in lines:
        for measured in ("seconds", "waited", "measured"):
            line.pop(measured)
    return lines


def events(data):
    """[(step, {tag: bits})] of an event file, without what stats_without_seconds leaves out."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                return value, at
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 8], "little")
        event, end = at + 12 + 9, at + 12 + size  # behind the time
        at = end + 4
        if data[event] != 0x10:  # the version
            continue
        step, event = varint(event + 1)
        _, event = varint(event + 1)
        values = {}
        while event < end:
            _, event = varint(event + 1)
            length, event = varint(event + 1)
            tag = data[event:event + length].decode()
            values[tag] = data[event + length + 1:event + length + 5]
            event += length + 5
        found.append((step, {tag: value for tag, value in values.items() if tag.split("/")[0] not in ("speed", "share_of_time", "memory")}))
    return found


READERS = {"stats.jsonl": stats_without_seconds, "events.out.tfevents.chladni": events}


def is_whole(data):
    """A PNG, .npy or safetensors file that has all of its bytes."""
    if data.startswith(b"\x89PNG"):
        return data.endswith(b"IEND\xaeB`\x82")
    if data.startswith(b"\x93NUMPY"):
        shape = re.search(rb"'shape': \(([\d, ]*)\)", data[:128]).group(1)
        count = 1
        for dim in shape.split(b","):
            count *= int(dim) if dim.strip() else 1
        return len(data) == 10 + int.from_bytes(data[8:10], "little") + 4 * count
    header = int.from_bytes(data[:8], "little")
    arrays = json.loads(data[8:8 + header])
    return len(data) == 8 + header + max(array["data_offsets"][1] for array in arrays.values())


class Bench:
    def __init__(self, program, library):
        self.program, self.library = os.path.abspath(program), os.path.abspath(library)
        self.root = tempfile.mkdtemp(prefix="chladni-crash-")
        self.out = os.path.join(self.root, "out")
        self.report = os.path.join(self.root, "report")
        self.plain = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", MALLOC_PERTURB_="85")
        self.threaded = dict(self.plain, OMP_NUM_THREADS="2")

    def run(self, command, threaded=False, **crash):
        environment = dict(self.threaded if threaded else self.plain)
        if crash:
            environment.update({"LD_PRELOAD": self.library, "CRASH_ROOT": self.root, "CRASH_REPORT": self.report})
            environment.update({"CRASH_" + key.upper(): str(value) for key, value in crash.items()})
        try:
            done = subprocess.run([self.program] + command, env=environment, cwd=self.root, timeout=TIMEOUT,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            return None, "hangs"
        return done.returncode, done.stderr.decode(errors="replace")

    def limited_run(self, command, megabytes):
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
        try:
            done = subprocess.run([self.program] + command, env=self.threaded, cwd=self.root, timeout=TIMEOUT, preexec_fn=limit,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            return None, "hangs"
        return done.returncode, done.stderr.decode(errors="replace")

    def interrupted_run(self, command, number, delay):
        process = subprocess.Popen([self.program] + command, env=self.threaded, cwd=self.root,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            time.sleep(delay)
            process.send_signal(number)
            return process.returncode if process.poll() is not None else process.wait(TIMEOUT), process.stderr.read().decode(errors="replace")
        except subprocess.TimeoutExpired:
            process.kill()
            return None, "hangs"

    def must(self, *command):
        code, text = self.run(list(command))
        if code != 0:
            sys.exit("crash: preparing: %s: exit %s: %s" % (" ".join(command), code, text))

    def prepare(self):
        at = lambda name: os.path.join(self.root, name)
        if self.run(["world", "--out", at("data"), "--count", "16", "--size", "32", "--seconds", "0.3"])[0] != 0:
            print("crash: skipped: the program has no world to make samples with")
            sys.exit(77)
        clip = "--sizes resolution=16,patch=8,width=64,layers=1,text_width=64,text_layers=1,embed=16,context=16 --batch 2".split()
        audio = ["--clip", at("clip/model.safetensors"), "--vocab", at("clip/merges.txt"), "--weight-weak-pair", "0",
                 "--sizes", "patch=16,embed=8,depths=1-1,heads=1-1,window=7", "--batch", "2"]
        generator = "--sizes resolution=16,base=64,max=8,w=8,mapping=1 --batch 2".split()
        self.must("train", "clip", "--data", at("data"), *clip, "--steps", "2", "--out", at("clip"))
        self.must("train", "audio", "--data", at("data"), *audio, "--steps", "2", "--out", at("audio"))
        self.must("train", "generator", "--data", at("data"), *generator, "--steps", "2", "--out", at("generator"))
        models = ["--generator", at("generator/model.safetensors"), "--clip", at("clip/model.safetensors"),
                  "--vocab", at("clip/merges.txt"), "--audio", at("audio/model.safetensors")]
        sound = at("data/sounds/00000.wav")
        # without tolerate a run goes on without the clip or picture that an error leaves unreadable
        schedule = ["--steps", "4", "--save-every", "2", "--tolerate", "0"]
        train = lambda kind, extra: ["train", kind, "--data", at("data"), *extra, *schedule, "--out", os.path.join(self.out, "run")]
        out = lambda name: os.path.join(self.out, name)
        os.mkdir(at("sounds"))
        for name in ("00000.wav", "00001.wav"):
            shutil.copy(at("data/sounds/" + name), at("sounds"))
        self.scenarios = [
            Scenario("train-clip", train("clip", clip), None, ["--resume"]),
            Scenario("train-judge", train("judge", "--sizes side=32,widths=4-4 --batch 2".split()), None, ["--resume"]),
            Scenario("train-audio", train("audio", audio), None, ["--resume"]),
            Scenario("edit", ["edit", *models, "--seed", "1", "--sound", sound, "--steps", "3", "--out", out("e.png"), "--latent-out", out("e.npy")],
                     ["e.png", "e.npy"]),
            Scenario("edit-text", ["edit", *models, "--seed", "1", "--text", "rain", "--steps", "3", "--out", out("t.png")], ["t.png"]),
            Scenario("batch", ["batch", *models, "--seeds", "1-2", "--sounds", at("sounds"), "--steps", "2", "--batch", "2", "--out", out("batch")],
                     [], ["--retry-failed"], "batch batch/results"),
            Scenario("world", ["world", "--out", out("world"), "--count", "3", "--size", "32", "--seconds", "0.3"], [], [], "world"),
            Scenario("zero-shot", ["eval", "zero-shot", *models[2:], "--data", at("data"), "--limit", "4", "--out", out("report.json")], []),
            Scenario("embed", ["embed", *models[2:], "--sound", sound, "--image", at("data/pictures/00000.png"), "--text", "fire", "--out", out("e.npy")], ["e.npy"]),
            Scenario("generate", ["generate", *models[:2], "--seeds", "1,2", "--out", out("g.npy")], ["g.npy"]),
            Scenario("convert", ["weights", "convert", at("clip/model.safetensors"), "--out", out("w.safetensors")], ["w.safetensors"]),
            Scenario("mel", ["mel", "--sound", sound, "--out", out("m.npy")], ["m.npy"]),
        ]

    # --- what was written ---
    def written(self, scenario):
        files = {}
        for folder in ["run"] if scenario.outputs is None else scenario.folders or [""]:
            for path in glob.glob(os.path.join(self.out, folder, "*")):
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        files[os.path.basename(path)] = file.read()
        files.pop("log.txt", None)
        return files

    def differs(self, reference, files):
        """What differs from the reference, or None. Which older checkpoints there are depends on where the run was stopped."""
        files, reference = ({k: v for k, v in each.items() if not re.fullmatch(r"checkpoint-\d+\.safetensors", k)}
                            for each in (files, reference))
        if sorted(files) != sorted(reference):
            return "files %s, expected %s" % (sorted(files), sorted(reference))
        for name, data in files.items():
            expected = reference[name]
            read = READERS.get(name, lambda bytes: bytes)
            if read(data) != read(expected):
                return "%s differs" % name
        return None

    def torn(self, scenario, files):
        if scenario.outputs is None:
            return None  # resuming tells
        for name in scenario.outputs or [name for name in files if name.endswith(".png")]:
            if name in files and not is_whole(files[name]):
                return "%s is not whole" % name
        return None

    def clear(self):
        shutil.rmtree(self.out, ignore_errors=True)
        os.mkdir(self.out)

    def reference(self, scenario):
        scenario.reference = {}
        for threaded in (False, True):
            self.clear()
            began = time.time()
            code, text = self.run(scenario.command, threaded)
            if code != 0:
                sys.exit("crash: %s: exit %s unharmed: %s" % (scenario.name, code, text))
            scenario.seconds = time.time() - began
            scenario.reference[threaded] = self.written(scenario)
        for mode in ("count", "memory"):  # each also shows that the harness itself changes nothing
            self.clear()
            code, text = self.run(scenario.command, mode=mode)
            if code == 99:
                print("crash: skipped: this system allows no seccomp filter")
                sys.exit(77)
            wrong = text if code != 0 else self.differs(scenario.reference[False], self.written(scenario))
            if wrong:
                sys.exit("crash: %s: counting alone changes it: %s" % (scenario.name, wrong))
            with open(self.report) as file:
                operations, allocations, of_json = map(int, file.read().split())
            if mode == "count":
                scenario.operations = operations
        scenario.allocations, scenario.json_allocations = allocations, of_json

    # --- one case ---
    def judge(self, scenario, mode, code, text, sent=None):
        """None, or what is wrong."""
        files, threaded = self.written(scenario), mode in ("limit", "moment")
        if code is None:
            return text
        if code < 0 and not (mode == "kill" and -code == signal.SIGKILL) and -code != sent:
            return "died by signal %d: %s" % (-code, text[-300:])
        if code == 0:
            wrong = self.differs(scenario.reference[threaded], {k: v for k, v in files.items() if not k.endswith(".tmp")})
            if wrong:
                return "exit 0, but " + wrong
        elif mode in ("error", "full", "memory", "json", "starve", "limit") and not text.strip():
            return "exit %d without a word" % code
        elif mode in ("error", "full") and self.root not in text:
            return "exit %d, and no file is named: %s" % (code, text[-300:])
        wrong = self.torn(scenario, files)
        if wrong:
            return wrong
        if code == 0 and mode not in ("kill", "signal", "moment"):
            return None
        code, text = self.run(scenario.command + scenario.again, threaded)
        if code != 0:
            return "again: exit %s: %s" % (code, text[-300:])
        files = self.written(scenario)
        if scenario.outputs is not None:
            files = {k: v for k, v in files.items() if not k.endswith(".tmp")}
        wrong = self.differs(scenario.reference[threaded], files)
        return "again: " + wrong if wrong else None

    def case(self, scenario, mode, at, number):
        self.clear()
        if mode == "moment":
            return self.judge(scenario, mode, *self.interrupted_run(scenario.command, number, at), sent=number)
        if mode == "limit":
            return self.judge(scenario, mode, *self.limited_run(scenario.command, at))
        crash = {"mode": mode, "at": at}
        if mode == "signal":
            crash["signal"] = int(number)
        code, text = self.run(scenario.command, **crash)
        return self.judge(scenario, mode, code, text, sent=number if mode == "signal" else None)

    def moments(self, scenario, mode, most, chance):
        if mode == "moment":
            return [chance.uniform(0, 1.1 * scenario.seconds) for _ in range(most)]
        if mode == "limit":
            return [60 + int((i + chance.random()) * 240 / most) for i in range(most)]
        last = scenario.json_allocations if mode == "json" else scenario.allocations if mode in ("memory", "starve") else scenario.operations
        if last <= most:
            return list(range(1, last + 1))
        # one in each of `most` equal parts, so that no part of the run is left out
        return [1 + int((i + chance.random()) * last / most) for i in range(most)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("library")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=1, help="which cases a sample takes")
    options = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the program's too, where nohup began the test
    bench, chance = Bench(options.program, options.library), random.Random(options.seed)
    total, bad = {mode: 0 for mode in MODES}, {mode: 0 for mode in MODES}
    try:
        bench.prepare()
        print("%-12s %-7s %6s %6s" % ("scenario", "fault", "tried", "wrong"))
        for scenario in bench.scenarios:
            if not re.search(options.only, scenario.name + "/") and "/" not in options.only:
                continue
            bench.reference(scenario)
            for mode in MODES:
                if not re.search(options.only, scenario.name + "/" + mode):
                    continue
                most = (FULL if options.full else DAILY)[mode]
                if not options.full and scenario.name in FOR_MEMORY and mode not in ("memory", "json"):
                    continue
                if not options.full and scenario.outputs is not None and scenario.name not in ("edit", "world"):
                    most = (most + 3) // 4
                tried = wrong = 0
                for i, at in enumerate(bench.moments(scenario, mode, most, chance)):
                    number = SIGNALS[i % len(SIGNALS)]
                    fault = bench.case(scenario, mode, at, number)
                    tried += 1
                    if fault:
                        wrong += 1
                        print("WRONG %s/%s at %s%s: %s" % (scenario.name, mode, at, " (%s)" % number.name if mode in ("signal", "moment") else "", fault))
                print("%-12s %-7s %6d %6d" % (scenario.name, mode, tried, wrong), flush=True)
                total[mode] += tried
                bad[mode] += wrong
    finally:
        shutil.rmtree(bench.root, ignore_errors=True)
    groups = (("killed or told to stop", ("kill", "signal", "moment")), ("errors at file operations", ("error", "full")), ("allocations refused", ("memory", "json", "starve", "limit")))
    for name, modes in groups:
        print("%s: %d, wrong: %d" % (name, sum(total[m] for m in modes), sum(bad[m] for m in modes)))
    return 1 if sum(bad.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
