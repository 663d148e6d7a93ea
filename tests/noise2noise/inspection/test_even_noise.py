"""The strength of noise on one picture, and whether it is even and independent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from graphs.noise2noise.images import signed_roots
from graphs.noise2noise.inspection.even_noise import (
    EvenNoise,
    even_noise,
    white_sigma,
    zero_of_rising_noise,
)
from tests.noise2noise.inspection.made import photograph

CLEAN = photograph()


def even_noise_of(shot: np.ndarray) -> EvenNoise | None:
    return even_noise(shot, zero_of_rising_noise(shot))


def as_bytes(values: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8)


@settings(max_examples=20)
@given(st.floats(5, 40), st.integers(0, 1000))
def test_white_noise_on_a_photograph(sigma: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, sigma, CLEAN.shape)
    found = even_noise_of(CLEAN + noise)
    assert found is not None
    assert (found.zero, found.photons) == (None, None)
    assert found.sigma == pytest.approx(sigma, rel=0.06)


@settings(max_examples=20)
@given(st.floats(0.5, 20), st.floats(0, 300), st.integers(0, 1000))
def test_photons_on_a_photograph(gain: float, black: float, seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(CLEAN / gain)
    shot = (gain * counts + black).astype(np.float32)
    found = even_noise_of(shot)
    assert found is not None
    assert found.zero is not None
    assert found.zero <= np.quantile(shot, 0.01)
    noise = signed_roots(found.zero, shot) - signed_roots(found.zero, CLEAN + black)
    assert found.sigma == pytest.approx(noise.std(), rel=0.1)
    assert found.photons is not None
    times = found.photons / (np.median(CLEAN) / gain)
    assert times > 0.5
    if gain > 5:  # of many photons it is known but roughly
        assert times < 2


@pytest.mark.parametrize("radius", [0.5, 0.7, 1.0, 1.5])
def test_noise_that_neighbours_share(radius: float) -> None:
    noise = np.random.default_rng(0).standard_normal(CLEAN.shape)
    smooth = ndimage.gaussian_filter(noise, (0, radius, radius))
    assert even_noise_of(as_bytes(CLEAN + smooth / smooth.std() * 12)) is None


def test_noise_that_channels_share() -> None:
    noise = np.random.default_rng(0).standard_normal((1, *CLEAN.shape[1:]))
    assert even_noise_of(as_bytes(CLEAN + 12 * noise)) is None


@pytest.mark.parametrize("sigmas", [(4, 4, 16), (10, 10, 20), (10, 20, 20)])
def test_channels_of_different_noise(sigmas: tuple[float, float, float]) -> None:
    noise = np.random.default_rng(0).standard_normal(CLEAN.shape)
    assert even_noise_of(CLEAN + noise * np.array(sigmas)[:, None, None]) is None


def test_noise_that_neighbours_share_beside_white_noise() -> None:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.standard_normal(CLEAN.shape), (0, 1, 1))
    assert even_noise_of(CLEAN + rng.normal(0, 5, CLEAN.shape) + 10 * smooth / smooth.std()) is None


def test_photons_where_nothing_is_black() -> None:
    light = np.tile(np.linspace(300, 2100, 256), (1, 192, 1))
    counts = np.random.default_rng(0).poisson(light)
    found = even_noise_of(counts.astype(np.uint16))
    assert found is not None
    assert found.zero is not None
    assert found.zero < 150


def test_a_pixel_far_out_is_not_noise_of_all() -> None:
    shot = np.random.default_rng(0).normal(100, 5, (1, 96, 96))
    assert white_sigma(shot) == pytest.approx(5, rel=0.06)
    shot[0, 20, 20] = 1e5
    assert white_sigma(shot) is None


def test_a_dead_pixel_is_not_what_is_no_light() -> None:
    shot = np.random.default_rng(0).poisson(30 + CLEAN).astype(np.float32)
    shot[:, 50, 60] = -5000
    zero = zero_of_rising_noise(shot)
    assert zero is not None
    assert zero > -300


def test_grey_as_colours_has_the_noise_of_grey() -> None:
    noise = np.random.default_rng(0).normal(0, 15, CLEAN.shape[1:])
    grey = as_bytes(CLEAN.mean(0) + noise)[None]
    assert white_sigma(grey.repeat(3, axis=0)) == white_sigma(grey) == pytest.approx(15, rel=0.06)


@pytest.mark.parametrize("side", [24, 32, 48])
def test_small_pictures(side: int) -> None:
    noise = np.random.default_rng(0).normal(0, 12, CLEAN.shape)
    shot = (CLEAN + noise)[:, 50 : 50 + side, 60 : 60 + side]
    assert white_sigma(shot) == pytest.approx(12, rel=0.2)


@pytest.mark.parametrize("shape", [(3, 12, 12), (1, 3, 40), (1, 1, 1)])
def test_too_small_to_tell(shape: tuple[int, int, int]) -> None:
    assert even_noise_of(np.random.default_rng(0).normal(100, 5, shape)) is None


@pytest.mark.filterwarnings("error")
def test_no_noise_at_all() -> None:
    assert even_noise_of(np.full((3, 64, 64), 7, np.uint8)) is None
    assert even_noise_of(np.zeros((1, 300, 300), np.uint8)) is None


def test_roots_of_what_is_above_a_zero_and_below() -> None:
    values = np.array([3, 4, 8, 260], np.uint16)
    assert signed_roots(4.0, values).tolist() == [-1, 0, 2, 16]
