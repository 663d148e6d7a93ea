"""Whether pictures show the same scene, judged by their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from graphs.noise2noise.images import Raster, middle

THUMBNAIL = 16
ALIKE = 0.8
"""Correlation of thumbnails above which pictures count as shots of one scene."""

CHANCE = 2.0
"""Thumbnails that differ by up to this many times what noise alone causes may show one scene."""

MIDDLE = 512
"""Side of the square in the middle of a picture in which noise is measured."""


def show_one_scene(rasters: Iterable[Raster]) -> bool:
    """Whether single pictures of one kind look the same but for the noise; there may be but one.

    Of an iterator no more is read than it takes to tell.
    """
    return all(_look_alike(a, b) for a, b in pairwise(rasters))


class Kind(NamedTuple):
    """What shots of one scene have in common."""

    frames: int
    channels: int
    size: tuple[int, int]
    dtype: np.dtype


def kind_of(raster: Raster) -> Kind:
    """The kind of a picture."""
    return Kind(raster.frames, raster.channels, raster.size, raster.dtype)


def _look_alike(first: Raster, second: Raster) -> bool:
    """Whether thumbnails of two pictures go together, or differ by no more than their noise."""
    if kind_of(first) != kind_of(second) or first.frames > 1:
        return False
    a, b = _thumbnail(first), _thumbnail(second)
    if a.std() and b.std() and np.corrcoef(a, b)[0, 1] > ALIKE:  # of constants there is none
        return True
    one, other = (middle(raster.planes(), MIDDLE).astype(float) for raster in (first, second))
    difference = one - other
    noise = np.diff(difference, axis=2).std() / 2**0.5
    pixels = max(1.0, np.prod(first.size) / THUMBNAIL**2)
    return bool((a - b).std() <= CHANCE * noise / pixels**0.5)


def _thumbnail(raster: Raster) -> np.ndarray:
    """The means of 16 x 16 parts of the picture, flattened."""
    planes = raster.planes()
    rows, columns = (_parts(size) for size in raster.size)
    return np.array(
        [planes[:, down, across].mean(dtype=np.float64) for down in rows for across in columns]
    )


def _parts(size: int) -> list[slice]:
    edges = np.linspace(0, size, THUMBNAIL + 1).astype(int).tolist()
    return [slice(start, max(stop, start + 1)) for start, stop in pairwise(edges)]
