"""Ranges that an optimizer's arguments must lie in."""

from __future__ import annotations

import math

from ops import GraphError


def positive(name: str, value: float) -> float:
    """The value, if above 0 and finite; raises GraphError."""
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise GraphError(f"expected {name} above 0 and finite, got {value!r}")
    return float(value)


def not_negative(name: str, value: float) -> float:
    """The value, if at least 0; raises GraphError."""
    if not isinstance(value, int | float) or not value >= 0:
        raise GraphError(f"expected {name} of at least 0, got {value!r}")
    return float(value)


def within(name: str, value: float) -> float:
    """The value, if in [0, 1); raises GraphError."""
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise GraphError(f"expected {name} in [0, 1), got {value!r}")
    return float(value)
