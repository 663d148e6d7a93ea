"""Memory that a training needs and cannot have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.training.configuration import Settled
from ops import OutOfMemory

SHORTAGES = ("allocate memory", "not enough memory", "out of memory", "overflow")
"""What torch says, as a RuntimeError, where memory is short or a size is beyond all memory."""


def require_memory(needed: int) -> None:
    """Check that a program or a network could ever be held here.

    A system that lends more memory than it has would end the process in the midst of it.

    Raises:
        OutOfMemory: it needs more bytes than the machine has.
    """
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", ()):
        return  # a system that does not tell
    there_are = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there_are:
        raise OutOfMemory(
            f"the training needs {needed:,} bytes of memory; the machine has {there_are:,}"
        )


@contextmanager
def explaining_shortage(configuration: Settled) -> Iterator[None]:
    """Name the settings that decide how much memory a training takes, if it is too much.

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
