"""Whose the processor's cores are: torch's threads and those of native code want the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def leaving_cores_free() -> Iterator[None]:
    """Let torch compute on one thread, just before native code runs on all.

    The threads of a parallel operation of torch's go on waiting for more to do, for milliseconds
    and on the cores that the native threads need.
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
