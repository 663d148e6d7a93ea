"""Randomness that depends on stated numbers alone, so that it can be had again."""

from __future__ import annotations

import numpy as np
import torch


def generator_for(*numbers: int) -> torch.Generator:
    """A generator whose numbers depend on these alone, such as a seed and a step.

    Args:
        numbers: not negative.
    """
    # torch seeds its Mersenne Twister with 32 bits, so the numbers are mixed into as many.
    (mixed,) = np.random.SeedSequence(numbers).generate_state(1, np.uint32)
    return torch.Generator().manual_seed(int(mixed))
