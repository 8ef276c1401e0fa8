#!/usr/bin/env python3
"""Counts instructions in the machine code of CUDA kernels and predicts their times on an H100. Needs no GPU.

    tools/sass-report.py [--arch 90a] [--kernel REGEX] FILE...   every kernel, loop by loop
    tools/sass-report.py --shapes [--cubins FOLDER]              named shapes: issues, bound, microseconds (a table in Markdown)
    tools/sass-report.py --check BOUNDS [--cubins FOLDER]        fails where a hot loop is worse than BOUNDS allows

FILE is a source (.cu, compiled by nvcc), a .cubin, or an object or library that holds several (.o, .so). FOLDER holds NAME.ARCH.cubin
of sources that are not compiled again. Needs nvdisasm: the CUDA toolkit has it, and so has PyPI's triton (pip install --no-deps triton);
it is looked for in NVDISASM, PATH, beside nvcc, and in this Python's triton. Exit code 77 where nvdisasm, nvcc or c++filt is missing.

The hot loop of a kernel is the innermost one with most tensor instructions, or, where it has none, the longest.
The model, at 132 multiprocessors, 1.755 GHz: of a multiprocessor's blocks the largest of
    issues           instructions x warps / 4 a clock
    tensor cores     4096 FLOP a clock by wgmma; 62.9 % of that by mma [Luo et al. 2024, arXiv:2402.13499]
    shared memory    128 bytes a clock: loads, stores, copies into it, and what wgmma reads there
and of the whole chip DRAM (3.0 TB/s) and the L2 cache (5.5 TB/s, an assumption), + 2 us a launch. Waits for latency are not in it.
"""

import argparse
import collections
import importlib.util
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = {path.stem: path for room in ("modconv", "ops", "lib") for path in (ROOT / "kernels" / "cuda" / room).glob("*.cu")}
PROCESSORS, HERTZ, DRAM, L2, LAUNCH = 132, 1.755e9, 3.0e12, 5.5e12, 2e-6
TENSOR, MMA_SHARE, SHARED = 4096, 0.629, 128  # FLOP and bytes a clock of a multiprocessor
MISSING = 77


def give_up(text, code=2):
    print(f"sass-report: {text}", file=sys.stderr)
    sys.exit(code)


# --- tools -----------------------------------------------------------------------------------------------
def find_tool(name):
    places = [os.environ.get(name.upper()), shutil.which(name)]
    nvcc = shutil.which(os.environ.get("NVCC", "nvcc"))
    if nvcc:
        places += [pathlib.Path(nvcc).resolve().parent / name, pathlib.Path("/usr/local/cuda/bin") / name]
    triton = importlib.util.find_spec("triton")
    if triton and triton.origin:
        places.append(pathlib.Path(triton.origin).parent / "backends" / "nvidia" / "bin" / name)
    if os.environ.get("NVDISASM"):
        places.append(pathlib.Path(os.environ["NVDISASM"]).parent / name)
    for place in places:
        if place and os.access(place, os.X_OK) and not os.path.isdir(place):
            return str(place)
    give_up(
        f"no {name}: install the CUDA toolkit's, or `pip install --no-deps triton` and set {name.upper()} to its triton/backends/nvidia/bin/{name}",
        MISSING,
    )


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        give_up(f"{' '.join(map(str, command))} failed: {(done.stderr or done.stdout).strip()[:2000]}")
    return done.stdout


def compile_source(source, arch, folder):
    nvcc = shutil.which(os.environ.get("NVCC", "nvcc"))
    if not nvcc:
        give_up(f"no nvcc in PATH to compile {source} (set NVCC, or give .cubin files)", MISSING)
    cubin = pathlib.Path(folder) / f"{pathlib.Path(source).stem}.{arch}.cubin"
    include = [f"-I{ROOT / room}" for room in ("include", "kernels", "host")]
    run([nvcc, "-std=c++17", "-ftz=true", f"-gencode=arch=compute_{arch},code=sm_{arch}", *include, "-cubin", source, "-o", cubin])
    return cubin


