"""Weights in files: safetensors, which hold only numbers and cannot run code."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

from engine.atomic import replacing
from graphs.module import Module
from ops import FeedError, GraphError


def save_weights(module: Module, path: str | os.PathLike[str]) -> None:
    """Write every parameter under its ``state_dict`` name. The file is replaced atomically.

    Args:
        module: whose parameters to write.
        path: the file, usually ``*.safetensors``.

    Raises:
        GraphError: the ``safetensors`` package is not installed.
        OSError: the file cannot be written.
    """
    content = _safetensors().save(module.state())
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)


def load_weights(module: Module, path: str | os.PathLike[str]) -> None:
    """Assign every parameter from a file; if it does not fit, nothing is changed.

    Args:
        module: whose parameters to assign.
        path: a safetensors file with the names of the module's ``state``.

    Raises:
        GraphError: the file is not a safetensors file, or its names do not fit; or the
            ``safetensors`` package is not installed.
        FeedError: a shape differs.
        OSError: the file cannot be read.
    """
    safetensors = _safetensors()
    content = Path(path).read_bytes()
    try:
        state = safetensors.load(content)
    except Exception as error:  # the library's own errors derive directly from Exception
        raise GraphError(f"{path} is no safetensors file: {error}") from None
    try:
        module.load_state(state)
    except (GraphError, FeedError) as error:
        raise type(error)(f"{path}: {error}") from None


def _safetensors() -> ModuleType:
    try:
        import safetensors.torch
    except ImportError:
        raise GraphError(
            "weights in files need the package safetensors: pip install 'blockwright[app]'"
        ) from None
    return safetensors.torch
