"""Training examples, taken from the files to denoise."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Scale
from graphs.noise2noise.inspection.aligning import aligned
from graphs.noise2noise.restoring.methods import Learned
from graphs.noise2noise.restoring.scenes import Capture, Scene, joined

LEAST_SIDE = 16
"""The smallest side of pictures to learn from, in pixels."""


def examples_of(scenes: Sequence[Scene], scale: Scale, method: Learned) -> list[torch.Tensor]:
    """The pictures that a network learns from, (k, C, H, W) each.

    For ``repeats``, they are the shots of each scene, aligned if they are shifted.

    Args:
        scenes: with pictures of one kind: the same number of channels and dtype. For ``repeats``,
            those of :func:`series_in`.
        scale: to the values that the network takes.
        method: by which the network learns.

    Raises:
        InputError: repeats are a single shot, differ in size or are copies.
    """
    if method == "repeats":
        return [_shots(scene, scale) for scene in scenes]
    return [capture.pictures(scale) for scene in scenes for capture in scene.captures]


def series_in(scenes: Sequence[Scene]) -> list[Scene]:
    """The repeated scenes, whose shots are targets for each other.

    If none seems to be repeated, those with several shots or, failing that, all pictures as one.
    """
    repeated = [scene for scene in scenes if scene.is_repeated]
    return repeated or [scene for scene in scenes if scene.shots > 1] or [joined(scenes)]


def _shots(scene: Scene, scale: Scale) -> torch.Tensor:
    first, *others = scene.captures
    for other in others:
        _require_same_size(first, other)
    if scene.shots < 2:
        raise InputError(f"{first.path} is a single shot; repeats are two or more")
    scene.require_no_copies()
    shots = torch.cat([capture.pictures(scale) for capture in scene.captures])
    return aligned(shots) if scene.shift else shots


def require_enough(capture: Capture) -> None:
    """Refuse a picture that is too small to learn from; raises InputError."""
    side = min(capture.raster.size)
    if side < LEAST_SIDE:
        pixels = "1 pixel" if side == 1 else f"{side} pixels"
        raise InputError(
            f"{capture.path} is {pixels} high or wide; to learn from, it takes {LEAST_SIDE}"
        )


def _require_same_size(first: Capture, other: Capture) -> None:
    sizes = [capture.raster.size for capture in (first, other)]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"{first.path} and {other.path} differ in size, {sizes[0]} and {sizes[1]}: "
            "they cannot be learned from together"
        )
