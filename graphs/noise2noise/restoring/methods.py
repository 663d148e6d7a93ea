"""The methods of denoising, and which of them fits the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from graphs.noise2noise.restoring.scenes import Scene, joined

Learned = Literal["zero-shot", "repeats", "neighbours"]
Method = Literal["model", "zero-shot", "repeats", "neighbours"]

BY_PIXEL: frozenset[Method] = frozenset({"model", "zero-shot", "neighbours"})
"""Methods that assume the noise of neighbouring pixels to be independent."""


class Choice(NamedTuple):
    """A method, and why it was chosen."""

    method: Method
    reason: str


def choose(scenes: Sequence[Scene]) -> tuple[Learned, str]:
    """The method for pictures that no trained network knows, and the reason for it."""
    shots = sum(scene.shots for scene in scenes)
    rasters = [raster for scene in scenes for raster in scene.rasters]
    repeated = [scene for scene in scenes if scene.is_repeated]
    if len(repeated) == len(scenes) and len(rasters) == len(scenes):
        stacks = "a stack" if len(rasters) == 1 else f"{len(rasters)} stacks"
        return "repeats", f"{shots} shots in {stacks}: each is a target for the others"
    if repeated and len(rasters) > len(scenes):
        shots = sum(scene.shots for scene in repeated)
        of = "one scene" if len(repeated) == 1 else f"{len(repeated)} scenes"
        return "repeats", f"{shots} shots of {of}: each is a target for the others of its scene"
    is_open = len(scenes) > 1 and not any(scene.is_told for scene in scenes)
    if is_open and joined(scenes).is_one:
        return "repeats", f"{shots} shots of one scene: each is a target for the others"
    if shots == 1:
        return "zero-shot", "a single picture: all there is to learn from are its own pixels"
    return "neighbours", f"{shots} different pictures: in each, neighbouring pixels make pairs"
