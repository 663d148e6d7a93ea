"""The noise of one picture alone, as far as that can be told from the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pywt
from scipy.stats import norm, theilslopes
from skimage.restoration import estimate_sigma

from graphs.noise2noise.inspection.correlated_noise import correlated_noise, smoothed_noise
from graphs.noise2noise.inspection.even_noise import EvenNoise, even_noise, zero_of_rising_noise
from graphs.noise2noise.inspection.scene import halved

BLOCK = 32
FEWEST_BLOCKS = 8
LEVELS = 3
SURVIVAL = 1.3
"""See :class:`NoiseOfOne`; below it there is no sign that neighbours are correlated."""


@dataclass(frozen=True)
class NoiseOfOne:
    """The noise of a single picture, in the numbers of its file.

    Attributes:
        sigma: standard deviation, by channel. Where it is not even, fine texture counts as noise,
            and of noise that is correlated between neighbours only the finest part is seen.
        dark_variance, slope: the variance as a straight line over the brightness.
        survival: how much of sigma is left when each 2x2 pixels are averaged, over the half that is
            left of noise independent from pixel to pixel: about 1, or more if it is correlated.
        shared_sigma: standard deviation with what neighbours share, by channel: what of noise is
            seen from the finest details to those of some pixels, where texture counts the more.
        rises: whether it is stronger where it is bright, as that of photons.
        even: the same or that of roots, where it is even, or but for what neighbours share; None
            where it is not, or the picture is too small to tell.
    """

    sigma: tuple[float, ...]
    dark_variance: float
    slope: float
    survival: float
    shared_sigma: tuple[float, ...]
    rises: bool = False
    even: EvenNoise | None = None

    @property
    def is_correlated(self) -> bool:
        """Whether neighbouring pixels seem to share some of it; fine texture can look the same."""
        is_white = self.even is not None and self.even.is_white
        return not is_white and self.survival > SURVIVAL


def noise_of_one(shot: np.ndarray, iso: int | None = None) -> NoiseOfOne:
    """The noise of a shot (C, H, W).

    By :func:`even_noise` where it is even. Else, source: Donoho and Johnstone, "Ideal spatial
    adaptation by wavelet shrinkage", 1994, the median of the finest wavelet coefficients;
    scikit-image's ``estimate_sigma``.

    Args:
        shot: the picture.
        iso: the sensitivity of the camera, if that is known.
    """
    sigma = _sigma(shot)
    averaged = _sigma(halved(shot))
    seen = sigma > 0
    survival = float((2 * averaged[seen] / sigma[seen]).mean()) if seen.any() else 1.0
    dark_variance, slope = _variance_line(shot)
    shared = np.array([_shared_sigma(channel.astype(np.float64)) for channel in shot])
    zero = zero_of_rising_noise(shot)
    even = even_noise(shot, zero)
    if even is not None and zero is None:
        sigma = np.full(len(shot), even.sigma)
    if even is None:
        tell = correlated_noise if survival > SURVIVAL else smoothed_noise
        even = tell(shot, zero, iso)
    return NoiseOfOne(
        sigma=tuple(sigma.tolist()),
        dark_variance=dark_variance,
        slope=slope,
        survival=survival,
        shared_sigma=tuple(np.maximum(sigma, shared).tolist()),
        rises=zero is not None,
        even=even,
    )


def _sigma(picture: np.ndarray) -> np.ndarray:
    return np.array([_sigma_of(channel.astype(np.float64)) for channel in picture])


def _sigma_of(channel: np.ndarray) -> float:
    """Zero where all is one value, of which the estimate would be no number or a rounding error."""
    return float(estimate_sigma(channel)) if np.ptp(channel) else 0.0


def _shared_sigma(channel: np.ndarray) -> float:
    """By the medians of the wavelet coefficients of several scales, each for its share of pixels.

    Of the scales beyond the last, noise is taken to have as much as there.
    """
    levels = min(LEVELS, pywt.dwtn_max_level(channel.shape, "db2"))
    _, *details = pywt.wavedec2(channel, "db2", "periodization", levels)
    scales = [np.mean([_variance(band) for band in bands]) for bands in reversed(details)]
    shares = [3 / 4**level for level in range(1, levels + 1)]
    return float(np.dot(shares, scales) + scales[-1] / 4**levels) ** 0.5


def _variance(band: np.ndarray) -> float:
    """By the median of what is not zero, as scikit-image does: black parts have no noise."""
    band = band[band != 0]
    if not len(band):
        return 0.0
    return float(np.median(np.abs(band)) / norm.ppf(0.75)) ** 2


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
