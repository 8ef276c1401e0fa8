#!/usr/bin/env python3
"""Which file may use which: reads every include, and the symbols of every object of a build.

    tests/layers.py BUILD          exit 1 and one line per violation
    tests/layers.py - [ROOT]       includes only, of another tree (tests/layers_test.py)

ROOMS says which rooms a room may use; the same table holds for includes and for symbols. Beside it:
- A host file includes no file of kernels/ but the contract (CONTRACT); random numbers come through
  host/base/random.h. A kernel includes nothing outside kernels/.
- A public header (include/chladni) is for the rooms that PUBLIC names.
- A private header is for its own folder: its name ends in _private.h, or its first comment says
  "this room only".
- The program (tools/) and the example include public headers, and their own.
- Trees of JSON are built, read and written by host/base/json.c and tools/json.c only, in the
  benchmarks too; these notice what found no memory (JSON).
- No file needs itself through others, neither by includes (a.c, a.h and a_private.h are one file)
  nor by symbols. Who finds an op in a table of ops (TABLES) does not need the op.
"""
import collections
import os
import re
import subprocess
import sys

LOW = "base graph runtime io data plot sound text nets losses models"
ROOMS = {  # a room: what it may use
    "base": "", "runtime": "base", "graph": "base runtime", "io": "base", "data": "base io", "plot": "base io", "sound": "base graph runtime",
    "text": "base", "nets": "base graph", "losses": "base graph",
    "models": "base graph runtime io sound text nets", "edit": LOW, "train": LOW,
    "eval": LOW + " edit train", "api": LOW + " edit train eval",
    "demo": LOW + " edit train eval api"}
KERNELS = {  # a folder of kernels/: what it may use beside the contract
    "cpu/lib": "", "cpu/conv": "cpu/lib", "cpu/ops": "cpu/lib cpu/conv",
    "cuda/lib": "", "cuda/modconv": "cuda/lib", "cuda/ops": "cuda/lib"}
CONTRACT = {"ops.h", "collectives.h", "op_table.h", "attributes.h", "fusion.h", "fusion_table.h", "philox.h"}
PUBLIC = {  # rooms that take more than status.h, and what; the others: status.h
    "sound": "engine.h", "train": "data.h engine.h train.h", "models": "*", "edit": "*", "demo": "*", "eval": "*", "api": "*"}
DOORS = {  # single files that look where their room does not
    ("host/base/random.h", "kernels/philox.h"): "the one way to random numbers on the host",
    ("host/runtime/cpu.c", "kernels/cpu/lib/cpu.h"): "the CPU's table of bodies",
    ("host/runtime/cpu.c", "kernels/cpu/lib/table.c"): "the same",
    ("host/runtime/cuda/module.cu", "kernels/cuda/lib/body.h"): "CUDA's table of bodies",
    ("kernels/cuda/lib/simt.h", "tests/emu/simt_emu.h"): "the emulator's side of the shim"}
TABLES = {  # a table of ops, and the folders of what it lists
    "host/graph/graph.c": "host/graph/ops/", "kernels/cpu/lib/table.c": "kernels/cpu/ops/",
    "kernels/cuda/lib/table.cu": "kernels/cuda/"}
JSON = re.compile(r"\bjson_((dump|load)(s|b|f|fd|_file|_callback)|(object|array)_(set|update|append|insert|extend)\w*)\(")  # of jansson
JSON_FILES = ("host/base/json.c", "tools/json.c")
BACKEND = re.compile(r"#\s*if.*(CUDA|BACKEND)")  # in a network or an op's rule
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.M)
SOURCE = re.compile(r"[.](c|h|cu|cuh)$")


ALL_RULES = ("include", "kernels", "host", "tools", "docs", "tests/emu")  # folders that every rule speaks of


def files_of(root, tops=ALL_RULES):
    """Every source file under these folders."""
    found = []
    for top in tops:
        for folder, _, names in os.walk(os.path.join(root, top)):
            found += [os.path.relpath(os.path.join(folder, n), root) for n in names if SOURCE.search(n)]
    return set(found)


