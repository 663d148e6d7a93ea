"""Initial values of parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


def uniform_within(bound: float, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """Uniform in [-bound, bound), from torch's global generator."""
    return torch.empty(tuple(shape), dtype=dtype).uniform_(-bound, bound)


def fan_in(shape: Sequence[int]) -> int:
    """The number of inputs to each output of a weight [out, in, ...]."""
    return math.prod(shape[1:])


def uniform_by_fan_in(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """Uniform within ±1/sqrt(fan-in); zero for fewer than two axes, which have no fan-in.

    PyTorch's default for convolution and linear weights: He et al., 2015, with gain sqrt(1/3).
    """
    if len(shape) < 2:
        return torch.zeros(tuple(shape), dtype=dtype)
    # In PyTorch's order of operations, so that the same seed gives bit-identical weights.
    bound = math.sqrt(3.0) * (math.sqrt(2.0 / 6.0) / math.sqrt(max(1, fan_in(shape))))
    return uniform_within(bound, shape, dtype)


def normal_by_fan_in(gain: float, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """Normal with standard deviation gain / sqrt(fan-in): He et al., 2015."""
    return torch.empty(tuple(shape), dtype=dtype).normal_(0, gain / math.sqrt(fan_in(shape)))
