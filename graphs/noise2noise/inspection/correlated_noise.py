"""The noise of one picture where neighbouring pixels share some of it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from graphs.noise2noise.images import signed_roots
from graphs.noise2noise.inspection.even_noise import EvenNoise, median_deviation, photons_of_roots
from graphs.noise2noise.inspection.scene import blocks, halved

OCTAVES = 3
"""That are looked at: noise of details of one pixel, of two and of four."""

COARSER = 1.1
"""Times what is seen in these, since there are coarser ones, too."""

BLOCK = 8

FEWEST = 40
"""Blocks of each channel, the quietest of which tell the noise."""


class _Quiet(NamedTuple):
    """The quietest blocks: what share of all, and what of the noise by chance is seen in them."""

    share: float
    by_chance: float


QUIET, QUIETEST = _Quiet(0.25, 0.88), _Quiet(0.1, 0.8)

EVEN = 0.96
"""Of the noise told by quiet blocks, what the quietest tell at least, in two octaves.

Of noise with a deviation of 12 on photographs 0.92 to 1.03 was seen; of photographs themselves,
whose textures are nowhere as strong as elsewhere, 0.3 to 0.95.
"""

NOISY_ISO = 800
"""The sensitivity from which on cameras take noisy pictures, which they smooth unevenly."""

INSIDE = 0.97
"""Of a block's pixels, how many must lie within the ends of the values, where they are cut off."""

APART = 2.0
"""Times the noise of another channel: with more, no one strength is that of both."""


SMOOTHED = 1.2
"""Times the noise that is seen: at this strength a denoiser of white noise did best on photographs
saved as JPEG of quality 75 to 95 with noise of a deviation of 10 and 25."""

GAUSSIAN = 0.5
"""The deviation of the finest details by their median, over that of all by the variance, at least.

Of Gaussian noise 0.6 to 1 was seen; where a tenth of the pixels is far out, hardly any.
"""


def correlated_noise(
    shot: np.ndarray, zero: float | None, iso: int | None = None
) -> EvenNoise | None:
    """The noise of a shot (C, H, W) or of its roots, that neighbours and channels may share.

    What varies within 2x2 pixels of the quietest blocks is taken for the noise of an octave; the
    next one's is seen where 2x2 pixels are averaged. Blocks whose pixels may be cut off do not
    count. None where there are too few, or channels differ much.

    Args:
        shot: the picture.
        zero: as for :func:`even_noise`.
        iso: the sensitivity of the camera, if that is known.
    """
    octaves, evenness = _octaves(shot if zero is None else signed_roots(zero, shot))
    if not octaves:
        return None
    # What only the first octave has is white, and what is shared beside it may be texture.
    is_even = len(octaves) > 1 and min(evenness[:2]) >= EVEN
    is_sure = is_even or (iso is not None and iso >= NOISY_ISO)
    # Of white noise three fourths of the variance are of one pixel, and so on with what is left.
    sigma = COARSER * float(np.sqrt(0.75 * np.square(octaves).sum() + octaves[-1] ** 2 / 4))
    photons = None if zero is None else photons_of_roots(shot, zero, sigma)
    return EvenNoise(sigma, zero, photons, is_white=False, is_sure=is_sure)


def smoothed_noise(
    shot: np.ndarray, zero: float | None, iso: int | None = None
) -> EvenNoise | None:
    """White noise that compression has smoothed a little, taken as white noise.

    As strong as a denoiser of white noise must take it to be to remove it. None where
    :func:`correlated_noise` gives None, or where a few pixels far out have most of the noise.

    Args:
        shot, zero, iso: as for :func:`correlated_noise`.
    """
    found = correlated_noise(shot, zero, iso)
    median = median_deviation(shot if zero is None else signed_roots(zero, shot))
    if found is None or median < GAUSSIAN * found.sigma:
        return None
    sigma = SMOOTHED * found.sigma
    photons = None if zero is None else photons_of_roots(shot, zero, sigma)
    return replace(found, sigma=sigma, photons=photons, is_white=True)


def _octaves(values: np.ndarray) -> tuple[list[float], list[float]]:
    """Of each octave, the finest first, the noise, and what of it the quietest blocks tell."""
    edges = values.min((1, 2), keepdims=True), values.max((1, 2), keepdims=True)
    inside = ((edges[0] < values) & (values < edges[1])).astype(np.float64)
    values = values.astype(np.float64)
    found, evenness = [], []
    for _ in range(OCTAVES):
        smaller = halved(values)
        # The variance of 2x2 pixels about their mean, of which three are independent.
        variance = 4 / 3 * (_means(values**2, BLOCK) - _means(smaller**2, BLOCK // 2))
        counts = (_means(inside, BLOCK) >= INSIDE) & (variance > 0)
        if counts.sum(1).min() < FEWEST:
            break
        usable = [np.sort(v[used]) for v, used in zip(variance, counts, strict=True)]
        sigma, quietest = ([_sigma(v, part) for v in usable] for part in (QUIET, QUIETEST))
        if max(sigma) > APART * min(sigma):
            break
        found.append(float(np.sqrt(np.square(sigma).mean())))
        evenness.append(float(np.mean(quietest) / np.mean(sigma)))
        values, inside = smaller, halved(inside)
    return found, evenness


def _sigma(variances: np.ndarray, part: _Quiet) -> float:
    """What the quietest of some blocks tell, their variances being in order."""
    quiet = variances[: int(part.share * len(variances))]
    return float(np.sqrt(quiet.mean())) / part.by_chance


def _means(planes: np.ndarray, side: int) -> np.ndarray:
    """Of squares of (C, H, W), by channel."""
    return blocks(planes, side).mean(1).reshape(len(planes), -1)
