"""Arrays that lie in files: to fill before they become one, and to read without keeping."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

IN_MEMORY = 1 << 26
"""Bytes up to which an array is simply kept in memory."""

_ZEROS_AT_ONCE = 1 << 22


def spooled(folder: Path | None, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """An array of zeros: in memory, or mapped from an unnamed file, which ends with it.

    Args:
        folder: for the file; None for the system's own for temporary ones.
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
    """Write zeros from where a file stands.

    A mapped file that the disk turns out to have no room for kills the process when it is written
    to. Writing it beforehand makes that an OSError.
    """
    zeros = bytes(min(size, _ZEROS_AT_ONCE))
    for start in range(0, size, _ZEROS_AT_ONCE):
        file.write(zeros[: size - start])
    file.flush()


def release(pixels: np.ndarray) -> None:
    """Give back the memory of an array mapped from a file; what is needed again is read again."""
    owner: object = pixels
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
