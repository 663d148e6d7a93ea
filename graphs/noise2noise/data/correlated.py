"""Noise that neighbouring pixels and channels share, as that of cameras' own pictures."""

from __future__ import annotations

import math

import torch

RADII = 0.25, 1.2
"""Of the blurs that white noise has gone through, in pixels; with the first it is nearly white."""

COARSER = 1.0, 7.0
"""What the radius of a second blur is larger by, as where a camera has smoothed colours."""

COARSE_SHARES = 0.0, 0.4
"""Of the variance that the second has."""


def correlated_normal(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Normal noise of variance 1, in each picture of another spectrum.

    A share of the variance, from none to all, is common to the channels. Borders wrap around.

    Args:
        like: (N, C, H, W), of whose shape and dtype it is.
        generator: where the randomness comes from.
    """
    common = _blurred(torch.randn(like[:, :1].shape, generator=generator), generator)
    own = _blurred(torch.randn(like.shape, generator=generator), generator)
    share = _uniform(len(like), (0.0, 1.0), generator)
    return (share.sqrt() * common + (1 - share).sqrt() * own).to(like.dtype)


def _blurred(white: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """White noise (N, C, H, W) of each picture with a spectrum of its own; variance is kept."""
    fine = _uniform(len(white), RADII, generator)
    coarse = fine + _uniform(len(white), COARSER, generator)
    share = _uniform(len(white), COARSE_SHARES, generator)
    power = (1 - share) * _power(fine, white.shape) + share * _power(coarse, white.shape)
    half = power[..., : white.shape[3] // 2 + 1]  # the other frequencies' is the same
    return torch.fft.irfft2(torch.fft.rfft2(white) * half.sqrt(), white.shape[2:])


def _power(radius: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Of white noise after a Gaussian blur, over the frequencies; 1 on average."""
    rows, columns = (torch.fft.fftfreq(size) for size in shape[2:])
    power = torch.exp(-((2 * math.pi * radius) ** 2) * (rows[:, None] ** 2 + columns**2))
    return power / power.mean((2, 3), keepdim=True)


def _uniform(count: int, ends: tuple[float, float], generator: torch.Generator) -> torch.Tensor:
    low, high = ends
    return low + (high - low) * torch.rand((count, 1, 1, 1), generator=generator)
