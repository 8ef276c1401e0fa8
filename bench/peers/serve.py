"""A PyTorch peer as a server of timed runs, in the line protocol of chladni-bench --serve (docs/performance.md).

    python bench/peers/serve.py WORKLOAD [--form scaled|authors] [--batch N] [--size N] [--threads N] ...
"""

import argparse
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


def serve(run, outputs, about, synchronise=lambda: None, memory=dict):
    """Answers `run` with seconds, `dump FOLDER` with the names of the arrays written there, `about` with JSON."""
    import numpy as np

    answer = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    print("ready", file=answer)
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        if word == "run":
            synchronise()
            start = time.perf_counter()
            run()
            synchronise()
            print(f"{time.perf_counter() - start:.9f}", file=answer)
        elif word == "dump":
            arrays = outputs()
            for name, value in arrays.items():
                value = value.detach().float().cpu().contiguous().numpy()
                np.save(pathlib.Path(argument) / f"{name}.npy", value)
            print(" ".join(arrays), file=answer)
        elif word == "about":
            print(json.dumps({**about, **memory()}), file=answer)
        elif word == "quit":
            return
        else:
            print(f"error unknown request {word!r}", file=answer)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload")
    parser.add_argument("--form", default="scaled", choices=("scaled", "authors"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--face", action="store_true", help="with the identity loss")
    parser.add_argument("--forward-only", action="store_true")
    parser.add_argument("--layout", default="channels_last", choices=("channels_last", "contiguous"))
    parser.add_argument("--fir", default="depthwise", choices=("depthwise", "shifts"))
    parser.add_argument("--compile", metavar="MODE", help="torch.compile with this mode")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--clip-dtype", choices=("float16", "bfloat16", "float32"), help="wplus; otherwise --dtype")
    parser.add_argument("--graph", action="store_true", help="on a GPU: from the second run on one CUDA graph")
    parser.add_argument("--onednn", default="on", choices=("on", "off"))
    return parser.parse_args()


def graphed(workload, record):
    """The first run step by step, for its outputs are compared; the others replay a recorded one."""
    replay = []

    def run():
        if not replay:
            workload.run()
            replay.append(None)
        else:
            replay[0] = replay[0] or record(workload)
            replay[0]()

    return run


def main():
    options = arguments()
    import torch

    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    torch.backends.mkldnn.enabled = options.onednn == "on"
    torch.backends.cudnn.benchmark = options.form == "scaled"
    import steps

    settings = steps.Settings(
        options.form, options.batch, options.size, options.face, options.device, options.dtype, options.layout,
        options.compile, options.fir, not options.forward_only, options.clip_dtype,
    )
    workload = steps.WORKLOADS[options.workload](settings)
    about = {"torch": torch.__version__, "threads": torch.get_num_threads(), **vars(options)}
    gpu = options.device != "cpu"
    if gpu:
        about["device"] = torch.cuda.get_device_name(options.device)
    run = graphed(workload, steps.recorded) if gpu and options.graph else workload.run
    if not gpu:
        return serve(run, workload.outputs, about)
    serve(run, workload.outputs, about, torch.cuda.synchronize, lambda: {"peak_mb": 1e-6 * torch.cuda.max_memory_reserved()})


if __name__ == "__main__":
    main()
