"""Log-mel as PyTorch users write it: torch.stft, a dense mel matrix, log10; the peer of `chladni-bench mel`.

    python bench/peers/mel_torch.py [--batch N] [--threads N] [--device cpu|cuda] [--power abs|parts]

`--power parts` (default) squares real and imaginary parts; `abs` is the usual abs().pow(2), which is slower.
"""

import argparse
import math
import os
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import weights  # noqa: E402
from serve import serve  # noqa: E402

RATE, SECONDS, FFT, HOP, BANDS = 44100, 10, 2048, 512, 128


def hz(mel):
    """Slaney's scale: linear up to 1 kHz, logarithmic above."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(math.log(6.4) / 27 * (mel - 15)))


def filters():
    """[bands, bins], triangles of unit area; equal to librosa.filters.mel."""
    top = 15 + 27 * math.log(RATE / 2 / 1000) / math.log(6.4)
    corner = hz(np.linspace(0, top, BANDS + 2))
    bin_hz = np.arange(FFT // 2 + 1) * RATE / FFT
    low, centre, high = corner[:-2, None], corner[1:-1, None], corner[2:, None]
    triangle = np.minimum((bin_hz - low) / (centre - low), (high - bin_hz) / (high - centre)).clip(0)
    return torch.from_numpy((triangle * 2 / (high - low)).astype(np.float32))


class LogMel:
    def __init__(self, batch, power, device="cpu"):
        self.wave = weights.uniform("wave", (batch, RATE * SECONDS), 0.5).to(device)
        self.window, self.filters, self.power = torch.hann_window(FFT).to(device), filters().to(device), power

    def run(self):
        with torch.inference_mode():
            spectrum = torch.stft(self.wave, FFT, HOP, window=self.window, pad_mode="reflect", return_complex=True)
            if self.power == "abs":
                power = spectrum.abs().pow(2)
            else:
                power = spectrum.real.square() + spectrum.imag.square()
            level = (self.filters @ power).clamp_min_(1e-10).log10_().mul_(10)
            level -= level.amax((1, 2), keepdim=True)
            self.mel = level.clamp_min_(-80).div_(80).add_(1)

    def outputs(self):
        return {"mel": self.mel}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--power", default="parts", choices=("parts", "abs"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    peer = LogMel(options.batch, options.power, options.device)
    about = {"torch": torch.__version__, **vars(options)}
    serve(peer.run, peer.outputs, about, torch.cuda.synchronize if options.device != "cpu" else lambda: None)


if __name__ == "__main__":
    main()
