"""From the numbers of files to the values that networks know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphs.noise2noise.images import Raster, Scale
from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.restoring.scenes import Capture
from graphs.noise2noise.restoring.shipped import Shown

THINNED = 512
"""Rows and columns that suffice to see the range of the values."""


def common_scale(rasters: Sequence[Raster]) -> Scale:
    """By the range of the values of all rasters together, thinned out where they are many."""
    values = [
        _thinned(raster, frame).ravel() for raster in rasters for frame in range(raster.frames)
    ]
    return Scale.of_values(np.concatenate(values))


def as_read(capture: Capture) -> Shown:
    """By what the dtype can hold, as pictures are read to train on."""
    return Shown(Scale.of_dtype(capture.raster.dtype))


def as_seen(capture: Capture) -> Shown:
    """For the weights that come along; with noise they do not know, as it is or by its range."""
    if capture.shown:
        return capture.shown
    is_read = capture.raster.dtype == np.uint8
    return as_read(capture) if is_read else Shown(common_scale([capture.raster]))


def lies_far(raster: Raster, known: Architecture) -> bool:
    """Whether values, as read, are a whole range above or below those that a network knows."""
    seen, read = common_scale([raster]), Scale.of_dtype(raster.dtype)
    edges = ((edge - read.low) / (read.high - read.low) for edge in (seen.low, seen.high))
    return any(not -1 <= (edge - known.offset) / known.scale <= 2 for edge in edges)


def _thinned(raster: Raster, frame: int = 0) -> np.ndarray:
    """Some of the pixels of a frame, (C, h, w)."""
    planes = raster.planes(frame)
    down, across = (max(1, size // THINNED) for size in planes.shape[1:])
    return planes[:, ::down, ::across]
