"""Whether pictures can be repeats: shots of one scene, pixel upon pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphs.noise2noise.data.same_scene import show_one_scene
from graphs.noise2noise.images import Raster
from graphs.noise2noise.inspection.registration import misalignment, positions
from graphs.noise2noise.inspection.scene import grey, middle

MOST_SHIFT = 1.5
"""Pixels between two shots, beyond which one teaches more blur than cleaning about the other."""

REGISTERED, SIDE = 4, 512
"""How many shots, of all over a series, are registered, and the side of the part that is."""


def what_differs(rasters: Sequence[Raster]) -> str | None:
    """Why single pictures cannot be repeats, as a predicate such as "do not look alike".

    None if they can be.
    """
    if not show_one_scene([raster.first_frame() for raster in rasters]):
        return "do not look alike"
    return shifted([raster.planes() for raster in rasters])


def shifted(shots: Sequence[np.ndarray]) -> str | None:
    """How far shots (C, H, W) of one scene are shifted, as a predicate; None if hardly at all."""
    if len(shots) < 2:
        return None
    every = -(-len(shots) // REGISTERED)
    shift = misalignment(positions([grey(middle(shot, SIDE)) for shot in shots[::every]]))
    if shift <= MOST_SHIFT:
        return None
    return f"are shifted against one another by up to {shift:.1f} pixels"
