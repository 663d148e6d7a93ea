"""The noise of a single picture, as far as it can be told apart from the scene."""

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
        sigma: standard deviation, by channel. Unless the noise is even, fine texture counts as
            noise, and of noise that neighbours share only the finest part is measured.
        dark_variance, slope: offset and slope of the variance as a line over the brightness.
        survival: how much of sigma is left after averaging 2x2 pixels, divided by the half that
            would be left of independent noise: about 1, or more if the noise is correlated.
        shared_sigma: standard deviation by channel, including what neighbours share: the noise in
            details from the finest to those of several pixels, where texture counts even more.
        rises: whether the noise is stronger where the picture is brighter, as photon noise is.
        even: the noise of the values or of their square roots, if it is even, whether or not
            neighbours share it; None if it is not, or if the picture is too small to tell.
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
        """Whether neighbouring pixels seem to share noise; fine texture can look the same."""
        is_white = self.even is not None and self.even.is_white
        return not is_white and self.survival > SURVIVAL


def noise_of_one(shot: np.ndarray, iso: int | None = None) -> NoiseOfOne:
    """The noise of a shot (C, H, W).

    Its sigma comes from :func:`even_noise` if the values' noise is even; otherwise it is the median
    of the finest wavelet coefficients. Source: Donoho and Johnstone, "Ideal spatial adaptation by
    wavelet shrinkage", 1994; scikit-image's ``estimate_sigma``.

    Args:
        shot: the picture.
        iso: the camera's sensitivity, if known.
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
    return np.array([sigma_of(channel.astype(np.float64)) for channel in picture])


def sigma_of(channel: np.ndarray) -> float:
    """The channel's noise; 0 if it is constant: the estimate would be NaN or a rounding error."""
    return float(estimate_sigma(channel)) if np.ptp(channel) else 0.0


def _shared_sigma(channel: np.ndarray) -> float:
    """The noise from the median wavelet coefficients of several scales, weighted by their share.

    Scales beyond the last are assumed to have as much noise as the last.
    """
    levels = min(LEVELS, pywt.dwtn_max_level(channel.shape, "db2"))
    _, *details = pywt.wavedec2(channel, "db2", "periodization", levels)
    scales = [np.mean([_variance(band) for band in bands]) for bands in reversed(details)]
    shares = [3 / 4**level for level in range(1, levels + 1)]
    return float(np.dot(shares, scales) + scales[-1] / 4**levels) ** 0.5


def _variance(band: np.ndarray) -> float:
    """The variance from the median nonzero value, as in scikit-image: black parts have no noise."""
    band = band[band != 0]
    if not len(band):
        return 0.0
    return float(np.median(np.abs(band)) / norm.ppf(0.75)) ** 2


def _variance_line(shot: np.ndarray) -> tuple[float, float]:
    """Offset and slope of the blocks' variance over their brightness, by the median of slopes."""
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
    variance = np.array([sigma_of(block) ** 2 for block in blocks])
    if np.ptp(brightness) == 0:
        return float(np.median(variance)), 0.0
    slope, offset, *_ = theilslopes(variance, brightness)
    return float(offset), float(slope)
