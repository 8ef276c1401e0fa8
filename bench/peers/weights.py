"""The weights and inputs that chladni-bench and the PyTorch peers both compute from names (bench/weights.c is the twin)."""

import math
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "fixtures"))
import formula  # noqa: E402


def array(name, shape):
    """The formula's array, but for StyleGAN2, whose run-time scales want unit variance and styles near one."""
    if name.startswith("synthesis."):
        if name.endswith("affine.bias"):
            return formula.fill(name, 1.0, 0.2, shape)
        if name.endswith("affine.weight") or name.endswith("noise_const"):
            return formula.fill(name, 0.0, math.sqrt(3), shape)
        if name.endswith("torgb.weight"):
            return formula.fill(name, 0.0, 0.25, shape)
    return formula.weight(name, shape)


def tensor(name, shape):
    return torch.from_numpy(array(name, tuple(shape)))


def uniform(name, shape, amplitude=math.sqrt(3)):
    """Inputs: uniform in +-amplitude; the default has unit variance."""
    return torch.from_numpy(formula.fill(name, 0.0, amplitude, tuple(shape)))
