"""How noisy a picture is, told for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphs.noise2noise.images import Raster
from graphs.noise2noise.inspection.scene import middle
from graphs.noise2noise.inspection.single import noise_of_one

SIDE = 1024
"""Of the part that is looked at, in the middle."""

LEAST_SIDE = 16

RISE = 4.0
"""Times the variance where it is dark, from which on the noise counts as rising with brightness.

Of even noise on photographs at most 4.3 was seen, about 1 as a rule; of fluorescence 5.5 and more.
"""


@dataclass(frozen=True)
class NoiseLevel:
    """The noise of a picture.

    Attributes:
        sigma: standard deviation by channel, in the numbers of the file.
        white: the largest number that the file's dtype can hold; None for floats.
        shared: the same with what neighbouring pixels share of it; None where they seem to share
            nothing.
        rising: whether it is much stronger where it is bright, as that of few photons is.
    """

    sigma: tuple[float, ...]
    white: int | None
    shared: tuple[float, ...] | None
    rising: bool

    def __str__(self) -> str:
        white = "" if self.white is None else f" (white is {self.white})"
        rising = ", rising with brightness" if self.rising else ""
        shared = ""
        if self.shared is not None:
            shared = f", or up to {_listed(self.shared)} with what neighbouring pixels share"
        return f"standard deviation about {_listed(self.sigma)}{white}{shared}{rising}"

    @property
    def correlated(self) -> bool:
        """Whether neighbouring pixels seem to share some of it."""
        return self.shared is not None


def noise_level(raster: Raster) -> NoiseLevel | None:
    """The noise of a raster's first picture, estimated from its finest wavelet coefficients.

    See :func:`graphs.noise2noise.inspection.single.noise_of_one`. None for pictures of less than 16
    pixels a side.
    """
    if min(raster.size) < LEAST_SIDE:
        return None
    shot = middle(raster.planes(), SIDE)
    found = noise_of_one(shot)
    dark, bright = found.dark_variance + found.slope * np.quantile(shot, (0.05, 0.95))
    white = None if raster.dtype.kind == "f" else int(np.iinfo(raster.dtype).max)
    rising = bool(found.slope > 0 and bright > RISE * max(dark, 0.0))
    shared = found.shared_sigma if found.is_correlated else None
    return NoiseLevel(found.sigma, white, shared, rising)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
