"""Pixels cut off at black or at white."""

from __future__ import annotations

import numpy as np

PILE = 2
"""A clipped extreme is taken by this many times as many pixels as the next value, or more."""
SAMPLED = 1 << 22
"""About how many values are looked at."""


def clipped_shares(shots: np.ndarray) -> tuple[float, float]:
    """The shares of pixels cut off at the lowest and at the highest value.

    Values thin out towards the ends of a picture's range unless they are piled up there, whatever
    that range is: a camera of 12 bits clips at 4095 in files that could hold 65535.
    """
    every = max(1, shots.size // SAMPLED)
    sampled = shots.ravel()[::every]
    values, counts = np.unique(sampled, return_counts=True)
    if len(values) < 3:
        return 0.0, 0.0
    low = counts[0] if counts[0] > PILE * counts[1] else 0
    high = counts[-1] if counts[-1] > PILE * counts[-2] else 0
    return float(low / sampled.size), float(high / sampled.size)
