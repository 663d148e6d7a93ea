"""The noise of one picture where every pixel has as much of it, and of its own.

That of counted photons rises with brightness, but that of the roots of its values does not.
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
"""Sides of patches, and of those of small pictures."""

ENOUGH, FEWEST = 8, 3
"""Patches for each of a patch's values: fewer make the patches small, still fewer tell nothing."""

MOST_PATCHES = 40_000

WHITE = 0.8
"""The least variance in any direction over what chance would leave of it.

Of white noise on photographs 0.86 and more was seen, of noise that neighbours share by a blur with
a radius of half a pixel 0.82 and less, 0.62 as a rule.
"""

SHARE = 0.65
"""Of each channel's finest Haar coefficients: with less, there is more than what is white."""

TIMES = 2.0
"""Those coefficients: with more, a few pixels far out have been taken for noise of all."""

COARSER = 1.75
"""Times what is left of white noise where 2x2 pixels are averaged: with more, some is shared.

Of white noise on photographs 1.7 was seen, 1.0 to 1.3 as a rule; beside twice as strong noise with
a blur with a radius of a pixel, 1.6 to 2.6.
"""

BLOCK = 16
SHADES = 12
"""From dark to bright, between which the strength of noise is compared."""

RISING = 0.03
"""By what share noise rises from shade to shade, at least; clipping, too, brings about some."""

DARKEST, BRIGHTEST = 0.001, 0.999
"""Shares of the values between which a picture's range is."""

BELOW = (0.0, 0.1, 0.3, 1.0)
"""Ranges by which what is no light may lie below the darkest."""


@dataclass(frozen=True)
class EvenNoise:
    """Noise that is about as strong in each pixel and channel.

    Attributes:
        sigma: standard deviation, of the values or of roots.
        zero: that of the roots of values above this is meant; None: that of the values themselves.
        photons: of roots, how many there are in the median pixel, about; None of the values
            themselves.
        is_white: whether it is independent between pixels and channels.
        is_sure: whether it is no texture.
    """

    sigma: float
    zero: float | None = None
    photons: float | None = None
    is_white: bool = True
    is_sure: bool = True


def even_noise(shot: np.ndarray, zero: float | None) -> EvenNoise | None:
    """The noise of a shot (C, H, W) or of its roots, if it is even and white.

    That it is as strong in one part of the picture as in another is not looked at.

    Args:
        shot: the picture, whose noise is as strong where it is dark as where it is bright;
        zero: or else, that of the roots of the values above this.

    Returns:
        None where neighbouring pixels or channels share some of it, or one channel has much more;
        also where the picture is too small to tell.
    """
    sigma = white_sigma(shot if zero is None else signed_roots(zero, shot))
    if sigma is None or zero is None:
        return None if sigma is None else EvenNoise(sigma)
    return EvenNoise(sigma, zero, photons_of_roots(shot, zero, sigma))


def photons_of_roots(shot: np.ndarray, zero: float, sigma: float) -> float:
    """How many there are in a shot's median pixel, by the noise of the roots.

    The variance of the root of a count is a fourth, however many there are, but for few.
    """
    return (float(np.median(shot)) - zero) / (4 * sigma**2)


def zero_of_rising_noise(shot: np.ndarray) -> float | None:
    """What is no light, if a shot's noise is that of photons: evener in the roots above it."""
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

    Patches of scenes vary in few directions; in the others there is but noise, as much in each.
    Source: Chen, Zhu and Heng, "An efficient statistical method for image noise level estimation",
    ICCV 2015. That the least of these variances is not much below their mean tells that the noise
    is white: chance spreads them as Marchenko and Pastur (1967) say.
    """
    if (shot == shot[:1]).all():  # grey as colours
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
    """Whether in the means of 2x2 pixels there is much more than the half left of white noise."""
    patches = _patches(halved(shot))
    left = 0.0 if patches is None else math.sqrt(_variance_of_noise(_variances(patches)))
    return left > COARSER * sigma / 2


def _variances(patches: np.ndarray) -> np.ndarray:
    """Along the principal directions, the least first."""
    centred = patches - patches.mean(0)
    return np.linalg.eigvalsh(centred.T @ centred / len(centred))


def _variance_of_noise(variances: np.ndarray) -> float:
    """The mean of the least variances, as many as are spread evenly about it; at least 0."""
    for count in range(len(variances), 1, -1):
        mean = float(variances[:count].mean())
        if np.median(variances[:count]) >= mean:
            return max(mean, 0.0)
    return max(float(variances[0]), 0.0)


def _patches(shot: np.ndarray) -> np.ndarray | None:
    """Patches from all over a shot, a row of values each; None if there are too few."""
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
    """The numbers of the blocks of a shot, from dark to bright, in parts; none if they are few."""
    brightness = blocks(shot, BLOCK).mean(1, dtype=np.float64)
    if len(brightness) < SHADES:
        return []
    return np.array_split(np.argsort(brightness, kind="stable"), SHADES)


def _rise(values: np.ndarray, shades: Sequence[np.ndarray]) -> float:
    """By what share of it noise rises from one shade to the next; 0 if there are none."""
    sigma = _deviation(blocks(_finest(values), BLOCK // 2), 1)
    strength = np.array([np.median(sigma[shade]) for shade in shades])
    if not strength.any():
        return 0.0
    return float(np.polyfit(np.arange(SHADES), strength / strength.mean(), 1)[0])


def _finest(values: np.ndarray) -> np.ndarray:
    """The finest Haar coefficients, across both directions, (C, H / 2, W / 2)."""
    whole = values[:, : values.shape[1] // 2 * 2, : values.shape[2] // 2 * 2].astype(np.float64)
    a, b, c, d = (whole[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    return (a - b - c + d) / 2


def _deviation(coefficients: np.ndarray, axis: int | tuple[int, int]) -> np.ndarray:
    """By the median, which few edges do not move."""
    return np.asarray(np.median(np.abs(coefficients), axis=axis) / norm.ppf(0.75))
