"""The W+ step of the PyTorch peers on one device, alone; made for a GPU machine.

    python bench/peers/wplus.py --device cuda --peer P1 --size 1024 --batch 8 --face --json out.json

P0  the authors' step: per-sample weights in a grouped convolution, FIR as an ordinary convolution, nothing frozen,
    nearest x7 and average pool, CLIP in half precision on CUDA, float32 elsewhere; identity loss in the right order
P1  every trick that PyTorch offers: frozen weights, scaled activations, bf16 channels-last, area resize, fused Adam,
    torch.compile, and the whole step replayed as one CUDA graph (--graph step) or graphs made by the compiler
P2  P1's model in plain eager bf16: no compiler, no graph
On a CPU all of them run in float32 and --graph does nothing.
"""

import argparse
import json
import pathlib
import platform
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import torch  # noqa: E402

import steps  # noqa: E402


def settings_of(options):
    cuda = options.device != "cpu"
    common = {"batch": options.batch, "size": options.size, "face": options.face, "device": options.device}
    if options.peer == "P0":
        return steps.Settings("authors", **common, clip_dtype="float16" if cuda else None)
    common["dtype"] = "bfloat16" if cuda else "float32"
    if options.peer == "P2":
        return steps.Settings("scaled", **common)
    mode = options.compile
    if mode == "auto":
        mode = "max-autotune-no-cudagraphs" if options.graph == "step" or not cuda else "max-autotune"
    return steps.Settings("scaled", **common, fir=options.fir, compile=None if mode == "off" else mode)


def measure(run, synchronise, runs):
    """Seconds of single steps, each waited for, and of steps in one uninterrupted row."""
    alone = []
    for _ in range(runs):
        synchronise()
        start = time.perf_counter()
        run()
        synchronise()
        alone.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(runs):
        run()
    synchronise()
    return alone, (time.perf_counter() - start) / runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--peer", default="P1", choices=("P0", "P1", "P2"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--face", action="store_true")
    parser.add_argument("--fir", default="depthwise", choices=("depthwise", "shifts"))
    parser.add_argument("--compile", default="auto", help="P1: a mode of torch.compile, or off")
    parser.add_argument("--graph", default="step", choices=("step", "compiler"), help="P1 on CUDA")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--threads", type=int, help="CPU only")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    cuda = options.device != "cpu"
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = options.peer != "P0"
    synchronise = torch.cuda.synchronize if cuda else (lambda: None)

    step = steps.WPlus(settings_of(options))
    run = step.run
    for _ in range(options.warm):
        run()
    if cuda:
        synchronise()
        torch.cuda.reset_peak_memory_stats()
        run()
        synchronise()
    peak = torch.cuda.max_memory_allocated() if cuda else None
    if cuda and options.peer == "P1" and options.graph == "step":
        run = steps.recorded(step)
    alone, row = measure(run, synchronise, options.runs)
    low, middle, high = statistics.quantiles(alone, n=4, method="inclusive")
    result = {
        "peer": options.peer, "size": options.size, "batch": options.batch, "face": options.face,
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or "cpu", "torch": torch.__version__,
        "compile": step.settings.compile, "graph": options.graph if cuda and options.peer == "P1" else None,
        "loss": float(step.loss.detach()), "peak_bytes": peak,
        "seconds": {"median": middle, "quartiles": [low, high], "row": row, "all": alone},
    }
    text = f"{options.peer} {options.size}, batch {options.batch}{', ArcFace' if options.face else ''}"
    print(f"{text}: median {1e3 * middle:.3f} ms, quartiles {1e3 * low:.3f} - {1e3 * high:.3f}, in a row {1e3 * row:.3f}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
