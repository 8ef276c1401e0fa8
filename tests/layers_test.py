#!/usr/bin/env python3
"""tests/layers.py finds a planted violation of each kind, and none in the tree as it is.

    tests/layers_test.py BUILD
"""
import os
import shutil
import subprocess
import sys
import tempfile

import layers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# what is planted, as {file: text}, and what must be said of it
INCLUDES = [
    ("a room above", {"host/text/planted.c": '#include "graph/build.h"\n'},
     "host/text/planted.c must not include host/graph/build.h"),
    ("a kernel's header in a host room", {"host/nets/planted.c": '#include "cpu/lib/vmath.h"\n'},
     "host/nets/planted.c must not include kernels/cpu/lib/vmath.h"),
    ("Philox beside its door", {"host/text/planted.h": '#include "philox.h"\n'},
     "host/text/planted.h must not include kernels/philox.h"),
    ("a host header in a kernel", {"kernels/cpu/ops/planted.c": '#include "base/status.h"\n'},
     "kernels/cpu/ops/planted.c must not include host/base/status.h"),
    ("a public header in a kernel", {"kernels/cuda/ops/planted.cu": "#include <chladni/status.h>\n"},
     "kernels/cuda/ops/planted.cu must not include include/chladni/status.h"),
    ("one family of CUDA kernels in another", {"kernels/cuda/ops/planted.cu": '#include "cuda/modconv/gather.cuh"\n'},
     "kernels/cuda/ops/planted.cu must not include kernels/cuda/modconv/gather.cuh"),
    ("one backend in the other", {"kernels/cuda/lib/planted.cuh": '#include "cpu/lib/cpu.h"\n'},
     "kernels/cuda/lib/planted.cuh must not include kernels/cpu/lib/cpu.h"),
    ("what is shared in an op's file", {"kernels/cpu/lib/planted.c": '#include "cpu/conv/winograd.h"\n'},
     "kernels/cpu/lib/planted.c must not include kernels/cpu/conv/winograd.h"),
    ("the API in a low room", {"host/graph/planted.c": "#include <chladni/edit.h>\n"},
     "host/graph/planted.c must not include include/chladni/edit.h"),
    ("a host header in a public one", {"include/chladni/planted.h": '#include "base/status.h"\n'},
     "include/chladni/planted.h must not include host/base/status.h"),
    ("a host header in the program", {"tools/planted.c": '#include "base/status.h"\n'},
     "tools/planted.c must not include host/base/status.h"),
    ("a private header by its name", {"host/nets/planted.c": '#include "graph/graph_private.h"\n'},
     "host/nets/planted.c includes host/graph/graph_private.h, which is private to host/graph"),
    ("a private header by its comment",
     {"host/base/planted.h": "/* For the files of this room only. */\n", "host/io/planted.c": '#include "base/planted.h"\n'},
     "host/io/planted.c includes host/base/planted.h, which is private to host/base"),
    ("headers in a circle",
     {"kernels/cuda/lib/one.cuh": '#include "cuda/lib/two.cuh"\n', "kernels/cuda/lib/two.cuh": '#include "cuda/lib/one.cuh"\n'},
     "files that include each other in a circle: kernels/cuda/lib/one kernels/cuda/lib/two"),
    ("a circle through a source file",
     {"host/io/one.c": '#include "io/two.h"\n', "host/io/one.h": "\n", "host/io/two.h": '#include "io/one.h"\n'},
     "files that include each other in a circle: host/io/one host/io/two"),
    ("a path that names no file", {"host/io/planted.c": '#include "sound.h"\n'},
     'host/io/planted.c includes "sound.h", which is no file of the project'),
    ("a room without a line", {"host/planted/planted.c": "\n"}, "host/planted is in no table: say in tests/layers.py what it may use"),
    ("a folder of kernels without a line", {"kernels/cpu/planted/planted.c": "\n"},
     "kernels/cpu/planted is in no table: say in tests/layers.py what it may use"),
    ("a backend's name in a network", {"host/nets/planted.c": "#ifdef CHLADNI_CUDA\n#endif\n"},
     "host/nets/planted.c asks for a backend by name"),
    ("JSON built beside its file", {"host/io/planted.c": "void planted(void) { json_array_append_new(0, 0); }\n"},
     "host/io/planted.c calls json_array_append_new, which loses without a word what finds no memory: use host/base/json.c"),
    ("JSON written beside its file", {"tools/planted.c": "void planted(void) { json_dumps(0, 0); }\n"},
     "tools/planted.c calls json_dumps, which loses without a word what finds no memory: use tools/json.c"),
    ("JSON read beside its file in a benchmark", {"bench/planted.c": "void planted(void) { json_loads(0, 0, 0); }\n"},
     "bench/planted.c calls json_loads, which loses without a word what finds no memory: use host/base/json.c")]
