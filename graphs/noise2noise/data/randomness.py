"""Reproducible randomness, which depends only on given numbers."""

from __future__ import annotations

import numpy as np
import torch


def generator_for(*numbers: int) -> torch.Generator:
    """A generator seeded by these numbers only, such as a seed and a step.

    Args:
        numbers: not negative.
    """
    # torch seeds its Mersenne Twister with 32 bits, so the numbers are mixed into 32 bits.
    (mixed,) = np.random.SeedSequence(numbers).generate_state(1, np.uint32)
    return torch.Generator().manual_seed(int(mixed))
