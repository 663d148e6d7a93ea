"""Pixels as a file stores them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images.metadata import Metadata
from graphs.noise2noise.images.scale import nearest
from graphs.noise2noise.images.spool import release, spooled

REPEATS = frozenset("TIQR")
"""Axes along which one scene is repeated: time, image, repetition, and unnamed axes."""

ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels in a file's own numbers and order, perhaps memory-mapped and not yet read.

    Attributes:
        pixels: the array.
        axes: a letter for each of its axes, as tifffile names them: Y rows, X columns, S samples or
            C channels; all others count frames.
        alpha: whether the last sample is opacity, which is kept and never denoised.
        metadata: what else the file holds.
    """

    pixels: np.ndarray
    axes: str
    alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the pixels."""
        return self.pixels.dtype

    @property
    def frames(self) -> int:
        """The number of pictures it holds."""
        return prod(self._frame_sizes)

    @property
    def channels(self) -> int:
        """The number of channels of each picture, without opacity."""
        axis = self._channel_axis
        return (self.pixels.shape[self.axes.index(axis)] if axis else 1) - self.alpha

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        shape = dict(zip(self.axes, self.pixels.shape, strict=True))
        return shape["Y"], shape["X"]

    @property
    def is_repeated(self) -> bool:
        """Whether its frames are several shots of one scene, according to the file's axes."""
        return self.frames > 1 and set(self._frame_axes) <= REPEATS

    def planes(self, frame: int = 0) -> np.ndarray:
        """A frame's channels, (C, H, W), without opacity: a view to read or to write."""
        return self._whole(frame)[: self.channels]

    def opacity(self, frame: int = 0) -> np.ndarray:
        """A frame's opacity, (1, H, W), or (0, H, W) if it has none: a view."""
        return self._whole(frame)[self.channels :]

    def bands(self) -> Iterator[np.ndarray]:
        """All pixels without opacity, a band of rows at a time."""
        for frame in range(self.frames):
            planes = self.planes(frame)
            for top in range(0, self.size[0], ROWS_AT_ONCE):
                yield planes[:, top : top + ROWS_AT_ONCE]

    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest value of all pixels, opacity excluded."""
        ends = [(float(band.min()), float(band.max())) for band in self.bands()]
        release(self.pixels)
        return min(low for low, _ in ends), max(high for _, high in ends)

    def with_pixels(self, pixels: np.ndarray) -> Raster:
        """A raster with other pixels in the same layout."""
        return replace(self, pixels=pixels)

    def first_frame(self) -> Raster:
        """The first frame alone, without metadata that concerns a whole stack."""
        if self.frames == 1:
            return self
        whole, metadata = self._whole(0), Metadata(self.metadata.info)
        if self._channel_axis == "S":
            return replace(self, pixels=np.moveaxis(whole, 0, -1), axes="YXS", metadata=metadata)
        if self._channel_axis == "C":
            return replace(self, pixels=whole, axes="CYX", metadata=metadata)
        return replace(self, pixels=whole[0], axes="YX", metadata=metadata)

    @property
    def _channel_axis(self) -> str:
        return next((axis for axis in "SC" if axis in self.axes), "")

    @property
    def _frame_axes(self) -> str:
        return "".join(axis for axis in self.axes if axis not in {"Y", "X", self._channel_axis})

    @property
    def _frame_sizes(self) -> tuple[int, ...]:
        return tuple(self.pixels.shape[self.axes.index(axis)] for axis in self._frame_axes)

    def _whole(self, frame: int) -> np.ndarray:
        order = self._frame_axes + self._channel_axis + "YX"
        arranged = self.pixels.transpose([self.axes.index(axis) for axis in order])
        chosen = arranged[np.unravel_index(frame, self._frame_sizes)]
        return chosen if self._channel_axis else chosen[None]


def mean_of(rasters: Sequence[Raster]) -> Raster:
    """The mean of all frames of rasters of one kind and size, in the dtype of the first.

    Raises:
        OSError: it is large, and the disk has no room for it.
    """
    kind = rasters[0].first_frame()
    mean = kind.with_pixels(spooled(None, kind.pixels.shape, kind.dtype))
    mean.opacity()[...] = kind.opacity()
    frames = [raster.planes(frame) for raster in rasters for frame in range(raster.frames)]
    for top in range(0, mean.size[0], ROWS_AT_ONCE):
        rows = slice(top, top + ROWS_AT_ONCE)
        total = np.zeros(mean.planes()[:, rows].shape)
        for planes in frames:
            total += planes[:, rows]
            release(planes)
        mean.planes()[:, rows] = nearest(total / len(frames), mean.dtype)
        release(mean.pixels)
    return mean


def are_equal(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two frames' planes (C, H, W) are equal in every pixel."""
    if first.shape != second.shape:
        return False
    for top in range(0, first.shape[1], ROWS_AT_ONCE):
        a, b = (planes[:, top : top + ROWS_AT_ONCE] for planes in (first, second))
        if not np.array_equal(a, b):
            return False
        release(first)
        release(second)
    return True


def require_numbers(raster: Raster, name: str) -> None:
    """Check that a raster holds usable numbers.

    Raises:
        InputError: it has no pixels, its dtype is neither float nor an integer of at most 32 bits,
            or a value is not finite in float32, in which networks compute.
    """
    if 0 in raster.pixels.shape or raster.channels < 1:
        raise InputError(f"{name} has no pixels")
    if raster.dtype.kind not in "uif" or (raster.dtype.kind in "ui" and raster.dtype.itemsize > 4):
        raise InputError(
            f"{name} holds {raster.dtype.name}; expected integers of at most 32 bits or floats"
        )
    if raster.dtype.kind == "f":
        largest = np.finfo(np.float32).max
        unusable = sum(int(np.count_nonzero(~(np.abs(band) <= largest))) for band in raster.bands())
        release(raster.pixels)
        if unusable:
            values = "1 value that is" if unusable == 1 else f"{unusable} values that are"
            precision = "" if raster.dtype.itemsize <= 4 else " as float32"
            raise InputError(f"{name} has {values} NaN or infinite{precision}")
