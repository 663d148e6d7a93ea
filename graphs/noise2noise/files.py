"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphs.noise2noise.errors import InputError

LEFTOVERS = ".writing-????????*"
"""The temporary files of a program that was killed while it wrote, as a pattern."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary path beside ``path``, which takes its place if the block ends well.

    Folders on the way are made. The temporary name keeps the suffix, which many writers go by, and
    nothing else, so that it is not too long where the final one is just not.
    What was written is on the disk before it takes the place, so that a crash, too, leaves the one
    or the other.

    Raises:
        InputError: it cannot be written; see :func:`writing`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".writing-{secrets.token_hex(4)}{path.suffix}")
        try:
            yield temporary
            _flush(temporary)
            os.replace(temporary, path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file that cannot be written, where the system tells only why.

    Raises:
        InputError: in place of an OSError of the block, the disk being full for instance.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def _flush(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_free(path: Path, overwrite: bool) -> None:
    """Check, before any work is done for it, that a file may be written.

    Raises:
        InputError: it exists and is not to be overwritten, or it cannot be a file there.
    """
    if path.is_dir():
        raise InputError(f"the output {path} is a folder, not a file")
    if os.path.lexists(path) and not overwrite:  # a link to nothing is there, too
        raise InputError(f"the output {path} exists already; --overwrite replaces it")
    require_folder(path.parent)


def require_folder(path: Path) -> None:
    """Check that a folder exists or can be made.

    Raises:
        InputError: something else is in the way, or it may not be written to.
    """
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise InputError(f"the output folder {path} cannot be made: {existing} is a file")
    if not os.access(existing, os.W_OK):
        raise InputError(f"the output folder {path} cannot be written to")
