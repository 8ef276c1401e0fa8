"""Sound files to mel pictures of 224 x 224 as PyTorch users do it: a DataLoader whose workers decode, bring to 44.1 kHz, and make a
log-mel picture; the peer of `chladni-bench loader`.

    python bench/peers/loader.py --list FILES.txt --threads WORKERS [--by librosa|torchaudio]

librosa     librosa.load(sr=44100), feature.melspectrogram, power_to_db(ref=max)
torchaudio  soundfile, functional.resample, transforms.MelSpectrogram (Slaney's scale and norm), decibels as above
Both: the 864 frames in the middle, padded with 0 on the right, then a bilinear resize. A worker has one thread.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from serve import serve  # noqa: E402

RATE, FFT, HOP, BANDS, FRAMES, SIDE = 44100, 2048, 512, 128, 864, 224


def by_librosa(path):
    import librosa

    wave, _ = librosa.load(path, sr=RATE)
    power = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=FFT, hop_length=HOP, n_mels=BANDS, pad_mode="reflect")
    return torch.from_numpy(librosa.power_to_db(power, ref=np.max))


class ByTorchaudio:
    def __init__(self):
        import torchaudio

        self.audio, self.resamplers = torchaudio, {}
        self.mel = torchaudio.transforms.MelSpectrogram(RATE, FFT, hop_length=HOP, n_mels=BANDS, norm="slaney", mel_scale="slaney")

    def __call__(self, path):
        import soundfile

        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        wave = torch.from_numpy(wave.mean(1))
        if rate != RATE:
            if rate not in self.resamplers:
                self.resamplers[rate] = self.audio.transforms.Resample(rate, RATE)
            wave = self.resamplers[rate](wave)
        level = 10 * self.mel(wave).clamp_min(1e-10).log10()
        return (level - level.max()).clamp_min(-80)


def picture(level):
    """[bands, frames] in dB below the maximum -> [SIDE, SIDE] in 0 ... 1"""
    level = 1 + level / 80
    frames = level.shape[1]
    if frames >= FRAMES:
        start = (frames - FRAMES) // 2
        level = level[:, start : start + FRAMES]
    else:
        level = torch.nn.functional.pad(level, (0, FRAMES - frames))
    return torch.nn.functional.interpolate(level[None, None], (SIDE, SIDE), mode="bilinear")[0, 0]


class Sounds(torch.utils.data.Dataset):
    def __init__(self, paths, by):
        self.paths, self.by, self.load = paths, by, None

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        if self.load is None:
            torch.set_num_threads(1)
            self.load = by_librosa if self.by == "librosa" else ByTorchaudio()
        with torch.inference_mode():
            return picture(self.load(self.paths[i])).clone()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", required=True)
    parser.add_argument("--threads", type=int, default=1, help="workers of the DataLoader")
    parser.add_argument("--by", default="librosa", choices=("librosa", "torchaudio"))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = pathlib.Path(options.list).read_text().split("\n")
    data = torch.utils.data.DataLoader(
        Sounds([p for p in paths if p], options.by), batch_size=options.batch, num_workers=options.threads,
        persistent_workers=True, prefetch_factor=4,
    )
    last = []

    def run():
        last[:] = list(data)

    about = {"torch": torch.__version__, **vars(options)}
    serve(run, lambda: {"sounds": torch.cat(last)}, about)


if __name__ == "__main__":
    main()