SYMBOLS = [
    ("a declaration by hand", {"host/text/planted.c": "int chl_compile(void *); int planted(void) { return chl_compile(0); }\n"},
     "host/text/planted.c must not use chl_compile of host/graph/"),
    ("an op in another op", {"kernels/cpu/ops/planted.c": "extern int chl_cpu_mul; int *planted(void) { return &chl_cpu_mul; }\n"},
     "kernels/cpu/ops/planted.c is an op and must not use chl_cpu_mul of kernels/cpu/ops/mul.c, another op"),
    ("CUDA, as the emulator compiles it",
     {"kernels/cuda/ops/planted.cu": "extern int chl_cuda_modconv; int *planted(void) { return &chl_cuda_modconv; }\n"},
     "kernels/cuda/ops/planted.cu must not use chl_cuda_modconv of kernels/cuda/modconv/modconv.cu"),
    ("two files that call each other",
     {"host/io/one.c": "int two(void); int one(void) { return two(); }\n", "host/io/two.c": "int one(void); int two(void) { return one(); }\n"},
     "files that use each other's symbols in a circle: host/io/one host/io/two")]
TARGETS = {"host": "CMakeFiles/chl_planted.dir", "kernels/cpu": "CMakeFiles/chl_kernels.dir",
           "kernels/cuda": "tests/emu/CMakeFiles/emu_backend.dir/__/__"}


def compiled(root, build, name):
    """Makes the object of a planted file where the build has those of its neighbours."""
    folder = next(TARGETS[top] for top in TARGETS if name.startswith(top + "/"))
    target = os.path.join(build, folder, name + ".o")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-x", "c", "-c", os.path.join(root, name), "-o", target], check=True)


def merge(one, other):
    return tuple({**a, **b} for a, b in zip(one, other))


def main():
    failed, symbols = 0, layers.symbols_of(sys.argv[1])
    if not any(name.startswith("kernels/cuda/") for name in symbols[0]):
        sys.exit(f"layers-test: {sys.argv[1]} has no objects of kernels/cuda: build the emulated GPU first (its target emu_backend)")
    with tempfile.TemporaryDirectory() as work:
        root = os.path.join(work, "tree")
        for top in ("include", "kernels", "host", "tools", "docs", "tests/emu"):
            shutil.copytree(os.path.join(ROOT, top), os.path.join(root, top))
        before = layers.check(root, symbols)
        for what, files, expected in INCLUDES + SYMBOLS:
            for name, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as out:
                    out.write(text)
            seen = None
            if (what, files, expected) in SYMBOLS:
                build = os.path.join(work, "build")
                for name in files:
                    compiled(root, build, name)
                seen = merge(symbols, layers.symbols_of(build))
                shutil.rmtree(build)
            found = [line for line in layers.check(root, seen) if line not in before]
            if not any(line.startswith(expected) for line in found):
                print(f"layers-test: not noticed: {what}; instead: {found}")
                failed += 1
            for name in files:
                os.remove(os.path.join(root, name))
                if not os.listdir(os.path.dirname(os.path.join(root, name))):
                    os.rmdir(os.path.dirname(os.path.join(root, name)))
        missing = (symbols[0], {k: v for k, v in symbols[1].items() if k != "host/text/merges.c"})
        missing[0].pop("host/text/merges.c")
        if "host/text/merges.c has no object in the build: its symbols are not checked" not in layers.check(root, missing):
            print("layers-test: not noticed: a file without an object")
            failed += 1
    layers.ROOMS["base"] = "graph"
    if not any(line.startswith("ROOMS lets these use each other: base graph") for line in layers.check(ROOT)):
        print("layers-test: not noticed: two rooms that may use each other")
        failed += 1
    print(f"layers-test: {len(INCLUDES) + len(SYMBOLS) + 2} violations planted, {failed} not noticed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