def cubins_of(file, arch, folder):
    if not os.path.exists(file):
        give_up(f"{file}: no such file")
    kind = pathlib.Path(file).suffix
    if kind == ".cu":
        return [compile_source(file, arch, folder)]
    if kind == ".cubin":
        return [pathlib.Path(file)]
    inside = pathlib.Path(tempfile.mkdtemp(dir=folder))
    done = subprocess.run([find_tool("cuobjdump"), "-xelf", "all", os.path.abspath(file)], cwd=inside, capture_output=True, text=True)
    found = sorted(inside.glob(f"*sm_{arch}.cubin"))
    if not found:
        there = sorted({path.stem.rsplit(".", 1)[-1] for path in inside.glob("*.cubin")}) or done.stderr.strip() or "none"
        give_up(f"{file}: expected machine code for sm_{arch}, found {there}")
    return found


# --- a cubin's kernels -----------------------------------------------------------------------------------
Instruction = collections.namedtuple("Instruction", "address name text")


class Loop:
    def __init__(self, first, last, code):
        self.first, self.last = first, last
        self.code = [i for i in code if first <= i.address <= last]

    def count(self, *names):
        return sum(1 for i in self.code if i.name.split(".")[0] in names)

    def tensor(self):
        return self.count("HMMA", "HGMMA")

    def divisions(self):  # only a division of integers converts upwards, or calls
        return sum(1 for i in self.code if re.match(r"I2F\.([US]\d+\.)*RP|CALL.*_(div|rem)_", f"{i.name} {i.text}"))

    def measures(self):
        found = {
            "issues": len(self.code),
            "tensor": self.tensor(),
            "shared": self.count("LDS", "STS", "LDSM", "STSM", "ATOMS"),
            "global": self.count("LDG", "STG", "LDGSTS", "UTMALDG", "LD", "ST", "RED", "ATOMG"),
            "local": self.count("LDL", "STL"),
            "divisions": self.divisions(),
        }
        if found["tensor"]:
            found["issues/tensor"] = found["issues"] / found["tensor"]
        return found

    def shared_cycles(self):
        """cycles of shared memory that a warp's instructions take, without conflicts; B of wgmma counts once for four warps"""
        total = 0
        for i in self.code:
            base, wide = i.name.split(".")[0], re.search(r"\.(64|128|U8|U16|S8|S16)\b", i.name)
            if base == "LDSM":
                total += 4 if i.name.endswith(".4") else 2 if i.name.endswith(".2") else 1
            elif base == "LDGSTS":
                total += 4 if ".128" in i.name else 1
            elif base in ("LDS", "STS"):
                total += {"64": 2, "128": 4}.get(wide[1] if wide else "", 1)
            elif base == "HGMMA":
                n = int(re.search(r"64x(\d+)x16", i.name)[1])
                a_shared = "gdesc" in i.text.split(",")[1]
                total += (n / 4 + (16 if a_shared else 0)) / 4
        return total


