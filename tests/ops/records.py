"""Records of what the tests in this folder have tried, for the page about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import settings

LAW_EXAMPLES = max(30, settings.default.max_examples * 3 // 5)
"""Cases for each operator and law: enough to catch every planted fault."""


@dataclass(frozen=True)
class Caught:
    """How a planted fault was caught: by which law, after how many cases and seconds."""

    law: str
    cases: int
    seconds: float


CASES: Counter[tuple[str, str]] = Counter()
"""(operator, law) -> cases that held."""

SAMPLES: dict[str, Counter[str]] = {}
"""PyTorch's operator -> how many samples passed or were refused; else why they are not covered."""

FAULTS: dict[str, Caught] = {}
"""Planted fault -> how it was caught."""
