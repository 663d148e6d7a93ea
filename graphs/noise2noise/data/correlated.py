"""Noise correlated between neighbouring pixels and channels, as in processed camera pictures."""

from __future__ import annotations

import math

import torch

RADII = 0.25, 1.2
"""Range of the blur applied to white noise, in pixels; at the lower end it stays nearly white."""

COARSER = 1.0, 7.0
"""Range by which a second blur has a larger radius, as where a camera has smoothed colours."""

COARSE_SHARES = 0.0, 0.4
"""Range of the second blur's share of the variance."""


def correlated_normal(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Normal noise of variance 1, with a different spectrum for each picture.

    A random share of the variance, from none to all, is common to the channels. Borders wrap
    around.

    Args:
        like: (N, C, H, W); the noise has its shape and dtype.
        generator: the source of randomness.
    """
    common = _blurred(torch.randn(like[:, :1].shape, generator=generator), generator)
    own = _blurred(torch.randn(like.shape, generator=generator), generator)
    share = _uniform(len(like), (0.0, 1.0), generator)
    return (share.sqrt() * common + (1 - share).sqrt() * own).to(like.dtype)


def _blurred(white: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Filter white noise (N, C, H, W) with a random spectrum per picture, preserving variance."""
    fine = _uniform(len(white), RADII, generator)
    coarse = fine + _uniform(len(white), COARSER, generator)
    share = _uniform(len(white), COARSE_SHARES, generator)
    power = (1 - share) * _power(fine, white.shape) + share * _power(coarse, white.shape)
    half = power[..., : white.shape[3] // 2 + 1]  # the other frequencies have the same power
    return torch.fft.irfft2(torch.fft.rfft2(white) * half.sqrt(), white.shape[2:])


def _power(radius: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Power spectrum of white noise after a Gaussian blur, normalised to a mean of 1."""
    rows, columns = (torch.fft.fftfreq(size) for size in shape[2:])
    power = torch.exp(-((2 * math.pi * radius) ** 2) * (rows[:, None] ** 2 + columns**2))
    return power / power.mean((2, 3), keepdim=True)


def _uniform(count: int, ends: tuple[float, float], generator: torch.Generator) -> torch.Tensor:
    low, high = ends
    return low + (high - low) * torch.rand((count, 1, 1, 1), generator=generator)