class Kernel:
    def __init__(self, symbol, code):
        self.symbol, self.code, self.name = symbol, code, symbol
        self.registers = self.shared = self.frame = self.threads = 0
        ends = {}  # a loop ends at its last jump back to its first instruction
        for i in code:
            target = re.match(r"(?:.*\s)?BRA.*?(-?0x[0-9a-f]+)", i.text)
            if target and int(target[1], 16) < i.address:
                ends[int(target[1], 16)] = i.address
        self.loops = sorted((Loop(first, last, code) for first, last in ends.items()), key=lambda loop: len(loop.code))

    def hot(self):
        with_tensor = [loop for loop in self.loops if loop.tensor()]
        if with_tensor:
            most = max(loop.tensor() for loop in with_tensor)
            return next(loop for loop in with_tensor if loop.tensor() == most)
        return self.loops[-1] if self.loops else Loop(0, self.code[-1].address, self.code)

    def stretches(self):
        """the lengths of what lies between loops, in order"""
        inside, lengths = set(i.address for loop in self.loops for i in loop.code), [0]
        for i in self.code:
            if i.address not in inside:
                lengths[-1] += 1
            elif lengths[-1]:
                lengths.append(0)
        return lengths

    def measures(self):
        """what BOUNDS may limit: of the hot loop, and of the whole"""
        found = {**self.hot().measures(), "registers": self.registers, "frame": self.frame, "straight": max(self.stretches())}
        if self.name == MEL_KERNEL:
            found["cycles/frame"] = mel_frame_issues(self) / 4
        return found

    def occupancy(self, dynamic=0, sm=90):
        """blocks that a multiprocessor holds"""
        warps = math.ceil(self.threads / 32) or 1
        registers = 65536 // (max(8, math.ceil(self.registers / 8) * 8) * 32) // warps if self.registers else 32
        reserved = 1024 if sm < 90 else 0  # from 90 on .nv.shared holds the kilobyte that the system takes
        memory = ({80: 164, 86: 100, 89: 100}.get(sm, 228) * 1024) // max(1024, self.shared + dynamic + reserved)
        return min(registers, memory, (48 if sm in (86, 89) else 64) // warps, 16 if sm == 86 else 32)


def sections_of(data):
    """name, type, offset, size, info of an ELF file's sections"""
    if data[:4] != b"\x7fELF" or data[4] != 2:
        raise ValueError("no 64-bit ELF file")
    start, (size, count, names) = struct.unpack_from("<Q", data, 0x28)[0], struct.unpack_from("<HHH", data, 0x3A)
    heads = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count)]
    at = heads[names][4]
    for name, kind, _, _, offset, length, _, info, _, _ in heads:
        yield data[at + name : data.index(b"\0", at + name)].decode(), kind, offset, length, info


def attributes_of(data, offset, size):
    """the records of a section .nv.info: (attribute, bytes of its value)"""
    at = offset
    while at + 4 <= offset + size:
        form, attribute, value = struct.unpack_from("<BBH", data, at)
        at += 4
        body = b""
        if form == 4:  # the value is the length of what follows
            body = data[at : at + value]
            at += value
        yield attribute, body


