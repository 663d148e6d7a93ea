"""The folder of what is worth keeping between processes: compiled code, measured choices."""

from __future__ import annotations

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
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    wanted = Path(os.environ.get("BLOCKWRIGHT_CACHE") or Path(base, "blockwright"))
    try:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError as error:
        warnings.warn(
            f"the cache folder {wanted} cannot be written to ({error.strerror}): compiled code and "
            "measured choices are not kept beyond this process; BLOCKWRIGHT_CACHE names another",
            stacklevel=2,
        )
        return Path(_temporary_folder().name)


@lru_cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="blockwright-")
