"""What a run's numbers depend on besides its configuration and data."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.native.toolchain.target import NativeError, find_target
from graphs.noise2noise.training.names import to_utf8

PACKAGES = ("blockwright", "torch", "numpy", "networkx", "pillow", "tifffile", "safetensors")


def environment(threads: int | None) -> dict[str, Any]:
    """Versions, processor, threads and backend, to be saved with a run.

    Args:
        threads: how many the run computes with; None if it measures that when it starts.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "backend": os.environ.get("BLOCKWRIGHT_BACKEND", "auto"),
        "native code": _native(),
    }


def hashes(paths: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of each file, by absolute path.

    Raises:
        InputError: a name is not valid UTF-8.
    """
    return {to_utf8(str(path.resolve())): _sha256(path) for path in paths}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _native() -> str | None:
    """The identity of the native-code compiler and its target processor, or None."""
    try:
        return find_target().identity
    except NativeError:
        return None


def _processor() -> str:
    """The processor's name as Linux reports it, else what Python knows."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
