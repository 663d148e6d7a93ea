"""NumPy files, ``.npy``: arrays of numbers and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images.damage import in_words
from graphs.noise2noise.images.raster import Raster
from graphs.noise2noise.images.spool import reserve

MOST_CHANNELS = 4
"""An axis of at most this length, last or just before rows and columns, is taken for channels."""


def read(path: Path) -> Raster:
    """Memory-map a NumPy file.

    An array with two axes is a grey picture; with three, (H, W, C) or (C, H, W) with at most four
    channels, or else (frames, H, W), so that (H, W, 5) is H frames; with four, (frames, H, W, C)
    with at most four channels, or else (frames, C, H, W) with any number.

    Raises:
        InputError: it is damaged, holds objects, or has another number of axes.
    """
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header can make NumPy's parser raise anything
        raise InputError(f"{path} cannot be read: {in_words(error)}") from None
    return Raster(pixels, _axes(path, pixels.shape))


def refusal(_raster: Raster) -> str | None:
    """None: any raster can be stored as a NumPy file."""
    return None


@contextmanager
def creating(path: Path, like: Raster) -> Iterator[Raster]:
    """Yield a raster to fill, memory-mapped from the file itself."""
    header = {
        "descr": np.lib.format.dtype_to_descr(like.dtype),
        "fortran_order": False,
        "shape": like.pixels.shape,
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        reserve(file, like.pixels.nbytes)
    pixels = np.lib.format.open_memmap(path, "r+")
    yield like.with_pixels(pixels)
    pixels.flush()


def _axes(path: Path, shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return "YX"
    if len(shape) in (3, 4):
        frames = "I" if len(shape) == 4 else ""
        if shape[-1] <= MOST_CHANNELS:
            return f"{frames}YXS"
        if len(shape) == 4 or shape[-3] <= MOST_CHANNELS:
            return f"{frames}CYX"
        return "IYX"
    raise InputError(f"{path} has {len(shape)} axes; expected 2 to 4")
