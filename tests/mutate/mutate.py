#!/usr/bin/env python3
"""Do the tests fail when an op is broken? Breaks one line at a time, builds the test program with it, and expects
a wrong value, a crash or a hang.

    tests/mutate/mutate.py BUILD [--list ops|emu|fusion]... [--all] [--unbroken-passes] [PATTERN]
    tests/mutate/mutate.py --check      only whether each line fits its source and each op has one

BUILD is a configured build folder; its own programs stay as they are. The lists:
    ops     tests/mutations.txt         CPU bodies, by test_ops
    emu     tests/mutations-emu.txt     CUDA bodies, by test_ops_emu: in float or in bf16, in one order or in all
    fusion  tests/mutations-fusion.txt  calls run as one, by emu_fusion
The unbroken programs are tried first; --unbroken-passes leaves that out, for who runs BUILD's tests too: they
contain the same runs. PATTERN, a regular expression, picks lines. Without one, and without --all, an eighth of each list is tried: which
one is told by the commit (git's HEAD modulo 8), so that in time all are seen.

Prints what survived, what no longer compiles and what only the time limit caught, and "N of N caught"; exits
with 1 unless all were caught, each line of the lists fits its source exactly once and each row of the op table
has a mutation. LIMIT is the time limit in seconds of the processor (120), six times that for all six orders; hangs
that wait end after ten times as long.
"""
import argparse
import collections
import concurrent.futures
import os
import re
import resource
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PENDING = os.path.join(ROOT, "kernels/cuda/PENDING")
LISTS = {  # name: (lines, the program that judges, where the mutated file of an op must lie)
    "ops": ("tests/mutations.txt", "test_ops", "kernels/cpu/"),
    "emu": ("tests/mutations-emu.txt", "test_ops_emu", "kernels/cuda/"),
    "fusion": ("tests/mutations-fusion.txt", "emu_fusion", None)}
# of a line: its number in the file; a row of the op table, or what else is broken; the family that must fail; ...
Mutation = collections.namedtuple("Mutation", "list number op family file before after")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        return source.read()


def mutations(name):
    for number, line in enumerate(read(LISTS[name][0]).splitlines(), 1):
        if line and not line.startswith("#"):
            yield Mutation(name, number, *line.split("\t"))


def mutation(name, number):
    return next(m for m in mutations(name) if m.number == int(number))


# --- what CMake asks ---------------------------------------------------------------------------------
def sources_that_see(file):
    """The source files that a change of `file` reaches: itself, or all that include it, over other headers too."""
    if not file.endswith((".h", ".cuh")):
        return [file]
    folder = "/".join(file.split("/")[:2])  # kernels/cpu, kernels/cuda, host/graph
    if folder == file:  # a header of both backends
        folder = "kernels/cpu"
    tree = [os.path.relpath(os.path.join(f, n), ROOT) for f, _, names in os.walk(os.path.join(ROOT, folder)) for n in names]
    seen, found = {file}, set()
    while True:
        wanted = {'#include "' + f.split("/", 1)[1] + '"' for f in seen}
        more = {f for f in tree if f.endswith((".c", ".cu", ".h", ".cuh")) and wanted & set(read(f).splitlines())}
        found |= {f for f in more if f.endswith((".c", ".cu"))}
        if more <= seen | found:
            return sorted(found)
        seen |= {f for f in more if f.endswith((".h", ".cuh"))}


def plan():
    """CMake calls, one per line of the lists."""
    users = {}
    for name in LISTS:
        for m in mutations(name):
            if m.file not in users:
                users[m.file] = sources_that_see(m.file)
            print(f"chl_mutant({name} {m.number} {m.file} {' '.join(users[m.file])})")


def plant(m, target):
    text = read(m.file)
    if not m.before or text.count(m.before) != 1:
        sys.exit(f'"{m.before}" is not in {m.file} exactly once')
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8") as out:
        out.write(text.replace(m.before, m.after))


