"""Reading scenes from files, and bringing their values to the range that networks work in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from graphs.noise2noise.data.course import read_course_pickle
from graphs.noise2noise.data.scenes import Scenes, read_shots
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Raster, Scale, read_raster

WIDE_ENOUGH = 0.25
"""Values that span at least this share of their dtype's range are left as they are."""

MARGIN = 0.25
"""Room left below and above the range of the values, as a share of its width."""

SAMPLED = 1 << 22
"""About how many values are sampled to find the range."""


@dataclass(frozen=True)
class Readings:
    """Scenes in memory.

    Attributes:
        scenes: (k, C, H, W) each, k shots; float32, or uint8 where 255 stands for 1.
        offset, scale: float32 values are (v - offset) / scale, with v the pictures' values as
            :func:`read_picture` returns them.
    """

    scenes: Sequence[torch.Tensor]
    offset: float = 0.0
    scale: float = 1.0


def read_scenes(found: Scenes, size: int) -> Readings:
    """Read every file.

    Values that fill only a small part of their dtype's range, as with many 12-bit cameras, and
    floats well outside 0 to 1, are rescaled to lie roughly within 0 and 1.

    Args:
        found: which files.
        size: the smallest side that a picture may have.

    Raises:
        InputError: a file cannot be read, or does not match the others.
    """
    if found.kind == "course":
        pairs = [torch.stack(read_course_pickle(path), 1) for path in found.files]
        return Readings([scene for pair in pairs for scene in pair])
    scenes = [_read_scene(group, found.kind == "shots", size) for group in found.groups]
    _require_one_dtype(scenes, found)
    widest = max(scene.shape[1] for scene in scenes)
    if widest == 3:  # grey pictures among colour ones become RGB
        scenes = [s.expand(-1, 3, -1, -1) if s.shape[1] == 1 else s for s in scenes]
    # The noise added to clean pictures depends on their values, so these are not rescaled.
    return Readings(scenes) if found.kind == "clean" else _spread(scenes)


def _read_scene(files: Sequence[Path], repeated: bool, size: int) -> torch.Tensor:
    """The frames from all files of a scene, (k, C, H, W)."""
    frames: list[torch.Tensor] = []
    for file in files:
        is_stack = repeated and len(files) == 1
        raster = read_shots(file) if is_stack else read_raster(file)
        if is_stack and raster.frames < 2:
            raise InputError(f"{file} holds one picture; expected a stack of two or more shots")
        for number in range(raster.frames):
            frame = _values(raster, number)
            _require_fit(file, frame, files[0], frames, size)
            frames.append(frame)
    return torch.stack(frames)


def _values(raster: Raster, frame: int) -> torch.Tensor:
    planes = raster.planes(frame)
    if raster.dtype == np.uint8:
        return torch.from_numpy(np.array(planes))
    return Scale.of_dtype(raster.dtype).to_unit(planes)


def _require_fit(
    file: Path, frame: torch.Tensor, first: Path, frames: Sequence[torch.Tensor], size: int
) -> None:
    height, width = frame.shape[1:]
    if min(height, width) < size:
        raise InputError(
            f"{file}: {width}x{height} pixels; expected at least {size} a side, or a smaller crop "
            "or depth"
        )
    if frames and frame.shape != frames[0].shape:
        other_channels, other_height, other_width = frames[0].shape
        if (height, width) != (other_height, other_width):
            raise InputError(
                f"{file} and {first} differ in size, {width}x{height} and "
                f"{other_width}x{other_height}"
            )
        raise InputError(
            f"{file} and {first} differ in channels, {len(frame)} and {other_channels}"
        )
    if frames and frame.dtype != frames[0].dtype:
        raise InputError(f"{file} and {first} differ in the kind of their numbers")


def _require_one_dtype(scenes: Sequence[torch.Tensor], found: Scenes) -> None:
    for scene, group in zip(scenes, found.groups, strict=True):
        if scene.dtype != scenes[0].dtype:
            raise InputError(f"{group[0]} and {found.files[0]} differ in the kind of their numbers")


def _spread(scenes: Sequence[torch.Tensor]) -> Readings:
    """Rescale values of a narrow range, or of one beyond 0 and 1, to roughly within 0 and 1."""
    every = max(1, sum(scene.numel() for scene in scenes) // SAMPLED)
    values = torch.cat([scene.flatten()[::every] for scene in scenes]).numpy()
    if values.dtype == np.uint8:
        values = values.astype(np.float32) / 255
    range_ = Scale.of_values(values)
    width = range_.high - range_.low
    if width >= WIDE_ENOUGH and range_.low >= -MARGIN and range_.high <= 1 + MARGIN:
        return Readings(scenes)
    offset, scale = range_.low - MARGIN * width, (1 + 2 * MARGIN) * width
    spread = [(_unit(scene) - offset) / scale for scene in scenes]
    return Readings(spread, offset, scale)


def _unit(scene: torch.Tensor) -> torch.Tensor:
    return scene if scene.is_floating_point() else scene.float() / 255
