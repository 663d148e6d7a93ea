"""What a network learns from, out of the files to denoise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Scale
from graphs.noise2noise.restoring.methods import Learned
from graphs.noise2noise.restoring.scenes import Scene

LEAST_SIDE = 16
"""Of pictures to learn from."""


def examples_of(scenes: Sequence[Scene], scale: Scale, method: Learned) -> list[torch.Tensor]:
    """What a network learns from: (k, C, H, W) each; single shots, if repeats, are one scene.

    Raises:
        InputError: a picture is too small, or they differ in channels or dtype, repeats in size; or
            repeats are copies.
    """
    for scene in scenes:
        _require_enough(scene)
    for scene in scenes[1:]:
        for name in ("channels", "dtype"):
            _require_same(name, scenes[0], scene)
    examples = [scene.pictures(scale) for scene in scenes]
    if method != "repeats":
        return examples
    _require_no_copies(scenes)
    if all(scene.raster.frames > 1 for scene in scenes):
        return examples
    for scene in scenes[1:]:
        _require_same("size", scenes[0], scene)
    shots = torch.cat(examples)
    if len(shots) < 2:
        raise InputError(f"{scenes[0].path} is a single shot; repeats are two or more")
    return [shots]


def _require_enough(scene: Scene) -> None:
    side = min(scene.raster.size)
    if side < LEAST_SIDE:
        pixels = "1 pixel" if side == 1 else f"{side} pixels"
        raise InputError(
            f"{scene.path} is {pixels} high or wide; to learn from, it takes {LEAST_SIDE}"
        )


def _require_same(name: str, first: Scene, other: Scene) -> None:
    values = [getattr(scene.raster, name) for scene in (first, other)]
    if values[0] != values[1]:
        raise InputError(
            f"{first.path} and {other.path} differ in {name}, {values[0]} and {values[1]}: "
            "they cannot be learned from together"
        )


def _require_no_copies(scenes: Sequence[Scene]) -> None:
    shots = [
        (
            f"frame {frame + 1} of {scene.path}" if scene.raster.frames > 1 else str(scene.path),
            scene.raster.planes(frame),
        )
        for scene in scenes
        for frame in range(scene.raster.frames)
    ]
    for (first, a), (second, b) in pairwise(shots):
        if np.array_equal(a, b):
            raise InputError(
                f"{first} and {second} are equal in every pixel: copies, not shots of their own"
            )
