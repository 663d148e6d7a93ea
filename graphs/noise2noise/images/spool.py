"""Arrays backed by files, so that large ones need not be held in memory."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

IN_MEMORY = 1 << 26
"""Arrays of at most this many bytes are simply kept in memory."""

_ZEROS_AT_ONCE = 1 << 22


def spooled(folder: Path | None, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """An array of zeros: in memory, or mapped from an unnamed file that is deleted with it.

    Args:
        folder: for the file; None for the system's folder for temporary files.
        shape, dtype: of the array.

    Raises:
        OSError: the disk has no room for it.
    """
    size = prod(shape) * dtype.itemsize
    if size <= IN_MEMORY:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        reserve(file, size)
        return np.memmap(file, dtype, "r+", shape=tuple(shape))


def reserve(file: BinaryIO, size: int) -> None:
    """Write ``size`` zeros at a file's current position.

    Writing to a mapped file kills the process if the disk has no room for it. Writing the zeros
    beforehand turns that into an OSError.
    """
    zeros = bytes(min(size, _ZEROS_AT_ONCE))
    for start in range(0, size, _ZEROS_AT_ONCE):
        file.write(zeros[: size - start])
    file.flush()


def release(pixels: np.ndarray) -> None:
    """Release the memory of an array mapped from a file; pages are read again when needed."""
    owner: object = pixels
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
