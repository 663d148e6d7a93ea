"""Pixels clipped at black or at white."""

from __future__ import annotations

import numpy as np

PILE = 2
"""An extreme value counts as clipped if more than this many times as many pixels have it as the
next value."""
SAMPLED = 1 << 22
"""Roughly how many values are examined."""


def clipped_shares(shots: np.ndarray) -> tuple[float, float]:
    """The fractions of pixels clipped at the lowest and at the highest value.

    Values become rarer towards the ends of a picture's range unless clipping piles them up there,
    whatever that range is: a 12-bit camera clips at 4095 in files that could hold 65535.
    """
    every = max(1, shots.size // SAMPLED)
    sampled = shots.ravel()[::every]
    values, counts = np.unique(sampled, return_counts=True)
    if len(values) < 3:
        return 0.0, 0.0
    low = counts[0] if counts[0] > PILE * counts[1] else 0
    high = counts[-1] if counts[-1] > PILE * counts[-2] else 0
    return float(low / sampled.size), float(high / sampled.size)
