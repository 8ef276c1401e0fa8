"""One training step or one op in PyTorch on one device, alone; made for a GPU machine.

    python bench/peers/alone.py swin --device cuda --batch 128 --compile max-autotune --json out.json
    python bench/peers/alone.py mel --device cuda --batch 384
    python bench/peers/alone.py window --device cuda --batch 128 --form official

swin    Swin-T, one channel: forward, gradient to every weight, AdamW; --compile MODE, else eager (P2)
mel     log-mel of 10 s clips: torch.stft, power, mel matrix, log10, each an op (what torchaudio does)
window  window attention of Swin's first stage, forward and backward: roll, partition, q k^T + bias + mask, softmax, v,
        reverse, roll. official: as Swin's public code, a matrix product each; sdpa: the fused attention with bias and
        mask added up beforehand
bf16 under autocast where the device is a GPU (--dtype says otherwise), float32 on a CPU; mel is float32 always.
"""

import argparse
import json
import pathlib
import platform
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

import steps  # noqa: E402
from wplus import measure  # noqa: E402


class SwinStep:
    """steps.Swin with the optimiser that training needs."""

    def __init__(self, options):
        settings = steps.Settings(
            batch=options.batch, device=options.device, dtype=options.dtype, compile=options.compile,
            layout="contiguous",
        )
        self.step = steps.Swin(settings)
        fused = {"fused": True} if options.device != "cpu" else {}
        self.optimiser = torch.optim.AdamW(self.step.net.parameters(), lr=1e-4, weight_decay=0.05, **fused)

    def run(self):
        self.step.run()
        self.optimiser.step()
        self.value = self.step.loss.detach()


class MelStep:
    def __init__(self, options):
        import mel_torch

        self.peer = mel_torch.LogMel(options.batch, "abs", options.device)
        if options.seconds:
            self.peer.wave = self.peer.wave[:, : options.seconds * mel_torch.RATE].contiguous()
        if options.compile:
            self.peer.run = torch.compile(self.peer.run, mode=options.compile)

    def run(self):
        self.peer.run()
        self.value = self.peer.mel.mean()


def regions(side, window, shift):
    """[windows, window^2, window^2]: -100 between pixels that the roll brought together."""
    part = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
    number = torch.zeros(1, side, side, 1)
    for i, rows in enumerate(part):
        for j, columns in enumerate(part):
            number[:, rows, columns] = 3 * i + j
    cut = partition(number, window).squeeze(-1)
    return (cut[:, None] - cut[:, :, None]).ne(0) * -100.0


def partition(x, window):
    n, h, w, c = x.shape
    x = x.view(n, h // window, window, w // window, window, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window * window, c)


def reverse(x, window, n, h, w):
    x = x.view(n, h // window, w // window, window, window, -1)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, -1)


def relative_index(window):
    at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
    gap = (at[:, :, None] - at[:, None, :]).permute(1, 2, 0) + window - 1
    return gap[..., 0] * (2 * window - 1) + gap[..., 1]


class WindowStep:
    """[N,H,W,3C] -> [N,H,W,C], gradients to qkv and to the bias table."""

    def __init__(self, options, window=7, shift=3):
        torch.manual_seed(0)
        self.side, self.heads, self.window, self.shift = options.side, options.heads, window, shift
        self.width, self.form = 32 * options.heads, options.form
        device, dtype = options.device, getattr(torch, options.dtype)
        self.qkv = torch.randn(options.batch, self.side, self.side, 3 * self.width, device=device, dtype=dtype, requires_grad=True)
        self.table = torch.randn((2 * window - 1) ** 2, self.heads, device=device, requires_grad=True)
        self.index = relative_index(window).to(device)
        self.mask = regions(self.side, window, shift).to(device)
        self.seed = torch.randn(options.batch, self.side, self.side, self.width, device=device, dtype=dtype)
        self.forward = torch.compile(self.forward, mode=options.compile) if options.compile else self.forward

    def bias(self):
        return self.table[self.index.flatten()].view(*self.index.shape, -1).permute(2, 0, 1)

    def attend(self, q, k, v):
        windows, tokens = self.mask.shape[0], self.mask.shape[1]
        if self.form == "sdpa":
            together = (self.bias()[None] + self.mask[:, None]).to(q.dtype)
            together = together.repeat(q.shape[0] // windows, 1, 1, 1)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=together)
        score = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + self.bias().to(q.dtype)
        score = score.view(-1, windows, self.heads, tokens, tokens) + self.mask[None, :, None].to(q.dtype)
        return torch.softmax(score.view(-1, self.heads, tokens, tokens), -1) @ v

    def forward(self, qkv):
        n, h, w, _ = qkv.shape
        x = partition(torch.roll(qkv, (-self.shift, -self.shift), (1, 2)), self.window)
        q, k, v = x.view(x.shape[0], -1, 3, self.heads, 32).permute(2, 0, 3, 1, 4)
        y = self.attend(q, k, v).transpose(1, 2).reshape(x.shape[0], -1, self.width)
        return torch.roll(reverse(y, self.window, n, h, w), (self.shift, self.shift), (1, 2))

    def run(self):
        self.qkv.grad = self.table.grad = None
        y = self.forward(self.qkv)
        y.backward(self.seed)
        self.value = y.detach().float().square().mean()


PEERS = {"swin": SwinStep, "mel": MelStep, "window": WindowStep}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=PEERS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"))
    parser.add_argument("--compile", metavar="MODE", help="torch.compile with this mode: default, max-autotune ...")
    parser.add_argument("--form", default="official", choices=("official", "sdpa"), help="window")
    parser.add_argument("--side", type=int, default=56, help="window: a multiple of 7 above 7")
    parser.add_argument("--heads", type=int, default=3, help="window: of 32 channels each")
    parser.add_argument("--seconds", type=int, help="mel: shorter clips")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--threads", type=int, help="CPU only")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    options.dtype = options.dtype or ("float32" if options.device == "cpu" else "bfloat16")
    return options


def main():
    options = arguments()
    cuda = options.device != "cpu"
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = True
    synchronise = torch.cuda.synchronize if cuda else (lambda: None)
    peer = PEERS[options.workload](options)
    for _ in range(options.warm):
        peer.run()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    alone, row = measure(peer.run, synchronise, options.runs)
    low, middle, high = statistics.quantiles(alone, n=4, method="inclusive")
    settings = {k: v for k, v in vars(options).items() if k != "json"}
    result = {
        **settings, "device": torch.cuda.get_device_name() if cuda else platform.processor() or "cpu",
        "torch": torch.__version__, "value": float(peer.value),
        "peak_bytes": torch.cuda.max_memory_allocated() if cuda else None,
        "seconds": {"median": middle, "quartiles": [low, high], "row": row, "all": alone},
    }
    text = f"{options.workload}, batch {options.batch}, {'compiled' if options.compile else 'eager'}"
    print(f"{text}: median {1e3 * middle:.3f} ms, quartiles {1e3 * low:.3f} - {1e3 * high:.3f}, in a row {1e3 * row:.3f}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
