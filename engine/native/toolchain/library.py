"""Shared libraries compiled from C, cached on disk by the hash of what they are compiled from."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.cache import cache_folder
from engine.native.code.source import Source
from engine.native.toolchain.target import NativeError, Target, run_compiler

HEADERS = Path(__file__).parents[1] / "headers"


KERNELS_OF_A_PART = 4
"""Fewest kernels in a part: enough to take longer to compile than the compiler takes to start."""


def load(source: Source, target: Target) -> ctypes.CDLL:
    """Load the library of a C source, compiling it unless it is cached.

    A source of many kernels is compiled in parts, in parallel. A library's file name holds a hash
    of what it was compiled from and one of its content; if the content does not match, the file is
    damaged and is compiled again.

    Raises:
        NativeError: the compiler fails, or the compiled library cannot be loaded.
    """
    key = hashlib.sha256(f"{target.identity}\n{prelude()}\n{source.text}".encode()).hexdigest()[:32]
    return _load(key, source, target)


@cache
def _load(key: str, source: Source, target: Target) -> ctypes.CDLL:
    folder = cache_folder()
    path = next(_sound(folder, key), None) or _compiled(folder, key, source, target)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(f"the compiled library {path} cannot be loaded: {error}") from None


@lru_cache
def prelude() -> str:
    """The headers that generated code includes, as one text."""
    return "\n".join(path.read_text() for path in sorted(HEADERS.glob("*.h")))


def _sound(folder: Path, key: str) -> Iterator[Path]:
    for path in folder.glob(f"{key}-*.so"):
        try:
            if path.stem == f"{key}-{_digest(path)}":
                yield path
            else:
                path.unlink()
        except OSError:  # a folder, a link to nothing: what replaces it, or fails, tells more
            continue


def _compiled(folder: Path, key: str, source: Source, target: Target) -> Path:
    try:
        with TemporaryDirectory(prefix=f".{key}-", dir=folder) as place:
            made = Path(place, "library.so")
            objects = _objects(Path(place), source, target)
            run_compiler((*target.command, "-o", str(made), *map(str, objects), "-lm"))
            path = folder / f"{key}-{_digest(made)}.so"
            os.replace(made, path)
    except OSError as error:
        raise NativeError(f"compiled code cannot be written to {folder}: {error}") from None
    return path


def _objects(folder: Path, source: Source, target: Target) -> list[Path]:
    """Compile a source to object files, in parallel: in at most one part per processor."""
    processors = os.cpu_count() or 1
    parts = max(1, min(processors, source.kernels // KERNELS_OF_A_PART))
    objects = [folder / f"{part}.o" for part in range(parts)]

    def compile_part(part: int) -> None:
        which = (f"-DPARTS={parts}", f"-DPART={part}", "-c", "-o", str(objects[part]))
        run_compiler((*target.command, f"-I{HEADERS}", *which, "-x", "c", "-"), source.text)

    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(compile_part, range(parts)))
    return objects


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
