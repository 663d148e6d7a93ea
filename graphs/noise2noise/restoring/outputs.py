"""Which file each result goes to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import require_folder, require_free
from graphs.noise2noise.images import SUFFIXES, is_picture_name


def is_one_file(output: Path) -> bool:
    """Whether an output is named as a picture, and no folder of that name exists."""
    return is_picture_name(output) and not output.is_dir()


def targets_for(pictures: Sequence[Path], output: Path, *, overwrite: bool) -> list[Path]:
    """The files of the results: ``output`` itself, or each picture's name in that folder.

    Raises:
        InputError: two results would be one file, one exists already, or it is no kind of file to
            write or no place to write to.
    """
    targets = [output] if is_one_file(output) else _in_folder(pictures, output)
    for target in targets:
        require_free(target, overwrite)
    return targets


def _in_folder(pictures: Sequence[Path], output: Path) -> list[Path]:
    known = ", ".join(SUFFIXES)
    if output.suffix and not output.is_dir():
        raise InputError(f"the output {output} is no kind of picture to write: {known}")
    if other := next((path for path in pictures if path.suffix.lower() not in SUFFIXES), None):
        raise InputError(f"{other} does not end in one of {known}, as its result would have to")
    require_folder(output)
    names = [picture.name for picture in pictures]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two of the pictures are named {twice}: their results would be one file")
    return [output / name for name in names]
