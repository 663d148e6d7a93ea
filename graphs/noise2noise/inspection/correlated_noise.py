"""The noise of a single picture in which neighbouring pixels share some of it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from graphs.noise2noise.images import signed_roots
from graphs.noise2noise.inspection.even_noise import EvenNoise, median_deviation, photons_of_roots
from graphs.noise2noise.inspection.scene import blocks, halved

OCTAVES = 3
"""The number of scales examined: noise in details of one pixel, of two and of four."""

COARSER = 1.1
"""Factor on the noise seen in these octaves, to account for still coarser ones."""

BLOCK = 8

FEWEST = 40
"""The fewest usable blocks of a channel; the quietest of them tell the noise."""


class _Quiet(NamedTuple):
    """The quietest blocks: which fraction of all, and how much of the noise they show by chance."""

    share: float
    by_chance: float


QUIET, QUIETEST = _Quiet(0.25, 0.88), _Quiet(0.1, 0.8)

EVEN = 0.96
"""The least ratio of the noise that the quietest blocks tell to that of quiet ones, in two octaves.

For noise of standard deviation 12 on photographs, it was 0.92 to 1.03; for photographs themselves,
whose textures differ in strength from place to place, 0.3 to 0.95.
"""

NOISY_ISO = 800
"""The ISO sensitivity from which cameras take noisy pictures, which they smooth unevenly."""

INSIDE = 0.97
"""The least fraction of a block's pixels without an extreme value, which may be clipped."""

APART = 2.0
"""The largest ratio of two channels' noise: beyond it, no single strength describes both."""


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
    """The noise of a shot (C, H, W) or of its square roots, perhaps shared by neighbours.

    The variation within 2x2 pixels of the quietest blocks is taken for the noise of an octave; the
    next octave is found by averaging 2x2 pixels. Blocks whose pixels may be clipped do not count.
    None if there are too few blocks, or if the channels differ much.

    Args:
        shot: the picture.
        zero: see :func:`even_noise`.
        iso: the camera's sensitivity, if known.
    """
    octaves, evenness = _octaves(shot if zero is None else signed_roots(zero, shot))
    if not octaves:
        return None
    # Noise in the first octave alone is white, and what is shared beside it may be texture.
    is_even = len(octaves) > 1 and min(evenness[:2]) >= EVEN
    is_sure = is_even or (iso is not None and iso >= NOISY_ISO)
    # Three quarters of white noise's variance are in the first octave, three quarters of the rest
    # in the second, and so on.
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
    """For each octave, finest first: the noise, and what ratio of it the quietest blocks tell."""
    edges = values.min((1, 2), keepdims=True), values.max((1, 2), keepdims=True)
    inside = ((edges[0] < values) & (values < edges[1])).astype(np.float64)
    values = values.astype(np.float64)
    found, evenness = [], []
    for _ in range(OCTAVES):
        smaller = halved(values)
        # The variance of 2x2 pixels about their mean, which has three degrees of freedom.
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
    """The noise that the quietest of some blocks tell, given their sorted variances."""
    quiet = variances[: int(part.share * len(variances))]
    return float(np.sqrt(quiet.mean())) / part.by_chance


def _means(planes: np.ndarray, side: int) -> np.ndarray:
    """Means of square blocks of (C, H, W), by channel."""
    return blocks(planes, side).mean(1).reshape(len(planes), -1)
