"""The folder of what is worth keeping between processes: compiled code, measured choices."""

from __future__ import annotations

import atexit
import os
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path


@lru_cache
def cache_folder() -> Path:
    """``BLOCKWRIGHT_CACHE``, or ``blockwright`` in the user's folder of caches.

    Where that cannot be written to, a temporary folder serves for this process, said once.
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
