"""Synthetic shots, in the range of 8-bit files but neither rounded nor clipped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from tests.noise2noise.scenes import cat

Maker = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def photograph(height: int = 192, width: int = 256) -> np.ndarray:
    """(3, height, width) from 0 to 255, in float64."""
    return cat(height, width).double().numpy() * 255


def white(rng: np.random.Generator, clean: np.ndarray, sigma: float = 12.0) -> np.ndarray:
    """Independent normal noise."""
    return clean + rng.standard_normal(clean.shape) * sigma


def blurred(rng: np.random.Generator, clean: np.ndarray, sigma: float = 12.0) -> np.ndarray:
    """Noise correlated between neighbours: exp(-d^2 / 4) at distance d for a blur of width 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(clean.shape), (0, 1, 1), mode="wrap")
    return clean + noise / noise.std() * sigma


def shots(
    make: Maker, count: int = 2, seed: int = 0, clean: np.ndarray | None = None
) -> np.ndarray:
    """(count, C, H, W)."""
    rng = np.random.default_rng(seed)
    scene = photograph() if clean is None else clean
    return np.stack([make(rng, scene) for _ in range(count)]).astype(np.float32)
