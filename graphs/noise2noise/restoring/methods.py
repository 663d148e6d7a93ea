"""Which way of denoising fits what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from graphs.noise2noise.restoring.scenes import Scene, show_one_scene

Learned = Literal["zero-shot", "repeats", "neighbours"]
Method = Literal["model", "zero-shot", "repeats", "neighbours"]

BY_PIXEL: frozenset[Method] = frozenset({"model", "zero-shot", "neighbours"})
"""Methods that take the noise of neighbouring pixels for independent."""


class Choice(NamedTuple):
    """A method, and why it was chosen."""

    method: Method
    reason: str


def choose(scenes: Sequence[Scene]) -> tuple[Learned, str]:
    """A way to denoise pictures for which there is no trained network, and why that."""
    if all(scene.raster.is_repeated for scene in scenes):
        shots = sum(scene.raster.frames for scene in scenes)
        stacks = "a stack" if len(scenes) == 1 else f"{len(scenes)} stacks"
        return "repeats", f"{shots} shots in {stacks}: each is a target for the others"
    if len(scenes) > 1 and show_one_scene(scenes):
        return "repeats", f"{len(scenes)} shots of one scene: each is a target for the others"
    pictures = sum(scene.raster.frames for scene in scenes)
    if pictures == 1:
        return "zero-shot", "a single picture: all there is to learn from are its own pixels"
    return "neighbours", f"{pictures} different pictures: in each, neighbouring pixels make pairs"
