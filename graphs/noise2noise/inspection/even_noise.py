"""The noise of a single picture if it is equally strong in every pixel, and independent.

Photon noise rises with brightness, but the noise of the values' square roots does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from graphs.noise2noise.images import signed_roots
from graphs.noise2noise.inspection.scene import blocks, halved

PATCH, SMALL_PATCH = 8, 4
"""Sides of patches: the usual one, and that for small pictures."""

ENOUGH, FEWEST = 8, 3
"""Patches per value in a patch: with fewer than the first, patches are made small; with fewer than
the second, they tell nothing."""

MOST_PATCHES = 40_000

WHITE = 0.8
"""The least ratio of the smallest variance along any direction to what chance would leave of it.

For white noise on photographs it was 0.86 or more; for noise that neighbours share by a blur with a
radius of half a pixel, 0.82 or less, typically 0.62.
"""

SHARE = 0.65
"""The least ratio of white noise to the noisiest channel's finest Haar coefficients: below it, some
of the noise is not white."""

TIMES = 2.0
"""The largest such ratio: above it, a few outliers have been taken for noise of all pixels."""

COARSER = 1.75
"""The most noise after averaging 2x2 pixels, relative to what is left of white noise: beyond it,
neighbours share some.

For white noise on photographs it was up to 1.7, typically 1.0 to 1.3; with noise added that is
twice as strong and blurred with a radius of a pixel, 1.6 to 2.6.
"""

BLOCK = 16
SHADES = 12
"""The number of shades from dark to bright between which the strength of noise is compared."""

RISING = 0.03
"""The least relative rise of noise from shade to shade; clipping causes some rise, too."""

DARKEST, BRIGHTEST = 0.001, 0.999
"""Quantiles of the values that bound a picture's range."""

BELOW = (0.0, 0.1, 0.3, 1.0)
"""How far the value of no light may lie below the darkest one, in multiples of the range."""


@dataclass(frozen=True)
class EvenNoise:
    """Noise that is about equally strong in every pixel and channel.

    Attributes:
        sigma: standard deviation, of the values or of their square roots.
        zero: the value of no light, if sigma is that of the square roots of the values above it;
            None if sigma is that of the values themselves.
        photons: roughly how many there are in the median pixel, if sigma is that of square roots;
            None otherwise.
        is_white: whether the noise is independent between pixels and channels.
        is_sure: whether it is certainly not texture.
    """

    sigma: float
    zero: float | None = None
    photons: float | None = None
    is_white: bool = True
    is_sure: bool = True


def even_noise(shot: np.ndarray, zero: float | None) -> EvenNoise | None:
    """The noise of a shot (C, H, W), or of its square roots, if it is even and white.

    Whether all parts of the picture have equally strong noise is not checked.

    Args:
        shot: the picture.
        zero: None if its noise is as strong where it is dark as where it is bright; otherwise the
            value of no light, and the noise is that of the square roots of the values above it.

    Returns:
        The noise; None if neighbouring pixels or channels share some of it, if one channel has much
        more, or if the picture is too small to tell.
    """
    sigma = white_sigma(shot if zero is None else signed_roots(zero, shot))
    if sigma is None or zero is None:
        return None if sigma is None else EvenNoise(sigma)
    return EvenNoise(sigma, zero, photons_of_roots(shot, zero, sigma))


def photons_of_roots(shot: np.ndarray, zero: float, sigma: float) -> float:
    """The number of photons in a shot's median pixel, from the noise of the square roots.

    The variance of a count's square root is a quarter, whatever the count, unless it is very small.
    """
    return (float(np.median(shot)) - zero) / (4 * sigma**2)


def zero_of_rising_noise(shot: np.ndarray) -> float | None:
    """The value of no light, if a shot has photon noise: the square roots above it make it even.

    None if the noise does not rise with brightness, or no square roots make it more even.
    """
    shades = _shades(shot)
    rise = _rise(shot, shades)
    if rise < RISING:
        return None
    darkest, brightest = np.quantile(shot, (DARKEST, BRIGHTEST)).tolist()
    zeros = [darkest - below * (brightest - darkest) for below in BELOW]
    rises = [abs(_rise(signed_roots(zero, shot), shades)) for zero in zeros]
    least = min(rises)
    return zeros[rises.index(least)] if least < rise else None


