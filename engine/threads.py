"""Sharing CPU cores between torch's threads and those of native code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def leaving_cores_free() -> Iterator[None]:
    """Make torch compute on one thread, just before native code uses all cores.

    After a parallel operation, torch's threads keep spinning for milliseconds on cores that the
    native threads need.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
