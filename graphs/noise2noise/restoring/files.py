"""A user's own pictures, cleaned one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import require_folder, require_free
from graphs.noise2noise.images import (
    SUFFIXES,
    is_picture_name,
    read_picture,
    require_fit,
    write_picture,
)
from graphs.noise2noise.networks import load_network
from graphs.noise2noise.restoring.restorer import Restorer


def denoise_files(
    pictures: Sequence[Path], weights: Path | None, output: Path, *, overwrite: bool = False
) -> Iterator[Path]:
    """Clean pictures one after the other, each written as it is done.

    Names and kinds are checked before the first is written.

    Args:
        pictures: files to clean.
        weights: a file of them, or a run's folder; None for those that come along.
        output: a file, if it is named as a picture and there is one to clean; else a folder, where
            each keeps its name.
        overwrite: whether files to write may exist already.

    Yields:
        The files written.

    Raises:
        InputError: a picture or the weights cannot be read, or a result cannot be written.
    """
    targets = _targets(pictures, output)
    for target in targets:
        require_free(target, overwrite)
    for picture, target in zip(pictures, targets, strict=True):
        require_fit(target, read_picture(picture).kind)
    loaded = load_network(weights)
    restore = Restorer(loaded.network, loaded.architecture.channels)
    for picture, target in zip(pictures, targets, strict=True):
        source = read_picture(picture)
        write_picture(target, replace(source, pixels=restore(source.pixels)))
        yield target


def _targets(pictures: Sequence[Path], output: Path) -> list[Path]:
    if is_picture_name(output) and not output.is_dir():
        if len(pictures) > 1:
            raise InputError(
                f"the output {output} is one file for {len(pictures)} pictures; name a folder"
            )
        return [output]
    known = ", ".join(SUFFIXES)
    if output.suffix and not output.is_dir():
        raise InputError(f"the output {output} is no kind of picture to write: {known}")
    if other := next((path for path in pictures if path.suffix.lower() not in SUFFIXES), None):
        raise InputError(f"{other} does not end in one of {known}, as its result would have to")
    require_folder(output)
    targets = [output / picture.name for picture in pictures]
    names = [picture.name for picture in pictures]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two of the pictures are named {twice}: their results would be one file")
    return targets
