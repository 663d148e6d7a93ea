"""Known shifts are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from graphs.noise2noise.inspection.registration import Shift, positions, shift_between, whole_shifts
from tests.noise2noise.inspection.made import blurred, photograph, white


def moved(rows: float, columns: float) -> np.ndarray:
    """The photograph's middle, with its content shifted down and to the right."""
    whole = photograph(220, 280).mean(0)
    return ndimage.shift(whole, (rows, columns), order=3, mode="reflect")[16:-16, 16:-16]


@pytest.mark.parametrize("shift", [(0, 0), (0.5, -0.25), (-3.3, 1.7), (0, 7)])
@pytest.mark.parametrize("noise", [white, blurred])
def test_shifts_to_a_fraction_of_a_pixel(shift: tuple[float, float], noise: object) -> None:
    assert callable(noise)
    rng = np.random.default_rng(1)
    found = shift_between(
        noise(rng, moved(0, 0)[None], 6)[0], noise(rng, moved(*shift)[None], 6)[0]
    )
    assert found.uncertainty < 0.5
    assert (found.rows, found.columns) == pytest.approx(shift, abs=max(2 * found.uncertainty, 0.1))


def test_noise_alone_is_known_to_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    found = shift_between(*(rng.standard_normal((128, 128)) for _ in range(2)))
    assert found.uncertainty > 3


def test_positions_are_those_against_the_mean() -> None:
    places = [(0.0, 0.0), (1.5, 0.0), (0.0, -3.0), (0.5, 1.0)]
    rng = np.random.default_rng(2)
    found = positions([white(rng, moved(*place), 6.0) for place in places])
    mean = np.mean(places, axis=0)
    for (rows, columns, _), place in zip(found, places, strict=True):
        assert (rows, columns) == pytest.approx(tuple(place - mean), abs=0.4)


def test_two_shots_lie_on_either_side() -> None:
    first, second = positions([moved(0, 0), moved(2, -1)])
    assert first[:2] == pytest.approx((-1, 0.5), abs=0.1)
    assert second[:2] == pytest.approx((1, -0.5), abs=0.1)


def test_small_and_plain_pictures() -> None:
    rng = np.random.default_rng(0)
    small = shift_between(rng.random((16, 16)), rng.random((16, 16)))
    assert np.isfinite(small).all()
    assert shift_between(np.ones((32, 40)), rng.random((32, 40))) == Shift(0, 0, 40)
    dark = np.zeros((64, 64))
    dark[:32, :32] = rng.random((32, 32))
    assert shift_between(dark, dark).uncertainty > 10


def test_whole_shifts_of_noisy_shots() -> None:
    rng = np.random.default_rng(0)
    places = [(0, 0), (3, -7), (-4, 2), (8, 1)]
    shots = [rng.normal(moved(*place), 0.15) for place in places]
    assert whole_shifts(shots).tolist() == [list(place) for place in places]
