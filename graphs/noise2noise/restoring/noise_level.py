"""How noisy a picture is, described for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphs.noise2noise.images import Raster, middle
from graphs.noise2noise.inspection.even_noise import EvenNoise
from graphs.noise2noise.inspection.single import noise_of_one

SIDE = 1024
"""Side of the part that is measured, in the middle of the picture."""

LEAST_SIDE = 16


@dataclass(frozen=True)
class NoiseLevel:
    """The noise of a picture.

    Attributes:
        sigma: standard deviation by channel, in the numbers of the file.
        white: the largest number that the file's dtype can hold; None for floats.
        shared: standard deviation by channel, including what neighbouring pixels share; None if
            they seem to share nothing.
        rising: whether it is stronger where the picture is brighter, as photon noise is.
        even: the noise of the values or of their square roots, if it is equally strong in every
            pixel; None if it is not, or if the picture is too small to tell.
    """

    sigma: tuple[float, ...]
    white: int | None
    shared: tuple[float, ...] | None
    rising: bool
    even: EvenNoise | None

    def __str__(self) -> str:
        white = "" if self.white is None else f" (white is {self.white})"
        rising = ", rising with brightness" if self.rising else ""
        shared = ""
        if self.shared is not None:
            shared = f", or up to {_listed(self.shared)} with what neighbouring pixels share"
        return f"standard deviation about {_listed(self.sigma)}{white}{shared}{rising}"

    @property
    def correlated(self) -> bool:
        """Whether neighbouring pixels seem to share some of the noise."""
        return self.shared is not None


def noise_level(raster: Raster) -> NoiseLevel | None:
    """The noise of a raster's first picture; None if a side has fewer than 16 pixels.

    See :func:`graphs.noise2noise.inspection.single.noise_of_one`.
    """
    if min(raster.size) < LEAST_SIDE:
        return None
    found = noise_of_one(middle(raster.planes(), SIDE), raster.metadata.iso)
    white = None if raster.dtype.kind == "f" else int(np.iinfo(raster.dtype).max)
    shared = found.shared_sigma if found.is_correlated else None
    return NoiseLevel(found.sigma, white, shared, found.rises, found.even)


def _listed(values: Sequence[float]) -> str:
    told = [f"{value:.3g}" for value in values]
    return told[0] if len(set(told)) == 1 else ", ".join(told)
