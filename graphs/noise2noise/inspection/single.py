"""The noise of one picture alone, as far as that can be told from the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes
from skimage.restoration import estimate_sigma

BLOCK = 32
FEWEST_BLOCKS = 8


@dataclass(frozen=True)
class NoiseOfOne:
    """The noise of a single picture, in the numbers of its file.

    Attributes:
        sigma: standard deviation, by channel; fine texture counts as noise, and of noise that is
            correlated between neighbours only the finest part is seen.
        dark_variance, slope: the variance as a straight line over the brightness.
        survival: how much of sigma is left when each 2x2 pixels are averaged, over the half that is
            left of noise independent from pixel to pixel: about 1, or more if it is correlated.
    """

    sigma: tuple[float, ...]
    dark_variance: float
    slope: float
    survival: float


def noise_of_one(shot: np.ndarray) -> NoiseOfOne:
    """The noise of a shot (C, H, W).

    Source: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994, the median
    of the finest wavelet coefficients; scikit-image's ``estimate_sigma``.
    """
    sigma = _sigma(shot)
    averaged = _sigma(_averaged(shot))
    seen = sigma > 0
    survival = float((2 * averaged[seen] / sigma[seen]).mean()) if seen.any() else 1.0
    dark_variance, slope = _variance_line(shot)
    return NoiseOfOne(tuple(sigma.tolist()), dark_variance, slope, survival)


def _sigma(picture: np.ndarray) -> np.ndarray:
    return np.array([_sigma_of(channel.astype(np.float64)) for channel in picture])


def _sigma_of(channel: np.ndarray) -> float:
    """Zero where all is one value, of which the estimate would be no number or a rounding error."""
    return float(estimate_sigma(channel)) if np.ptp(channel) else 0.0


def _averaged(shot: np.ndarray) -> np.ndarray:
    rows, columns = (size // 2 for size in shot.shape[1:])
    whole = shot[:, : 2 * rows, : 2 * columns].astype(np.float64)
    return whole.reshape(len(shot), rows, 2, columns, 2).mean((2, 4))


def _variance_line(shot: np.ndarray) -> tuple[float, float]:
    """Offset and slope of the variance in blocks over their brightness, by median of slopes."""
    rows, columns = (size // BLOCK for size in shot.shape[1:])
    blocks = [
        channel[BLOCK * i : BLOCK * (i + 1), BLOCK * j : BLOCK * (j + 1)].astype(np.float64)
        for channel in shot
        for i in range(rows)
        for j in range(columns)
    ]
    if len(blocks) < FEWEST_BLOCKS:
        return float(np.mean(_sigma(shot) ** 2)), 0.0
    brightness = np.array([block.mean() for block in blocks])
    variance = np.array([_sigma_of(block) ** 2 for block in blocks])
    if np.ptp(brightness) == 0:
        return float(np.median(variance)), 0.0
    slope, offset, *_ = theilslopes(variance, brightness)
    return float(offset), float(slope)
