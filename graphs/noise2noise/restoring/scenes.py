"""The files that are to be denoised, and whether they show one scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from graphs.noise2noise.images import Raster, Scale, list_pictures

THUMBNAIL = 16
ALIKE = 0.8
"""Correlation of thumbnails from which pictures count as shots of one scene."""

CHANCE = 2.0
"""Times what noise alone makes thumbnails differ by: up to there it may be noise."""

MIDDLE = 512
"""Side of the square in which noise is measured."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A file that has been read: one picture or several."""

    path: Path
    raster: Raster

    def pictures(self, scale: Scale) -> torch.Tensor:
        """All of them, (k, C, H, W)."""
        frames = range(self.raster.frames)
        return torch.stack([scale.to_unit(self.raster.planes(frame)) for frame in frames])


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Files as they are given, and all pictures of each folder.

    Raises:
        InputError: a folder has none.
    """
    files: list[Path] = []
    for path in paths:
        files += list_pictures(path).values() if path.is_dir() else [path]
    return files


def show_one_scene(scenes: Sequence[Scene]) -> bool:
    """Whether single pictures of one kind look the same but for the noise."""
    kinds = {(s.raster.frames, s.raster.channels, s.raster.size, s.raster.dtype) for s in scenes}
    if len(kinds) > 1 or scenes[0].raster.frames > 1:
        return False
    return all(_look_alike(a.raster, b.raster) for a, b in pairwise(scenes))


def _look_alike(first: Raster, second: Raster) -> bool:
    """Whether thumbnails of two pictures go together, or differ by no more than their noise."""
    a, b = _thumbnail(first), _thumbnail(second)
    if np.corrcoef(a, b)[0, 1] > ALIKE:
        return True
    difference = _middle(first) - _middle(second)
    noise = np.diff(difference, axis=2).std() / 2**0.5
    pixels = max(1.0, np.prod(first.size) / THUMBNAIL**2)
    return bool((a - b).std() <= CHANCE * noise / pixels**0.5)


def _middle(raster: Raster) -> np.ndarray:
    top, left = (max(size - MIDDLE, 0) // 2 for size in raster.size)
    return raster.planes()[:, top : top + MIDDLE, left : left + MIDDLE].astype(float)


def _thumbnail(raster: Raster) -> np.ndarray:
    """The means of 16 x 16 parts of the picture, in a row."""
    planes = raster.planes()
    rows, columns = (_parts(size) for size in raster.size)
    return np.array(
        [planes[:, down, across].mean(dtype=np.float64) for down in rows for across in columns]
    )


def _parts(size: int) -> list[slice]:
    edges = np.linspace(0, size, THUMBNAIL + 1).astype(int).tolist()
    return [slice(start, max(stop, start + 1)) for start, stop in pairwise(edges)]
