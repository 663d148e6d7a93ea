"""A straight line from one picture's values to another's, for pictures on different scales."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Affine(NamedTuple):
    """``gain * values + offset``."""

    gain: float
    offset: float

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Apply the line to some values."""
        return self.gain * values + self.offset


def fit_affine(source: torch.Tensor, target: torch.Tensor) -> Affine:
    """The line from source to target with the least squared error, over all pixels and channels.

    A constant source is mapped to the target's mean.
    """
    source, target = source.double(), target.double()
    deviations = source - source.mean()
    power = float(deviations.square().sum())
    gain = float((deviations * (target - target.mean())).sum() / power) if power else 1.0
    return Affine(gain, float(target.mean() - gain * source.mean()))
