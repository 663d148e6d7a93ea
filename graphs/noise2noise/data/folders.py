"""The pictures in folders, and in folders of folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphs.noise2noise.images import is_picture_name, list_pictures


def files_in(path: Path) -> list[Path]:
    """The pictures in a folder, or the file itself.

    Raises:
        InputError: the folder has none.
    """
    return list(list_pictures(path).values()) if path.is_dir() else [path]


def holds_folders(folder: Path) -> bool:
    """Whether a path is a folder that contains folders and no pictures."""
    if not folder.is_dir():
        return False
    return bool(_inner(folder)) and not any(is_picture_name(file) for file in folder.iterdir())


def bursts_in(folder: Path) -> dict[str, list[Path]]:
    """The pictures in each subfolder of a folder, by the subfolder's name.

    Raises:
        InputError: a subfolder has none.
    """
    return {part.name: files_in(part) for part in _inner(folder)}


def share_names(folders: Sequence[Path]) -> bool:
    """Whether a picture's name occurs in more than one of the folders."""
    names = [file.name for folder in folders for file in folder.iterdir() if is_picture_name(file)]
    return len(set(names)) < len(names)


def _inner(folder: Path) -> list[Path]:
    return sorted(
        part for part in folder.iterdir() if part.is_dir() and not part.name.startswith(".")
    )
