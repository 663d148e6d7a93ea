"""Shots of one scene that are shifted: by how much, and moved upon each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from graphs.noise2noise.images import middle
from graphs.noise2noise.inspection.registration import (
    common_parts,
    misalignment,
    positions,
    whole_shifts,
)
from graphs.noise2noise.inspection.scene import grey

LEAST = 1.5
"""Pixels between two shots, beyond which one teaches more blur than cleaning about the other."""

MOST = 0.25
"""How far a shot may lie from the middle one, as a fraction of the smaller side; one that seems to
lie further away could not be registered."""

SIDE = 512
"""Side of the part by which shots are registered."""


def shift_of(shots: Sequence[np.ndarray]) -> float:
    """Pixels between the two shots (C, H, W) furthest apart; 0 if they are hardly shifted."""
    if len(shots) < 2:
        return 0.0
    shift = misalignment(positions([grey(middle(shot, SIDE)) for shot in shots]))
    return shift if shift > LEAST else 0.0


def aligned(shots: torch.Tensor) -> torch.Tensor:
    """Shots (k, C, H, W) moved upon each other by whole pixels, and cut to what all show.

    Pixels are not interpolated: that would change their noise, and neighbours would share it. Shots
    that could not be registered are left out.
    """
    pictures = list(shots.numpy())
    shifts = whole_shifts([grey(middle(picture, SIDE)) for picture in pictures])
    near = np.abs(shifts - np.median(shifts, 0)).max(1) <= MOST * min(shots.shape[2:])
    if near.sum() < 2:
        return shots
    kept = [picture for picture, is_near in zip(pictures, near, strict=True) if is_near]
    return torch.from_numpy(np.stack(common_parts(kept, shifts[near])))
