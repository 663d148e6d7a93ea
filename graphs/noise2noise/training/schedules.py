"""Learning-rate schedules: a factor on the peak rate, given the fraction of training done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

ScheduleName = Literal["constant", "cosine", "step", "ramp-down"]

WARM_UP = 0.02
LAST_RATE = 0.01
STEP_SHARES = (0.5, 0.75, 0.9)
STEP_FACTOR = 0.3
RAMP_DOWN_SHARE = 0.3


def constant(share: float) -> float:
    """Always the peak rate."""
    return 1.0


def cosine(share: float) -> float:
    """Warm up linearly from 1 % over the first 2 %, then follow half a cosine down to 1 %."""
    if share < WARM_UP:
        return max(share / WARM_UP, LAST_RATE)
    fall = (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP))) / 2
    return LAST_RATE + (1 - LAST_RATE) * fall


def step(share: float) -> float:
    """Multiply by 0.3 after a half, three quarters and nine tenths of the training."""
    return float(STEP_FACTOR ** sum(share >= at for at in STEP_SHARES))


def ramp_down(share: float) -> float:
    """The peak rate, then over the last 30 % smoothly down, as in the Noise2Noise paper.

    Source: the published code of that paper, ``((1 + cos(pi t)) / 2)**2`` for t from 0 to 1.
    """
    t = max(0.0, (share - (1 - RAMP_DOWN_SHARE)) / RAMP_DOWN_SHARE)
    return max(((1 + math.cos(math.pi * t)) / 2) ** 2, 1e-6)


SCHEDULES: Mapping[ScheduleName, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "step": step,
    "ramp-down": ramp_down,
}
