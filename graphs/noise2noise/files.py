"""Where files may be written, and writing them as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import atomic
from graphs.noise2noise.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """As :func:`engine.atomic.replacing`; missing parent folders are created.

    Raises:
        InputError: it cannot be written; see :func:`writing`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as temporary:
            yield temporary


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError in the block into an InputError that names the file.

    Raises:
        InputError: in place of an OSError in the block, for instance because the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def require_free(path: Path, overwrite: bool) -> None:
    """Check that a file may be written, before any work is done for it.

    Raises:
        InputError: it exists and is not to be overwritten, it is a folder, or its folder cannot be
            written to.
    """
    if path.is_dir():
        raise InputError(f"the output {path} is a folder, not a file")
    if os.path.lexists(path) and not overwrite:  # a dangling link exists, too
        raise InputError(f"the output {path} exists already; --overwrite replaces it")
    require_folder(path.parent)


def require_folder(path: Path) -> None:
    """Check that a folder exists or can be created, and can be written to.

    Raises:
        InputError: a file is in the way, or writing is not permitted.
    """
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise InputError(f"the output folder {path} cannot be made: {existing} is a file")
    if not os.access(existing, os.W_OK):
        raise InputError(f"the output folder {path} cannot be written to")
