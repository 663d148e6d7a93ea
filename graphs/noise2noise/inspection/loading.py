"""Reads the scenes to inspect from the files that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from graphs.noise2noise.data.course import is_course, read_course_pickle
from graphs.noise2noise.data.scenes import (
    SCENE,
    find_scenes,
    name_of_scene,
    read_shots,
    reference_of,
)
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Raster, read_raster
from graphs.noise2noise.inspection.scene import Scene

MOST_SHOTS = 32
LEAST_SIDE = 16
MOST_PAIRED = 16
"""The most pairs of a course's pickle that are put side by side, in either direction."""


@dataclass(frozen=True)
class SceneFiles:
    """The files of a scene: shots or a stack of them, and a reference if there is one."""

    name: str
    files: Sequence[Path]
    may_be_stack: bool
    reference: Path | None = None


def find_scene_files(
    paths: Sequence[Path], pattern: str | None = None, reference: Path | None = None
) -> list[SceneFiles]:
    """Group files into scenes as for training; files of one picture each are shots of one scene.

    Args:
        paths: see :func:`find_scenes`.
        pattern: of file names, such as ``{scene}_raw{shot}.png``.
        reference: a file for the only scene, a folder of files named after the scenes, or a path
            with ``{scene}`` in it.

    Raises:
        InputError: the files do not form scenes, or a scene has no reference.
    """
    scenes = find_scenes(paths, pattern)
    found = [
        SceneFiles(name_of_scene(group, pattern), group, scenes.kind == "shots" and len(group) == 1)
        for group in scenes.groups
    ]
    if reference is None:
        return found
    if is_course(paths):
        raise InputError(f"{paths[0]} is a pickle of noisy pairs, which has no reference")
    if len(found) > 1 and not reference.is_dir() and SCENE not in str(reference):
        raise InputError(
            f"{reference} is one reference for {len(found)} scenes; expected a folder, or a path "
            f"with {SCENE} in it"
        )
    return [replace(scene, reference=reference_of(scene.name, reference)) for scene in found]


def read_scene(found: SceneFiles) -> Scene:
    """Read a scene; from a long series, at most :data:`MOST_SHOTS` shots, evenly spread.

    From a course's pickle, evenly spread pairs are put side by side to form two shots of one scene.

    Raises:
        InputError: a file cannot be read, is too small, or differs from the others.
    """
    if is_course(found.files):
        return Scene(found.name, _side_by_side(found.files))
    # Kept, since decoding a compressed stack takes long, and all its frames are in it.
    read = lru_cache(MOST_SHOTS)(read_shots if found.may_be_stack else read_raster)
    frames = [(file, frame) for file in found.files for frame in range(read(file).frames)]
    every = -(-len(frames) // MOST_SHOTS)
    shots = [_planes(file, read(file), frame) for file, frame in frames[::every]]
    for (file, _), shot in zip(frames[::every], shots, strict=True):
        _require_alike(file, shot, found.files[0], shots[0])
    reference = None
    if found.reference is not None:
        reference = _planes(found.reference, read_raster(found.reference), 0)
        _require_alike(found.reference, reference, found.files[0], shots[0])
    iso = read(found.files[0]).metadata.iso
    return Scene(found.name, np.stack(shots), reference, iso)


def _side_by_side(pickles: Sequence[Path]) -> np.ndarray:
    """Two shots, (2, C, rows * H, columns * W), from a square grid of pairs of (C, H, W)."""
    read = [np.stack([shots.numpy() for shots in read_course_pickle(path)]) for path in pickles]
    for path, pairs in zip(pickles, read, strict=True):
        _require_alike(path, pairs[0, 0], pickles[0], read[0][0, 0])
        require_side(path, pairs[0, 0].shape)
    every = np.concatenate(read, axis=1)
    side = min(int(every.shape[1] ** 0.5), MOST_PAIRED)
    chosen = np.linspace(0, every.shape[1] - 1, side * side).astype(int)
    _, _, channels, height, width = every.shape
    grid = every[:, chosen].reshape(2, side, side, channels, height, width)
    return grid.transpose(0, 3, 1, 4, 2, 5).reshape(2, channels, side * height, side * width)


def _planes(file: Path, raster: Raster, frame: int) -> np.ndarray:
    planes = np.asarray(raster.planes(frame))
    require_side(file, planes.shape)
    return planes


def require_side(file: Path, shape: Sequence[int]) -> None:
    """Check that a picture (C, H, W) is large enough to measure.

    Raises:
        InputError: it is not.
    """
    _, height, width = shape
    if min(height, width) < LEAST_SIDE:
        raise InputError(f"{file}: {width}x{height} pixels; expected at least {LEAST_SIDE} a side")


def _require_alike(file: Path, shot: np.ndarray, first_file: Path, first: np.ndarray) -> None:
    if shot.shape != first.shape:
        sizes = [f"{s.shape[2]}x{s.shape[1]}x{s.shape[0]}" for s in (first, shot)]
        raise InputError(f"{first_file} and {file} differ in size, {sizes[0]} and {sizes[1]}")
    if shot.dtype != first.dtype:
        raise InputError(f"{first_file} and {file} differ in the kind of their numbers")