# --- running -----------------------------------------------------------------------------------------
def passes(program, arguments, fill=None):
    """True, False, or None when it took too long."""
    limit = int(os.environ.get("LIMIT", "120")) * (6 if "--ways" in arguments else 1)
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", **({"EMU_FILL": fill} if fill else {}))

    def limits():
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        status = subprocess.run([program, *arguments], env=environment, preexec_fn=limits, timeout=10 * limit, check=False,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    except subprocess.TimeoutExpired:
        return None
    return None if status in (-24, -9) else status == 0  # 24: SIGXCPU


def runs(m, all_orders):
    """The runs that one line is judged by, until one fails: (arguments, EMU_FILL)."""
    if m.list == "fusion":
        return [(["--first"], m.family.replace(",", " "))]
    if m.list == "ops":
        return [([*m.family.split(), "--first"], None)]
    family, _, fill = m.family.partition("@")  # FAMILY@A,B: with EMU_FILL="A B", for tensor cores
    arguments = [family, "--first", "--pending", PENDING]
    found = [(arguments + ["--bf16"], fill.replace(",", " ") or None)]
    if not fill:
        found.insert(0, (arguments, None))
    # in one order first: all orders, for what only they show, take six times as long
    return found + [(a + ["--ways"], f) for a, f in found] if all_orders else found


def judge(m, program, target):
    verdict = "survived"
    for arguments, fill in runs(m, True):
        passed = passes(program, arguments, fill)
        if not passed:
            verdict = "slow" if passed is None else "caught"
            break
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8") as out:
        print(verdict, file=out)


def chosen(lists, pattern, everything):
    eighth = None
    if not everything and pattern is None:
        head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout
        eighth = int(head, 16) % 8 if head else None
    found = []
    for name in lists:
        lines = [m for m in mutations(name) if pattern is None or re.search(pattern, "\t".join(m[2:]))]
        found += [m for i, m in enumerate(lines) if eighth is None or i % 8 == eighth]
    return found, eighth


def complaints(lists):
    """Lines that fit no source, rows without a line."""
    found = []
    pending = read("kernels/cuda/PENDING").split()
    for name in lists:
        lines = list(mutations(name))
        for m in lines:
            if not m.before or read(m.file).count(m.before) != 1:
                found.append(f'{m.op}: "{m.before}" is not in {m.file} exactly once')
        folder = LISTS[name][2]
        for row in re.findall(r"^CHL_OP\((\w+)", read("kernels/op_table.h"), re.M) if folder else ():
            if not (name == "emu" and row in pending) and not any(m.op == row and m.file.startswith(folder) for m in lines):
                found.append(f"no mutation of the op {row} in {LISTS[name][0]}")
    return found


def main():
    parser = argparse.ArgumentParser(usage="mutate.py BUILD [--list ops|emu|fusion]... [--all] [--unbroken-passes] [PATTERN]")
    parser.add_argument("build")
    parser.add_argument("pattern", nargs="?")
    parser.add_argument("--list", action="append", choices=list(LISTS), dest="lists")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--unbroken-passes", action="store_true")
    options = parser.parse_intermixed_args()
    options.build = os.path.abspath(options.build)
    lists = options.lists or list(LISTS)
    wrong = complaints(lists)
    if wrong:
        sys.exit("\n".join(wrong))
    tried, eighth = chosen(lists, options.pattern, options.all)
    if not tried:
        sys.exit("no such mutation")
    print(f"{len(tried)} mutations" + ("" if eighth is None else f": eighth {eighth + 1} of 8, by the commit; --all for all"))
    # the references are the same for every mutant (tests/harness/reference_store.h)
    kept = os.environ.setdefault("TEST_REFERENCES", os.path.join(options.build, "references"))
    os.makedirs(kept, exist_ok=True)
    build = ["cmake", "--build", options.build]
    subprocess.run(["cmake", "-DCHLADNI_MUTANTS=ON", options.build], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(build + ["--target", *sorted({LISTS[m.list][1] for m in tried})], check=True, stdout=subprocess.DEVNULL)

    def whole(m):
        program = os.path.join(options.build, "tests", "" if m.list == "ops" else "emu", LISTS[m.list][1])
        return all(passes(program, arguments, fill) for arguments, fill in runs(m, False))
    families = [] if options.unbroken_passes else list({(m.list, m.family): m for m in tried}.values())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for m, passed in zip(families, pool.map(whole, families)):
            if not passed:
                sys.exit(f"{LISTS[m.list][1]} {m.family} fails, or takes too long, before anything is broken")

    verdicts = {m: os.path.join(options.build, "tests/mutate/verdict", f"{m.list}-{m.number}") for m in tried}
    for path in verdicts.values():
        if os.path.exists(path):
            os.remove(path)
    log = os.path.join(options.build, "mutate.log")
    with open(log, "w", encoding="utf-8") as out: # -k 0: a mutant that does not compile does not stop the others
        subprocess.run(build + ["--target", *(f"judge-{m.list}-{m.number}" for m in tried), "--", "-k", "0"],
                       check=False, stdout=out, stderr=subprocess.STDOUT)
    counts = collections.Counter()
    for m, path in verdicts.items():
        verdict = read(path).strip() if os.path.exists(path) else f"broken (it does not compile, see {log})"
        counts[verdict] += 1
        if verdict != "caught":
            print(f'{verdict} {m.op}: {m.file}: "{m.before}" -> "{m.after}"')
    caught = counts["caught"] + counts["slow"]
    print(f"{caught} of {len(tried)} caught, {counts['slow']} of them by the time limit")
    return caught != len(tried)


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1] == "--plan":
        plan()
    elif len(sys.argv) == 2 and sys.argv[1] == "--check":
        sys.exit("\n".join(complaints(LISTS)) or None)
    elif len(sys.argv) == 5 and sys.argv[1] == "--break":
        plant(mutation(*sys.argv[2:4]), sys.argv[4])
    elif len(sys.argv) == 6 and sys.argv[1] == "--judge":
        judge(mutation(*sys.argv[2:4]), *sys.argv[4:6])
    else:
        sys.exit(main())
