"""Range checks for an optimizer's arguments."""

from __future__ import annotations

import math

from ops import GraphError


def positive(name: str, value: float) -> float:
    """Return the value if it is above 0 and finite, else raise GraphError."""
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise GraphError(f"expected {name} above 0 and finite, got {value!r}")
    return float(value)


def not_negative(name: str, value: float) -> float:
    """Return the value if it is at least 0 and finite, else raise GraphError."""
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise GraphError(f"expected {name} of at least 0 and finite, got {value!r}")
    return float(value)


def within(name: str, value: float) -> float:
    """Return the value if it is in [0, 1), else raise GraphError."""
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise GraphError(f"expected {name} in [0, 1), got {value!r}")
    return float(value)