def includes_of(root, files):
    """{file: set of the project's files that it includes}, and a list of includes that name none."""
    graph, lost = {}, []
    for name in sorted(files):
        with open(os.path.join(root, name), encoding="utf-8") as source:
            text = source.read()
        graph[name] = set()
        for bracket, wanted in INCLUDE.findall(text):
            for base in ("include", "kernels", "host", "tests") + ((os.path.dirname(name),) * name.startswith("tools/")):
                path = os.path.normpath(os.path.join(base, wanted))
                if path in files:
                    graph[name].add(path)
                    break
            else:
                if bracket == '"' and not name.startswith("tests/"):
                    lost.append(f'{name} includes "{wanted}", which is no file of the project')
    return graph, lost


def symbols_of(build):
    """({file: symbols it defines}, {file: symbols it uses}) from the objects of a build."""
    objects = {}
    for folder, _, names in os.walk(build, followlinks=True):
        room = re.search(r"/CMakeFiles/(chl_\w+|chladni_mpi|chladni-program|emu_backend)[.]dir/", folder + "/")
        for name in names if room else ():
            path = re.search(r"((host|kernels|tools)/.*)[.]o$", os.path.join(folder, name)[room.end():])
            if path:
                objects[os.path.join(folder, name)] = path.group(1)
    defines, uses = {}, {}
    if not objects:
        return defines, uses
    for line in subprocess.run(["nm", "-gA", *objects], check=True, capture_output=True, text=True).stdout.splitlines():
        path, rest = line.split(":", 1)
        words, source = rest.split(), objects[path]
        if words[-2] in "TDBRSC" or (words[-2] in "VW" and not words[-1].startswith("_Z")):  # bodies of ops are weak, templates no symbol of one file
            defines.setdefault(source, set()).add(words[-1])
        elif words[-2] in "Uvw":
            uses.setdefault(source, set()).add(words[-1])
    return defines, uses


def uses_by_symbols(files, defines, uses):
    """{file: {file whose symbol it uses: one such symbol}}; objects of files that are gone do not count."""
    home = {symbol: name for name in defines if name in files for symbol in defines[name]}
    graph = {}
    for name in sorted(files & (set(uses) | set(defines))):
        graph[name] = {}
        for symbol in sorted(uses.get(name, set()) - defines.get(name, set())):
            if symbol in home:
                graph[name].setdefault(home[symbol], symbol)
    return graph


def room_of(name):
    """host/train/x.c -> host/train; kernels/cpu/ops/x.c -> kernels/cpu/ops; kernels/x.h -> kernels."""
    parts = name.split("/")[:-1]
    return "/".join(parts[:{"host": 2, "kernels": 3}.get(parts[0], len(parts))])


def may_use(name, other):
    """Whether `name`, by its room, may use `other`."""
    here, there = room_of(name), room_of(other)
    if (name, other) in DOORS or here == there:
        return True
    if here.startswith("host/"):
        room = here[5:]
        if there.startswith("include"):
            what = os.path.basename(other)
            return what == "status.h" or what in PUBLIC.get(room, "").split() or PUBLIC.get(room) == "*"
        if there == "kernels":
            return os.path.basename(other) in CONTRACT - {"philox.h"}
        return there[5:] in ROOMS.get(room, "").split() if there.startswith("host/") else False
    if here.startswith("kernels"):
        return there == "kernels" or there[8:] in KERNELS.get(here[8:], "").split()
    if here == "tools" or here == "docs":
        return there.startswith("include")
    if here.startswith("include"):
        return there.startswith("include")
    return True  # the emulator


def listed(name, other):
    """Whether `name` uses `other` only as an entry of a table."""
    return name in TABLES and other.startswith(TABLES[name])


def is_private(root, name):
    """Whether a header is for its own room only."""
    if name.endswith("_private.h"):
        return True
    if not name.endswith((".h", ".cuh")):
        return False
    with open(os.path.join(root, name), encoding="utf-8") as source:
        return "this room only" in source.read(600).split("#include")[0]


