"""Chart axes with round numbers, and number formatting."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

LOGARITHMIC = 8.0
"""Above this ratio of the largest to the smallest value, an axis is logarithmic."""


@dataclass(frozen=True)
class Axis:
    """A chart axis: its range, its ticks and its mapping.

    Attributes:
        low, high: its ends.
        ticks: values that are labelled.
        share: maps a value to its position on the axis, from 0 to 1.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    share: Callable[[float], float]


def linear_axis(low: float, high: float, count: int = 5) -> Axis:
    """An axis between round numbers, with about ``count`` ticks."""
    if high <= low:
        low, high = low - abs(low) / 10 - 1e-9, high + abs(high) / 10 + 1e-9
    step = _round_step((high - low) / count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(step * i for i in range(first, last + 1))
    start, end = ticks[0], ticks[-1]
    return Axis(start, end, ticks, lambda value: (value - start) / (end - start))


def logarithmic_axis(low: float, high: float) -> Axis:
    """A logarithmic axis for positive numbers."""
    start, end = math.log10(low), math.log10(high)
    margin = 0.03 * (end - start) or 0.1
    start, end = start - margin, end + margin
    decades = range(math.floor(start), math.ceil(end) + 1)
    wanted = (1, 2, 5) if end - start < 2.5 else (1,)
    ticks = [digit * 10.0**decade for decade in decades for digit in wanted]
    inside = tuple(tick for tick in ticks if start <= math.log10(tick) <= end)
    return Axis(
        10**start, 10**end, inside, lambda value: (math.log10(value) - start) / (end - start)
    )


def value_axis(low: float, high: float) -> Axis:
    """A logarithmic axis where the values differ by a large factor, else a linear one."""
    if low > 0 and high / low > LOGARITHMIC:
        return logarithmic_axis(low, high)
    return linear_axis(low, high)


def number_text(value: float) -> str:
    """A number in short, readable form: ``1200``, ``0.05``, ``2e-05``."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:.6g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:.3g}"


def bytes_text(count: float) -> str:
    """A number of bytes with a unit."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(count) < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError


def seconds_text(seconds: float) -> str:
    """A time with a unit."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * 0.999)
