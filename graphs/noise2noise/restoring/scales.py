"""Scales from the numbers in files to the values that networks know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphs.noise2noise.images import Raster, Scale
from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.restoring.scenes import Capture
from graphs.noise2noise.restoring.shipped import Shown

THINNED = 512
"""Rows and columns that are enough to find the range of the values."""


def common_scale(rasters: Sequence[Raster]) -> Scale:
    """The scale from the range of all rasters' values; large rasters are subsampled."""
    values = [
        _thinned(raster, frame).ravel() for raster in rasters for frame in range(raster.frames)
    ]
    return Scale.of_values(np.concatenate(values))


def as_read(capture: Capture) -> Shown:
    """By the range of the dtype, as pictures are read for training."""
    return Shown(Scale.of_dtype(capture.raster.dtype))


def as_seen(capture: Capture) -> Shown:
    """For the shipped weights; if they do not know the noise, 8-bit as read, else by its range."""
    if capture.shown:
        return capture.shown
    is_read = capture.raster.dtype == np.uint8
    return as_read(capture) if is_read else Shown(common_scale([capture.raster]))


def lies_far(raster: Raster, known: Architecture) -> bool:
    """Whether values, as read, lie over a whole range above or below those a network knows."""
    seen, read = common_scale([raster]), Scale.of_dtype(raster.dtype)
    edges = ((edge - read.low) / (read.high - read.low) for edge in (seen.low, seen.high))
    return any(not -1 <= (edge - known.offset) / known.scale <= 2 for edge in edges)


def _thinned(raster: Raster, frame: int = 0) -> np.ndarray:
    """A frame subsampled, (C, h, w)."""
    planes = raster.planes(frame)
    down, across = (max(1, size // THINNED) for size in planes.shape[1:])
    return planes[:, ::down, ::across]