def read_elf(cubin, kernels):
    data = cubin.read_bytes()
    sections = list(sections_of(data))
    names = {}
    symbols = next((s for s in sections if s[0] == ".symtab"), None)
    strings = next((s for s in sections if s[0] == ".strtab"), None)
    if symbols and strings:
        for i in range(symbols[3] // 24):
            name = struct.unpack_from("<I", data, symbols[2] + 24 * i)[0]
            names[i] = data[strings[2] + name : data.index(b"\0", strings[2] + name)].decode()
    REGISTERS, FRAME, THREADS = 0x2F, 0x11, 0x05
    for name, kind, offset, size, _ in sections:
        if name == ".nv.info":
            for attribute, body in attributes_of(data, offset, size):
                if attribute in (REGISTERS, FRAME) and len(body) == 8:
                    symbol, value = struct.unpack("<II", body)
                    if names.get(symbol) in kernels:
                        setattr(kernels[names[symbol]], "registers" if attribute == REGISTERS else "frame", value)
        elif name.startswith(".nv.info.") and name[9:] in kernels:
            for attribute, body in attributes_of(data, offset, size):
                if attribute == THREADS and len(body) == 12:
                    kernels[name[9:]].threads = math.prod(struct.unpack("<III", body))
        elif name.startswith(".nv.shared.") and name[11:] in kernels:
            kernels[name[11:]].shared = size


LINE = re.compile(r"\s*/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;")


def kernels_of(cubin):
    kernels, symbol, raw, labels = {}, None, {}, {}
    for line in run([find_tool("nvdisasm"), "-c", cubin]).splitlines():
        if line.startswith("\t.section\t.text."):
            symbol = line.split(".text.", 1)[1].split(",")[0]
            raw[symbol], waiting = [], []
        elif symbol and re.match(r"\.L_x_\d+:", line):
            waiting.append(line[:-1])
        elif symbol and (found := LINE.match(line)):
            address = int(found[1], 16)
            labels.update((label, address) for label in waiting)
            waiting = []
            raw[symbol].append((address, found[2]))
    for symbol, lines in raw.items():
        code = []
        for address, text in lines:
            text = re.sub(r"`\((\.L_x_\d+)\)", lambda m: hex(labels.get(m[1], 1 << 40)), text)
            bare = re.sub(r"^@!?U?P\w+\s+", "", text)
            code.append(Instruction(address, bare.split()[0], text))
        while code and (code[-1].name == "NOP" or re.match(r"BRA 0x", code[-1].text)):
            code.pop()  # what fills the last line of instructions
        kernels[symbol] = Kernel(symbol, code)
    read_elf(cubin, kernels)
    if not shutil.which("c++filt"):
        give_up("no c++filt, which names the kernels: install binutils", MISSING)
    plain = subprocess.run(["c++filt"], input="\n".join(kernels), capture_output=True, text=True).stdout.splitlines()
    for kernel, name in zip(kernels.values(), plain):
        name = re.sub(r"\(anonymous namespace\)::|^void |\(chl_\w+\)(?=\d)", "", name)
        kernel.name = re.sub(r"\(.*", "", name).replace("__nv_bfloat16", "bf16")
    return [k for k in kernels.values() if k.code]


# --- log-mel ---------------------------------------------------------------------------------------------
MEL_KERNEL, MEL_FRAMES = "frames_of_2048", 8  # frames of a block, a warp each


def mel_bins(rate=44100, fft=2048, bands=128):
    """how many frequencies each of Slaney's bands hears"""
    hz = lambda mel: mel * 200 / 3 if mel < 15 else 1000 * math.exp(math.log(6.4) / 27 * (mel - 15))  # noqa: E731
    top = 15 + 27 * math.log(rate / 2 / 1000) / math.log(6.4)
    corner = [hz(top * i / (bands + 1)) for i in range(bands + 2)]
    return [sum(low < k * rate / fft < high for k in range(fft // 2 + 1)) for low, high in zip(corner, corner[2:])]


def mel_frame_issues(kernel):
    """Instructions of a warp for a frame inside a sound: what is before and in the transform, which has no loop; the bands, two lanes each, whose inner
    loop reads two bins of every frame in a trip; and the picture. A warp's 16 bands take as long as the widest."""
    sums = min((loop for loop in kernel.loops if loop.count("LDS") == 2 * MEL_FRAMES), key=lambda loop: len(loop.code), default=None)
    around = [loop for loop in kernel.loops if sums and loop is not sums and loop.first <= sums.first and sums.last <= loop.last]
    written = [loop for loop in kernel.loops if loop.count("LDS") == 4 and loop.count("STG")]
    if not around or not written:
        give_up(f"{kernel.name}: its loops are not those that tools/sass-report.py knows")
    bins = mel_bins()
    trips = [max(math.ceil(n / 4) for n in bins[first : first + 16]) for first in range(0, len(bins), 16)]
    bands = len(around[0].code) - len(sums.code) + len(sums.code) * sum(trips) / len(trips)
    return kernel.stretches()[0] + max(kernel.stretches()) + bands + max(len(loop.code) for loop in written)


# --- named shapes ----------------------------------------------------------------------------------------
class Shape:
    """A launch: blocks; trips of the hot loop and of every other loop; bytes a block reads from L2 in a trip, how many of them TMA writes
    into shared memory; bytes of DRAM in all; useful FLOP; dynamic shared memory."""

    def __init__(self, name, source, kernel, blocks, trips, flop, dram, others=1, l2=0, tma=0, dynamic=0, arch="90a"):
        self.name, self.source, self.kernel, self.blocks, self.trips, self.flop = name, source, kernel, blocks, trips, flop
        self.dram, self.others, self.l2, self.tma, self.dynamic, self.arch = dram, others, l2, tma, dynamic, arch

    def predict(self, kernel):
        """the seconds of each resource"""
        hot, warps = kernel.hot(), kernel.threads // 32
        inside = set(i.address for i in hot.code)
        looped = set(i.address for loop in kernel.loops for i in loop.code) - inside
        outside = sum(self.others if i.address in looped else 1 for i in kernel.code if i.address not in inside)
        mma = hot.count("HMMA") * 4096 / MMA_SHARE
        wgmma = sum(2 * 64 * 16 * int(re.search(r"64x(\d+)x16", i.name)[1]) / 4 for i in hot.code if i.name.startswith("HGMMA"))
        a_multiprocessor = math.ceil(self.blocks / PROCESSORS) / HERTZ
        return {
            "issues": a_multiprocessor * warps * (outside + hot.measures()["issues"] * self.trips) / 4,
            "tensor cores": a_multiprocessor * warps * (mma + wgmma) / TENSOR * self.trips,
            "shared memory": a_multiprocessor * (warps * hot.shared_cycles() + self.tma / SHARED) * self.trips,
            "L2": self.blocks * self.l2 * self.trips / L2,
            "DRAM": self.dram / DRAM,
        }


def layer(size, i, o, n):
    """FLOP and bytes of a modulated convolution"""
    return 18 * size * size * i * o * n, 18 * i * o + 2 * n * size * size * (i + o)


def mma_layer(name, size, i, o, bm, bn, n=1, turned=False):
    flop, dram = layer(size, i, o, n)
    kernel = rf"tile_product<{bm}, {bn}, .*{'true' if turned else 'false'}, modconv::{'gradient' if turned else 'activate'}<bf16> ?>"
    blocks, trips = n * math.ceil(size * size / bm) * math.ceil(o / bn), 9 * math.ceil(i / 32)
    threads = 32 * bm * bn // {(128, 128): 2048, (128, 64): 1024, (128, 32): 1024, (64, 64): 1024}[bm, bn]
    staged = 6 * (bm * 40 + (32 * (bn + 8) if turned else bn * 40)) + 2 * math.ceil(i / 32) * 32
    rows = threads // (bn // 8)
    return Shape(f"{name}, mma {bm} x {bn}", "modconv", kernel, blocks, trips, flop, dram, bm // rows, (bm + bn) * 64, 0, max(staged, bm * (bn + 4) * 4))


def box_layer(name, size, i, o, bn, n=1, turned=False):
    flop, dram = layer(size, i, o, n)
    kernel = rf"box_kernel<{bn}, {'true' if turned else 'false'}, modconv::{'gradient' if turned else 'activate'}<bf16> ?>"
    stage, stages = (128 + bn) * 128, {64: 4, 128: 3, 256: 4}[bn]
    return Shape(
        f"{name}, wgmma 128 x {bn}", "modconv", kernel, n * math.ceil(size * size / 128) * math.ceil(o / bn), 9 * i // 64, flop, dram,
        128 * bn // 8 // 256, stage, stage, stages * stage + 2 * i,
    )


def filter_layer(name, size, channels, n=1, back=False):
    blocks = math.ceil(n * math.ceil(size / 8) * size * (channels // 8) / 256)
    kernel = rf"fir_kernel<8, int, bf16, modconv::{'keep_result' if back else 'activate'}<bf16>"
    return Shape(name, "modconv", kernel, blocks, 8 + 3, 0, 4 * n * size * size * channels)


def correlation_layer(name, size, i, o, n=1):
    parts = max(1, 264 // (9 * math.ceil(i / 64) * math.ceil(o / 64)))
    blocks = parts * 9 * math.ceil(i / 64) * math.ceil(o / 64)
    flop, dram = layer(size, i, o, n)
    return Shape(name, "modconv", "tile_correlation", blocks, n * size * size / 32 / parts, flop, dram, 1, 2 * 64 * 64)


def windows(name, side, heads, n, back=False):
    """Swin's attention in windows of 7 x 7 with heads of 32"""
    units, channels, pixels = n * (side // 7) ** 2, 32 * heads, n * side * side
    shares = min(units, math.ceil(132 * (3 if back else 5) / heads))
    flop = units * heads * 49 * 49 * 32 * (10 if back else 4)
    tiles = 2 * (8 if back else 6) * 64 * 40 + (2 * 2 * 64 * 72 if back else 0)
    kernel = rf"attention_tile::{'backward' if back else 'forward'}<attention::windows, 32, 56>"
    dram = pixels * (2 * channels * (7 if back else 4) + 4 * heads)
    return Shape(name, "window_attention", kernel, shares * heads, units / shares, flop, dram, 49 * 64 // 128, dynamic=tiles + 4 * 49 * 64)


SHAPES = [
    mma_layer("64 plain 512 -> 512", 64, 512, 512, 128, 64),
    mma_layer("256 plain 128 -> 128", 256, 128, 128, 128, 128),
    mma_layer("256 plain 128 -> 128, dx", 256, 128, 128, 128, 128, turned=True),
    mma_layer("512 plain 64 -> 64", 512, 64, 64, 128, 64),
    mma_layer("1024 plain 32 -> 32", 1024, 32, 32, 128, 32),
    box_layer("64 plain 512 -> 512, batch 8", 64, 512, 512, 128, 8),
    box_layer("128 plain 256 -> 256", 128, 256, 256, 128),
    box_layer("128 plain 256 -> 256, dx", 128, 256, 256, 128, turned=True),
    box_layer("64 plain 512 -> 512, batch 8", 64, 512, 512, 256, 8),
    box_layer("128 plain 256 -> 256", 128, 256, 256, 256),
    box_layer("128 plain 256 -> 256, dx", 128, 256, 256, 256, turned=True),
    box_layer("256 plain 128 -> 128", 256, 128, 128, 128),
    box_layer("512 plain 64 -> 64", 512, 64, 64, 64),
    filter_layer("filter of 256 up, 128", 256, 128),
    filter_layer("filter of 1024 up, 32", 1024, 32),
    filter_layer("filter's transpose of 1024 up, 32", 1024, 32, back=True),
    correlation_layer("dw of 128 plain 256 -> 256, batch 8", 128, 256, 256, 8),
    windows("windows of 56 x 56, 3 heads, batch 768", 56, 3, 768),
    windows("windows of 56 x 56, 3 heads, batch 768, backward", 56, 3, 768, back=True),
    windows("windows of 14 x 14, 12 heads, batch 768", 14, 12, 768),
    windows("windows of 14 x 14, 12 heads, batch 768, backward", 14, 12, 768, back=True),
]


def find_kernel(kernels, pattern, where):
    found = [k for k in kernels if re.search(pattern, k.name)]
    if not found:
        give_up(f"{where}: no kernel matches {pattern!r}")
    return found[0]


class Compiled:
    """the kernels of a source by name and architecture, each compiled once"""

    def __init__(self, folder, scratch):
        self.folder, self.scratch, self.known = folder, scratch, {}

    def kernels(self, source, arch):
        if (source, arch) not in self.known:
            ready = pathlib.Path(self.folder or "/nonexistent") / f"{source}.{arch}.cubin"
            if source not in SOURCES:
                give_up(f"no kernels/cuda/*/{source}.cu")
            cubin = ready if ready.exists() else compile_source(SOURCES[source], arch, self.scratch)
            self.known[source, arch] = kernels_of(cubin)
        return self.known[source, arch]


# --- what is printed -------------------------------------------------------------------------------------
def print_kernels(files, arch, pattern, scratch):
    printed = 0
    for file in files:
        for cubin in cubins_of(file, arch, scratch):
            for kernel in kernels_of(cubin):
                if pattern and not re.search(pattern, kernel.name):
                    continue
                printed += 1
                sm = int(re.match(r"\d+", arch)[0])
                print(
                    f"{kernel.name}\n  {len(kernel.code)} instructions, {kernel.registers} registers, {kernel.threads} threads, {kernel.shared} B shared, "
                    f"{kernel.frame} B local, {kernel.occupancy(sm=sm)} blocks a multiprocessor without dynamic shared memory"
                )
                for loop in kernel.loops:
                    m = loop.measures()
                    mark = "hot " if loop is kernel.hot() else ""
                    print(f"  {mark}loop {loop.first:x}-{loop.last:x}: " + ", ".join(f"{v:.1f} {k}" if isinstance(v, float) else f"{v} {k}" for k, v in m.items() if v))
    if files and not printed:
        give_up(f"no kernel of {', '.join(files)}" + (f" matches {pattern!r}" if pattern else ""))


def print_shapes(compiled):
    print("| shape | issues / tensor instruction | registers, blocks | issues | tensor cores | shared memory | L2 | DRAM | predicted us | TFLOP/s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        kernel = find_kernel(compiled.kernels(shape.source, shape.arch), shape.kernel, shape.name)
        seconds, measures = shape.predict(kernel), kernel.hot().measures()
        total = max(seconds.values()) + LAUNCH
        each = measures.get("issues/tensor")
        cells = [shape.name, f"{each:.1f}" if each else f"{measures['issues']} in all", f"{kernel.registers}, {kernel.occupancy(shape.dynamic)}"]
        cells += [f"{s * 1e6:.1f}" for s in seconds.values()]
        print("| " + " | ".join([*cells, f"{total * 1e6:.0f}", f"{shape.flop / total / 1e12:.0f}" if shape.flop else ""]) + " |")


def check(path, compiled):
    """a line of the file: architecture, source, pattern of the kernel's name, measure, maximum; separated by tabs"""
    bad = count = 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            arch, source, pattern, measure, most = line.split("\t")
            most = float(most)
        except ValueError:
            give_up(f"{path}:{number}: expected architecture, source, kernel, measure and maximum separated by tabs, got {line!r}")
        found = [k for k in compiled.kernels(source, arch) if re.search(pattern, k.name)]
        if not found:
            give_up(f"{path}:{number}: no kernel of {source}.cu matches {pattern!r}")
        for kernel in found:
            measures = kernel.measures()
            if measure not in measures:
                give_up(f"{path}:{number}: no measure {measure!r} of {kernel.name}; there are {', '.join(measures)}")
            count += 1
            if measures[measure] > most:
                bad += 1
                print(f"{path.name}:{number}: sm_{arch} {kernel.name}: {measure} is {measures[measure]:.2f}, must be <= {most:g}")
    if not count:
        give_up(f"{path}: no bounds")
    print(f"{count} bounds, {bad} exceeded")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--arch", default="90a", help="architecture of FILE: 80, 86, 90a (default), ...")
    parser.add_argument("--kernel", metavar="REGEX", help="only kernels whose name matches")
    parser.add_argument("--shapes", action="store_true", help="print the table of named shapes")
    parser.add_argument("--check", type=pathlib.Path, metavar="BOUNDS", help="compare with the bounds of this file")
    parser.add_argument("--cubins", metavar="FOLDER", help="where NAME.ARCH.cubin may lie")
    options = parser.parse_args()
    if not (options.files or options.shapes or options.check):
        parser.error("nothing to do: give a FILE, --shapes or --check")
    if options.check and not options.check.exists():
        give_up(f"{options.check}: no such file")
    find_tool("nvdisasm")  # said before the long compilation
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Compiled(options.cubins, scratch)
        print_kernels(options.files, options.arch, options.kernel, scratch)
        if options.shapes:
            print_shapes(compiled)
        sys.exit(check(options.check, compiled) if options.check else 0)


if __name__ == "__main__":
    main()
