"""Shifted shots, moved upon each other."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs.noise2noise.inspection.aligning import aligned, shift_of
from tests.noise2noise.scenes import cat

PLACES = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=4)


def windows(places: list[tuple[int, int]], side: int = 80) -> torch.Tensor:
    """Parts of a scene, whose content moves against the direction of the window."""
    scene = cat(96, 96).double()
    return torch.stack([scene[:, i : i + side, j : j + side] for i, j in places])


@given(PLACES)
def test_without_noise_they_become_equal(places: list[tuple[int, int]]) -> None:
    shots = aligned(windows(places))
    most = [max(column) - min(column) for column in zip(*places, strict=True)]
    assert shots.shape == (len(places), 3, 80 - most[0], 80 - most[1])
    assert bool((shots == shots[:1]).all())


def test_a_shot_of_something_else_is_left_out() -> None:
    shots = windows([(0, 0), (1, 2), (3, 1), (0, 0)])
    shots[3] = cat(96, 96).double().flip(1, 2)[:, :80, :80].roll(37, 2)
    assert aligned(shots).shape == (3, 3, 77, 78)


def test_how_far_they_are_shifted() -> None:
    assert shift_of([]) == 0
    assert shift_of(windows([(0, 0), (1, 0)]).numpy()) == 0
    assert abs(shift_of(windows([(0, 0), (2, 1), (3, 4)]).numpy()) - 5) < 0.5
