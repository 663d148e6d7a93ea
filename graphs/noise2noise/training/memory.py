"""Reporting that a training needs more memory than there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.training.configuration import Settled
from ops import OutOfMemory

SHORTAGES = ("allocate memory", "not enough memory", "out of memory", "overflow")
"""Parts of torch's RuntimeError messages when memory is short or a size exceeds any memory."""


def require_memory(needed: int) -> None:
    """Check that a program or a network could fit in the machine's memory at all.

    A system that overcommits memory would otherwise kill the process midway.

    Raises:
        OutOfMemory: it needs more bytes than the machine has.
    """
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", ()):
        return  # the system does not report its memory
    there_are = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there_are:
        raise OutOfMemory(
            f"the training needs {needed:,} bytes of memory; the machine has {there_are:,}"
        )


@contextmanager
def explaining_shortage(configuration: Settled) -> Iterator[None]:
    """If memory runs out in the block, name the settings that decide how much is needed.

    Raises:
        InputError: in place of what torch, NumPy or the engine raises.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _is_shortage(str(error)):
            raise
        c = configuration
        raise InputError(
            f"there is not enough memory to train with width {c.width}, depth {c.depth}, batch "
            f"{c.batch} and crop {c.crop} on these pictures; less of any of them needs less"
        ) from None


def _is_shortage(message: str) -> bool:
    return any(shortage in message.lower() for shortage in SHORTAGES)
