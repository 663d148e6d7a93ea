"""Compiled C in shared libraries, kept on disk by the hash of what they were made from."""

from __future__ import annotations

import ctypes
import hashlib
import os
import secrets
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from engine.cache import cache_folder
from engine.native.target import NativeError, Target, run_compiler

HERE = Path(__file__).parent


def load(source: str, target: Target) -> ctypes.CDLL:
    """The library of a C source, compiled unless it has been before.

    A library's file name holds the hash of its source and of its own content; one whose content
    does not fit its name, being damaged, is compiled again.

    Raises:
        NativeError: the compiler fails, or what it made cannot be loaded.
    """
    key = hashlib.sha256(f"{target.identity}\n{prelude()}\n{source}".encode()).hexdigest()[:32]
    return _load(key, source, target)


@cache
def _load(key: str, source: str, target: Target) -> ctypes.CDLL:
    folder = cache_folder()
    path = next(_sound(folder, key), None) or _compiled(folder, key, source, target)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(f"the compiled library {path} cannot be loaded: {error}") from None


@lru_cache
def prelude() -> str:
    """The texts that generated code includes."""
    return "\n".join(path.read_text() for path in sorted(HERE.glob("*.h")))


def _sound(folder: Path, key: str) -> Iterator[Path]:
    for path in folder.glob(f"{key}-*.so"):
        if path.stem == f"{key}-{_digest(path)}":
            yield path
        else:
            path.unlink(missing_ok=True)


def _compiled(folder: Path, key: str, source: str, target: Target) -> Path:
    part = folder / f".{key}-{secrets.token_hex(4)}.part"
    try:
        run_compiler((*target.command, f"-I{HERE}", "-o", str(part), "-x", "c", "-", "-lm"), source)
        path = folder / f"{key}-{_digest(part)}.so"
        os.replace(part, path)
    except OSError as error:
        raise NativeError(f"compiled code cannot be written to {folder}: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
