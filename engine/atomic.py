"""Writing files atomically, so that a reader never sees half of one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEFTOVERS = ".writing-????????*"
"""A glob pattern for temporary files left by a program that was killed while writing."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path``, which replaces it if the block succeeds.

    The temporary name keeps only the suffix, which many writers depend on, so that it is not too
    long for the file system where the final name just fits. The content is flushed to disk before
    the replacement, so that even a crash leaves either the old file or the new one.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".writing-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
