"""Pictures to score methods on, read from files that are matched by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from graphs.noise2noise.data.course import is_course, read_course_pickle
from graphs.noise2noise.data.scenes import SHOT, find_scenes, named_as, reference_of
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Picture, list_pictures, read_picture
from graphs.noise2noise.inspection.loading import require_side
from graphs.noise2noise.inspection.single import noise_of_one
from graphs.noise2noise.quality.evaluation import Sample

Pair = tuple[Path, Path]

TRIED = 64
"""Roughly how many pictures to examine for how noisy a pickle's are."""


def read_samples(
    noisy: Path,
    *,
    pattern: str | None = None,
    reference: Path | None = None,
    second: Path | None = None,
    others: Sequence[Path] = (),
    peak: float | None = None,
) -> list[Sample]:
    """Read pictures and what they are scored against.

    Args:
        noisy: a file, or a folder; the other arguments are then files or folders too. In folders,
            files are matched by their names without suffixes. In a course's pickle, it is the first
            tensor; the second one is the reference or, if it is about as noisy or ``second`` names
            the pickle, another shot.
        pattern: of the names in the folder, such as ``{scene}_raw{shot}.png``. The reference is
            then given as for :func:`reference_of`; without one, the first shot of each scene is
            scored against the second.
        reference: clean pictures.
        second: other noisy shots, in place of ``reference``.
        others: results of other programs, whose names are told by :func:`title_of`.
        peak: the value of white, in the files' own numbers. By default the largest that integer
            files can hold; for floats, the range of the reference or, without one, of the noisy
            picture.

    Raises:
        InputError: a picture cannot be read, has no partner, or differs from it in size or
            channels; a second shot is a copy; or there is nothing to score against, or too much.
    """
    if is_course([noisy]) and reference is None and second is None:
        reference, second = (None, noisy) if _is_noisy_twice(noisy) else (noisy, None)
    by_shots = pattern is not None and reference is None and second is None
    if not by_shots and (reference is None) == (second is None):
        raise InputError(
            "expected either clean pictures, by --reference, or other noisy shots, by --second"
        )
    if others and reference is None:
        raise InputError("results of other programs are scored by clean pictures: add --reference")
    if peak is not None and not 0 < peak < math.inf:
        raise InputError(f"expected a finite peak above 0, got {peak}")
    is_clean = reference is not None
    if is_course([noisy]):
        if (reference or second) != noisy or others or pattern is not None:
            raise InputError(
                f"{noisy} is a pickle of pairs, scored by itself, without a pattern or others"
            )
        return list(_course_samples(noisy, is_clean=is_clean, peak=(peak or 255) / 255))
    if pattern is None:
        pairs = _by_name(noisy, reference or second)
    else:
        pairs = _by_pattern(noisy, pattern, reference, second)
    pictures = {name: path for name, (path, _) in pairs.items()}
    results = {title_of(other): _partners(noisy, pictures, other) for other in others}
    return [
        _sample(
            path,
            partner,
            {title: files[name] for title, files in results.items()},
            is_clean=is_clean,
            peak=peak,
        )
        for name, (path, partner) in pairs.items()
    ]


def title_of(path: Path) -> str:
    """What results are called: a folder's name, or a file's without its suffix."""
    return path.absolute().name if path.is_dir() else path.stem


def require_distinct(titles: Sequence[str]) -> None:
    """Check that no two results are called the same.

    Raises:
        InputError: two are.
    """
    if twice := next((title for i, title in enumerate(titles) if title in titles[:i]), None):
        raise InputError(f"two results would be called {twice!r}: rename a folder or a file")


def _by_name(noisy: Path, against: Path | None) -> dict[str, Pair]:
    assert against is not None
    pictures = _files(noisy)
    partners = _partners(noisy, pictures, against)
    return {name: (path, partners[name]) for name, path in pictures.items()}