def white_sigma(shot: np.ndarray) -> float | None:
    """The standard deviation of white noise on a shot (C, H, W); None if its noise is not white.

    Patches of scenes vary in few directions; in the others there is only noise, equally strong in
    each. Source: Chen, Zhu and Heng, "An efficient statistical method for image noise level
    estimation", ICCV 2015. The noise is white if the smallest of these variances is not much below
    their mean: chance spreads them as Marchenko and Pastur (1967) describe.
    """
    if (shot == shot[:1]).all():  # grey stored as colours
        shot = shot[:1]
    patches = _patches(shot)
    if patches is None:
        return None
    variances = _variances(patches)
    noise = _variance_of_noise(variances)
    by_chance = (1 - math.sqrt(patches.shape[1] / len(patches))) ** 2
    if noise <= 0 or variances[0] < WHITE * by_chance * noise:
        return None
    sigma, finest = math.sqrt(noise), median_deviation(shot)
    if not SHARE * finest <= sigma <= TIMES * finest or _is_stronger_coarser(shot, sigma):
        return None
    return sigma


def median_deviation(shot: np.ndarray) -> float:
    """The standard deviation of the finest details by their median, of the channel with the most.

    Few edges, or few pixels far out, hardly change it.
    """
    return float(_deviation(_finest(shot), (1, 2)).max())


def _is_stronger_coarser(shot: np.ndarray, sigma: float) -> bool:
    """Whether means of 2x2 pixels have much more noise than the half that white noise leaves."""
    patches = _patches(halved(shot))
    left = 0.0 if patches is None else math.sqrt(_variance_of_noise(_variances(patches)))
    return left > COARSER * sigma / 2


def _variances(patches: np.ndarray) -> np.ndarray:
    """Variances along the principal directions, the smallest first."""
    centred = patches - patches.mean(0)
    return np.linalg.eigvalsh(centred.T @ centred / len(centred))


def _variance_of_noise(variances: np.ndarray) -> float:
    """The mean of the smallest variances, as many as lie evenly around their mean; at least 0."""
    for count in range(len(variances), 1, -1):
        mean = float(variances[:count].mean())
        if np.median(variances[:count]) >= mean:
            return max(mean, 0.0)
    return max(float(variances[0]), 0.0)


def _patches(shot: np.ndarray) -> np.ndarray | None:
    """Patches from all over a shot, one row of values each; None if there are too few."""
    channels, height, width = shot.shape
    for side in (PATCH, SMALL_PATCH):
        rows, columns = height - side + 1, width - side + 1
        enough = (ENOUGH if side == PATCH else FEWEST) * channels * side**2
        if min(rows, columns) > 0 and rows * columns >= enough:
            every = math.ceil(math.sqrt(rows * columns / MOST_PATCHES))
            windows = np.lib.stride_tricks.sliding_window_view(shot, (side, side), axis=(1, 2))
            chosen = windows[:, ::every, ::every].transpose(1, 2, 0, 3, 4)
            return chosen.reshape(-1, channels * side**2).astype(np.float64)
    return None


def _shades(shot: np.ndarray) -> list[np.ndarray]:
    """Indices of a shot's blocks, from dark to bright, split into shades; none if they are few."""
    brightness = blocks(shot, BLOCK).mean(1, dtype=np.float64)
    if len(brightness) < SHADES:
        return []
    return np.array_split(np.argsort(brightness, kind="stable"), SHADES)


def _rise(values: np.ndarray, shades: Sequence[np.ndarray]) -> float:
    """The relative rise of noise from one shade to the next; 0 if there are no shades."""
    sigma = _deviation(blocks(_finest(values), BLOCK // 2), 1)
    strength = np.array([np.median(sigma[shade]) for shade in shades])
    if not strength.any():
        return 0.0
    return float(np.polyfit(np.arange(SHADES), strength / strength.mean(), 1)[0])


def _finest(values: np.ndarray) -> np.ndarray:
    """The finest diagonal Haar coefficients, (C, H / 2, W / 2)."""
    whole = values[:, : values.shape[1] // 2 * 2, : values.shape[2] // 2 * 2].astype(np.float64)
    a, b, c, d = (whole[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    return (a - b - c + d) / 2


def _deviation(coefficients: np.ndarray, axis: int | tuple[int, int]) -> np.ndarray:
    """The standard deviation, from the median of magnitudes, which a few edges do not move."""
    return np.asarray(np.median(np.abs(coefficients), axis=axis) / norm.ppf(0.75))
