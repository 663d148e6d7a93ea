"""The cache folder, for what is kept between processes: compiled code and tuning results."""

from __future__ import annotations

import atexit
import os
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path


@lru_cache
def cache_folder() -> Path:
    """``BLOCKWRIGHT_CACHE``, or ``blockwright`` in the user's cache folder.

    If that is not writable, a temporary folder is used for this process, with one warning.
    """
    try:
        wanted = _wanted_folder()
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except (OSError, RuntimeError) as error:
        warnings.warn(
            f"the cache folder cannot be used ({error}): compiled code and measured choices are "
            "not kept beyond this process; BLOCKWRIGHT_CACHE names another",
            stacklevel=2,
        )
        folder = tempfile.TemporaryDirectory(prefix="blockwright-")
        atexit.register(folder.cleanup)
        return Path(folder.name)


def _wanted_folder() -> Path:
    """Absolute, since libraries are not loaded by relative names.

    Raises:
        RuntimeError: the user has no home directory.
    """
    named = os.environ.get("BLOCKWRIGHT_CACHE")
    if named:
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "blockwright").absolute()