def circles(graph):
    """The sets of nodes that reach each other (Tarjan's strongly connected components, those of two or more)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def stem(name):
    """What a source file and its headers are called together."""
    return re.sub(r"(_private)?[.](c|h|cu|cuh)$", "", name)


def merged(graph):
    """The same graph between files, where a.c, a.h and a_private.h are one."""
    whole = collections.defaultdict(set)
    for name, others in graph.items():
        whole[stem(name)] |= {stem(other) for other in others} - {stem(name)}
    return whole


def check(root, symbols=None):
    """All violations of the tree `root`, a line each. symbols: what symbols_of gave, or None."""
    files, bad = files_of(root), []
    rooms = {room_of(name)[5:] for name in files if name.startswith("host/")}
    bad += [f"host/{room} is in no table: say in tests/layers.py what it may use" for room in sorted(rooms - set(ROOMS))]
    folders = {room_of(name)[8:] for name in files if name.startswith("kernels/")} - {""}
    bad += [f"kernels/{folder} is in no table: say in tests/layers.py what it may use" for folder in sorted(folders - set(KERNELS))]
    table = {room: set(may.split()) for room, may in ROOMS.items()}
    bad += [f"ROOMS lets these use each other: {' '.join(circle)}" for circle in circles(table)]

    graph, lost = includes_of(root, files)
    bad += lost
    for name in sorted(graph):
        for other in sorted(graph[name]):
            if not may_use(name, other):
                bad.append(f"{name} must not include {other}")
            elif is_private(root, other) and os.path.dirname(name) != os.path.dirname(other) \
                    and not name.startswith(os.path.dirname(other) + "/"):
                bad.append(f"{name} includes {other}, which is private to {os.path.dirname(other)}")
    graph = {name: others for name, others in graph.items() if not name.startswith("tests/")}
    bad += [f"files that include each other in a circle: {' '.join(c)}" for c in circles(merged(graph))]
    for name in sorted(files):
        if re.match(r"host/(nets|losses|graph/ops)/", name):
            with open(os.path.join(root, name), encoding="utf-8") as source:
                if BACKEND.search(source.read()):
                    bad.append(f"{name} asks for a backend by name")
    for name in sorted(files_of(root, ("host", "tools", "bench")) - set(JSON_FILES)):
        with open(os.path.join(root, name), encoding="utf-8") as source:
            for call in sorted({found.group()[:-1] for found in JSON.finditer(source.read())}):
                bad.append(f"{name} calls {call}, which loses without a word what finds no memory: use {JSON_FILES[name.startswith('tools/')]}")

    if symbols:
        used = uses_by_symbols(files, *symbols)
        for name in sorted(files):
            if re.match(r"(host|kernels/cpu|tools)/.*[.]c$", name) and name not in used \
                    and not re.search("/world_absent/|/runtime/mpi/", name):  # built where MPI is
                bad.append(f"{name} has no object in the build: its symbols are not checked")
        for name in sorted(used):
            for other in sorted(used[name]):
                if listed(name, other):
                    continue
                if not may_use(name, other) and not (name.startswith("tools/") and room_of(other) in PUBLISHED):
                    bad.append(f"{name} must not use {used[name][other]} of {other}")
                elif re.match(r"kernels/\w+/ops/", name) and room_of(name) == room_of(other):
                    bad.append(f"{name} is an op and must not use {used[name][other]} of {other}, another op")
        needs = {name: {other for other in others if not listed(name, other)} for name, others in used.items()}
        bad += [f"files that use each other's symbols in a circle: {' '.join(c)}" for c in circles(merged(needs))]
    return bad


# whose symbols the public headers declare
PUBLISHED = {"host/base", "host/edit", "host/train", "host/eval", "host/demo", "host/models", "host/api"}


def main():
    build, root = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    bad = check(root, None if build == "-" else symbols_of(build))
    for line in bad:
        print("layers:", line)
    if not bad:
        print(f"layers: {len(ROOMS)} rooms, {len(files_of(root))} files, no forbidden use, no circle")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
