"""How the learning rate changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.noise2noise.training.schedules import SCHEDULES


@given(name=st.sampled_from(sorted(SCHEDULES)), share=st.floats(0, 1))
def test_a_rate_is_above_0_and_at_most_the_highest(name: str, share: float) -> None:
    assert 0 < SCHEDULES[name](share) <= 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("constant", {0: 1, 0.5: 1, 1: 1}),
        ("cosine", {0: 0.01, 0.01: 0.5, 0.02: 1, 0.51: 0.505, 1: 0.01}),
        ("step", {0: 1, 0.499: 1, 0.5: 0.3, 0.75: 0.09, 0.9: 0.027, 1: 0.027}),
        ("ramp-down", {0: 1, 0.7: 1, 0.85: 0.25, 1: 1e-6}),
    ],
)
def test_the_course_of_each(name: str, points: dict[float, float]) -> None:
    for share, factor in points.items():
        assert SCHEDULES[name](share) == pytest.approx(factor)  # type: ignore[index]
