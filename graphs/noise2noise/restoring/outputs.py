"""Which file each result goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import require_folder, require_free
from graphs.noise2noise.images import SUFFIXES, is_picture_name
from graphs.noise2noise.restoring.scenes import Group


def is_one_file(output: Path) -> bool:
    """Whether an output has the name of a picture, and no folder of that name exists."""
    return is_picture_name(output) and not output.is_dir()


def targets_for(
    groups: Sequence[Group], output: Path, *, average: bool, overwrite: bool
) -> list[list[Path]]:
    """The output files of each group: ``output`` itself, or files in that folder.

    Args:
        groups: the files to denoise.
        output: a file, if it has the name of a picture; otherwise a folder.
        average: whether each group becomes one picture, named after the group.
        overwrite: whether the files may already exist.

    Raises:
        InputError: two results would be one file, a file already exists, its format cannot be
            written, or the folder cannot be used.
    """
    if average:
        places = [Path(group.name) for group in groups]
    else:
        places = [place for group in groups for place in group.places]
    if not is_one_file(output):
        targets = _in_folder(groups, places, output)
    elif len(places) > 1:
        raise InputError(f"{len(places)} pictures cannot be the one file {output}; name a folder")
    else:
        targets = [output]
    for target in targets:
        require_free(target, overwrite)
    rest = iter(targets)
    return [list(islice(rest, 1 if average else len(group.files))) for group in groups]


def _in_folder(groups: Sequence[Group], places: Sequence[Path], output: Path) -> list[Path]:
    known = ", ".join(SUFFIXES)
    if output.suffix and not output.is_dir():
        raise InputError(f"the output {output} is no kind of picture to write: {known}")
    files = [file for group in groups for file in group.files]
    if other := next((path for path in files if path.suffix.lower() not in SUFFIXES), None):
        raise InputError(f"{other} does not end in one of {known}, as its result would have to")
    require_folder(output)
    if twice := next((place for place, count in Counter(places).items() if count > 1), None):
        raise InputError(f"two of the pictures are named {twice}: their results would be one file")
    return [output / place for place in places]