def _by_pattern(
    noisy: Path, pattern: str, reference: Path | None, second: Path | None
) -> dict[str, Pair]:
    """Every shot with the reference of its scene, or the first two shots of every scene."""
    if second is not None or (reference is None and SHOT not in pattern):
        raise InputError(
            f"expected --reference, or a pattern whose {SHOT} are scored by one another; got "
            f"{pattern!r}" + (" and --second" if second is not None else "")
        )
    if reference is None:
        found = [(files[0], files[1]) for files in find_scenes([noisy], pattern).groups]
    else:
        named = named_as([noisy], pattern)
        found = [(file, reference_of(scene, reference)) for scene, file in named]
    pairs: dict[str, Pair] = {}
    for file, other in found:
        if file.stem in pairs:
            raise InputError(f"{pairs[file.stem][0]} and {file} have one name")
        pairs[file.stem] = file, other
    return pairs


def _is_noisy_twice(path: Path) -> bool:
    """Whether the second shots in a course's pickle are about as noisy as the first."""
    sigmas = []
    require_side(path, read_course_pickle(path)[0][0].shape)
    for shots in read_course_pickle(path):
        some = shots[:: 1 + len(shots) // TRIED].numpy()
        sigmas.append(np.mean([noise_of_one(shot).sigma for shot in some]))
    return bool(sigmas[1] > sigmas[0] / 2)


def _course_samples(path: Path, *, is_clean: bool, peak: float) -> Iterator[Sample]:
    shots = [tensor.float() / 255 for tensor in read_course_pickle(path)]
    require_side(path, shots[0][0].shape)
    for number, (noisy, other) in enumerate(zip(*shots, strict=True)):
        name = f"{path.stem} {number}"
        if is_clean:
            yield Sample(name, noisy, reference=other, peak=peak)
        else:
            yield Sample(name, noisy, second=other, peak=peak)


def _files(path: Path) -> dict[str, Path]:
    """A file, or those in a folder, by name without suffix."""
    if path.is_dir():
        found: dict[str, Path] = {}
        for name, file in list_pictures(path).items():
            if file.stem in found:
                raise InputError(f"{found[file.stem].name} and {name} in {path} have one name")
            found[file.stem] = file
        return found
    return {path.stem: path}


def _partners(noisy: Path, pictures: Mapping[str, Path], other: Path) -> dict[str, Path]:
    if noisy.is_dir() and not other.exists():
        raise InputError(f"there is no folder {other}")
    if noisy.is_dir() != other.is_dir():
        raise InputError(f"{noisy} and {other}: expected two files or two folders")
    found = _files(other)
    if not noisy.is_dir():
        return dict(zip(pictures, found.values(), strict=True))
    if alone := sorted(set(pictures) - set(found)):
        more = f" ({len(alone)} have none)" if len(alone) > 1 else ""
        raise InputError(f"{pictures[alone[0]]} has no partner of that name in {other}{more}")
    return found


def _sample(
    path: Path, partner: Path, results: Mapping[str, Path], *, is_clean: bool, peak: float | None
) -> Sample:
    picture = read_picture(path)
    require_side(path, picture.pixels.shape)
    other = _matching(partner, path, picture)
    if not is_clean and torch.equal(other, picture.pixels):
        raise InputError(
            f"{path} and {partner} are equal in every pixel: a copy, not a second shot"
        )
    is_float = picture.source.dtype.kind == "f"
    scale = picture.scale
    if peak is not None:
        white = (peak - scale.low) / (scale.high - scale.low)
    elif is_float:
        values = other if is_clean else picture.pixels
        white = float(values.max() - values.min()) or 1.0
    else:
        white = 1.0
    return Sample(
        name=path.name,
        noisy=picture.pixels,
        reference=other if is_clean else None,
        second=None if is_clean else other,
        peak=white,
        limits=None if is_float else (0.0, 1.0),
        others={title: _matching(file, path, picture) for title, file in results.items()},
    )


def _matching(path: Path, noisy_path: Path, noisy: Picture) -> torch.Tensor:
    """A partner's pixels; its dtype may differ, since each file is read from 0 to white."""
    pixels = read_picture(path).pixels
    if pixels.shape != noisy.pixels.shape:
        sizes = [
            f"{shape[2]}x{shape[1]} pixels of {shape[0]} channels"
            for shape in (noisy.pixels.shape, pixels.shape)
        ]
        raise InputError(f"{noisy_path} and {path} do not match: {sizes[0]} and {sizes[1]}")
    return pixels
