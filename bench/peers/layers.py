"""Each modulated convolution of StyleGAN2 at 1024, alone, in PyTorch; made for a GPU machine.

    python bench/peers/layers.py --device cuda --batch 8 --json peers.json
    build/bench/bench_ops --device cuda --bf16 --layers 8 > ours.jsonl
    python bench/peers/layers.py --table peers.json ours.jsonl      # ratios, without a GPU

convolution   the plain convolution of the same shape, cuDNN's: the speed that modulation should not fall behind
scaled        the layer as in P1: style on the activations, convolution, filter, demodulation, noise, bias, leaky ReLU
compiled      the same through torch.compile
authors       the layer as in P0: per-sample weights in a grouped convolution
Forward, and the gradients to the picture and the style. bf16 channels-last on a GPU (authors: float32, contiguous),
float32 on a CPU. The forms take turns, run by run; before each run a buffer larger than the caches is cleared,
outside the timed part.
"""

import argparse
import json
import pathlib
import platform
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

FORMS = ("convolution", "scaled", "compiled", "authors")
OURS = {"forward": ("demodulate", "modconv"), "backward": ("modconv_epilogue_backward", "modconv_dx", "demodulate_backward")}


def layers(size):
    """(name, side of the result, channels in, out, up), in order; names are bench_ops's."""
    side, c_in = 4, 512
    while side <= size:
        c = min(32768 // side, 512)
        for up in (True, False) if side > 4 else (False,):
            yield f"{side} {'up' if up else 'plain'} {c_in} to {c}", side, c_in, c, up
            c_in = c
        side *= 2


class Layer:
    def __init__(self, form, side, c_in, c_out, up, options):
        import models
        import torch

        self.form, self.side, self.up, cuda = form, side, up, options.device != "cpu"
        self.dtype = torch.bfloat16 if cuda and form != "authors" else torch.float32
        layout = torch.contiguous_format if form == "authors" else torch.channels_last
        net = models.Synthesis.__new__(models.Synthesis)  # one layer of it
        models.Named.__init__(net, "authors" if form == "authors" else "scaled")
        net.size, net.fir, net.w_dim, net.channels = side, "depthwise", c_in, {4: 0, side: c_out}
        self.name = f"synthesis.b{side}.conv{0 if up else 1}"
        net.add_conv(self.name, c_in, c_out, side)
        net.register_buffer("kernel", models.fir_kernel(4.0))
        if form != "authors":
            net.prepare(self.dtype, layout)
        self.net = net.to(options.device)
        net.style = lambda layer, w: w  # the affine layer is not part of this
        start = side // 2 if up else side
        torch.manual_seed(0)
        x = torch.randn(options.batch, c_in, start, start, device=options.device, dtype=self.dtype)
        self.x = x.contiguous(memory_format=layout).requires_grad_()
        self.s = torch.randn(options.batch, c_in, device=options.device, dtype=self.dtype).add_(1).requires_grad_()
        self.call = torch.compile(self.compute, mode="max-autotune-no-cudagraphs") if form == "compiled" else self.compute

    def compute(self, x, s):
        import torch.nn.functional as F

        if self.form == "convolution":
            weight = self.net.get(f"{self.name}.weight")
            return F.conv_transpose2d(x, weight, stride=2) if self.up else F.conv2d(x, weight, padding=1)
        one = self.net.grouped if self.form == "authors" else self.net.scaled
        return one(x, s, self.name, self.side, self.up)

    def forward(self):
        self.y = self.call(self.x, self.s)

    def backward(self):
        import torch

        wrt = [self.x] if self.form == "convolution" else [self.x, self.s]
        if self.form == "authors":  # its scripts freeze nothing
            wrt += [p for p in self.net.parameters() if p.shape[-2:] == (3, 3)]
        torch.autograd.grad(self.y, wrt, self.seed, retain_graph=False)


class Clock:
    """Seconds of one call, the caches cleared before."""

    def __init__(self, options):
        import torch

        self.cuda, self.torch = options.device != "cpu", torch
        self.spare = torch.empty(options.flush << 20, dtype=torch.uint8, device=options.device)

    def time(self, call):
        self.spare.zero_()
        if not self.cuda:
            start = time.perf_counter()
            call()
            return time.perf_counter() - start
        before, after = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        call()
        after.record()
        after.synchronize()
        return 1e-3 * before.elapsed_time(after)


def spread(seconds):
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return {"median": middle, "quartiles": [low, high]}


def measure(name, shape, options, clock):
    import torch

    forms = [f for f in options.forms if f != "compiled" or options.device != "cpu"]
    contestants = [(form, Layer(form, *shape, options)) for form in forms]
    seconds = {form: {"forward": [], "backward": []} for form in forms}
    for run in range(-options.warm, options.runs):
        for form, layer in contestants if run % 2 == 0 else contestants[::-1]:
            forward = clock.time(layer.forward)
            if run == -options.warm:
                layer.seed = torch.randn_like(layer.y)
            backward = clock.time(layer.backward)
            if run >= 0:
                seconds[form]["forward"].append(forward)
                seconds[form]["backward"].append(backward)
    found = {form: {way: spread(s) for way, s in ways.items()} for form, ways in seconds.items()}
    print(name, {form: f"{1e6 * w['forward']['median']:.1f} + {1e6 * w['backward']['median']:.1f} us" for form, w in found.items()})
    return {"layer": name, "seconds": found}


def table(peers, ours):
    """chladni's ops of a layer added up, and how many times as long each form takes."""
    peers = json.loads(peers.read_text())
    lines = [json.loads(line) for line in ours.read_text().splitlines() if line.startswith("{")]
    forms = list(peers["layers"][0]["seconds"])
    print("| layer, batch " + str(peers["batch"]) + " | | chladni, µs | " + " | ".join(forms) + " |\n|---|---|---|" + "---|" * len(forms))
    for row in peers["layers"]:
        for way, ops in OURS.items():
            mine = [x["seconds"]["median"] for x in lines if x["case"] == row["layer"] and x["op"] in ops]
            if not mine:
                sys.exit(f"{ours} has no {' or '.join(ops)} of the layer {row['layer']}: run bench_ops --layers")
            cells = [f"{row['seconds'][form][way]['median'] / sum(mine):.2f}" for form in forms]
            print(f"| {row['layer']} | {way} | {1e6 * sum(mine):.1f} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--flush", type=int, default=256, help="MB cleared before each run")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--table", nargs=2, type=pathlib.Path, metavar=("PEERS", "OURS"))
    options = parser.parse_args()
    if options.table:
        return table(*options.table)
    import torch

    torch.backends.cudnn.benchmark = True
    torch.set_flush_denormal(True)
    clock = Clock(options)
    rows = [measure(name, shape, options, clock) for name, *shape in layers(options.size)]
    cuda = options.device != "cpu"
    result = {
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or "cpu", "torch": torch.__version__,
        "batch": options.batch, "runs": options.runs, "layers": rows,
    }
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
