"""Synthetic noise is measured correctly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from graphs.noise2noise.inspection.clipping import clipped_shares
from graphs.noise2noise.inspection.differences import noise_of_pair
from graphs.noise2noise.inspection.reference import against_reference
from graphs.noise2noise.inspection.single import NoiseOfOne, noise_of_one
from tests.noise2noise.inspection.made import blurred, photograph, shots, white


def photons(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
    """Variance 3 per level above 8, a black level, and 4 of readout."""
    light = rng.poisson(np.maximum(clean, 0) / 3) * 3.0
    return light + 8 + rng.standard_normal(clean.shape) * 2


def test_white_noise() -> None:
    found = noise_of_pair(*shots(lambda rng, clean: white(rng, clean, 12)))
    assert found.sigma == pytest.approx((12, 12, 12), rel=0.02)
    assert found.along_rows == pytest.approx((0, 0, 0), abs=0.02)
    assert found.along_columns == pytest.approx((0, 0, 0), abs=0.02)
    assert found.slope == pytest.approx(0, abs=0.1)
    assert found.dark_variance == pytest.approx(144, rel=0.1)


def test_each_channel_has_its_own_level() -> None:
    levels = np.array([5.0, 10.0, 20.0])[:, None, None]

    def make(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
        return clean + rng.standard_normal(clean.shape) * levels

    assert noise_of_pair(*shots(make)).sigma == pytest.approx((5, 10, 20), rel=0.02)


def test_correlated_neighbours() -> None:
    found = noise_of_pair(*shots(blurred))
    expected = tuple(math.exp(-(d**2) / 4) for d in (1, 2, 3))
    assert found.along_rows == pytest.approx(expected, abs=0.03)
    assert found.along_columns == pytest.approx(expected, abs=0.03)
    assert found.correlation == pytest.approx(expected[0], abs=0.03)
    assert found.sigma == pytest.approx((12, 12, 12), rel=0.03)


def test_one_direction_only() -> None:
    def make(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal(clean.shape)
        return clean + 10 * (noise + np.roll(noise, 1, axis=2)) / 2**0.5

    found = noise_of_pair(*shots(make))
    assert found.along_rows == pytest.approx((0.5, 0, 0), abs=0.03)
    assert found.along_columns == pytest.approx((0, 0, 0), abs=0.03)


def test_a_drift_of_brightness_is_not_taken_for_noise() -> None:
    first, second = shots(white)
    found = noise_of_pair(first, 1.3 * second)
    assert found.sigma[0] == pytest.approx(12, rel=0.03)
    assert found.correlation == pytest.approx(0, abs=0.03)
    assert found.as_shot > 0.15


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_noise_that_shots_share(share: float) -> None:
    clean = ndimage.gaussian_filter(photograph(), (0, 3, 3))
    pattern = np.random.default_rng(9).standard_normal(clean.shape) * (20 * share**0.5)
    first, second = shots(lambda rng, _: white(rng, clean + pattern, 20 * (1 - share) ** 0.5))
    assert noise_of_pair(first, second).shared_at_most == pytest.approx(share, abs=0.07)


def test_texture_is_not_told_from_shared_noise() -> None:
    first, second = shots(lambda rng, clean: white(rng, clean, 5))
    assert 0.1 < noise_of_pair(first, second).shared_at_most < 1


def test_noise_of_photons() -> None:
    found = noise_of_pair(*shots(photons))
    assert found.slope == pytest.approx(3, rel=0.1)
    assert found.dark_variance == pytest.approx(4 - 3 * 8, abs=25)


def test_a_picture_without_noise_or_scene() -> None:
    plain = np.full((1, 32, 32), 7.0)
    found = noise_of_pair(plain, plain)
    assert found.sigma == (0,)
    assert found.along_rows == (0, 0, 0)
    assert found.shared_at_most == 0
    assert noise_of_pair(np.zeros((1, 16, 16)), np.ones((1, 16, 16))).sigma == (0,)


def test_a_single_picture() -> None:
    (shot,) = shots(lambda rng, clean: white(rng, clean, 20), count=1)
    found = noise_of_one(shot)
    assert found.sigma == pytest.approx((20, 20, 20), rel=0.1)
    assert found.survival == pytest.approx(1, abs=0.15)
    assert not found.is_correlated


def test_a_single_picture_whose_neighbours_share_noise() -> None:
    assert noise_of_one(shots(blurred, count=1)[0]).is_correlated
    smooth = np.tile(np.linspace(5, 250, 320), (3, 320, 1))
    found = noise_of_one(shots(blurred, count=1, clean=smooth)[0])
    assert found.is_correlated
    assert max(found.sigma) < 5  # the finest details hardly show it
    assert found.shared_sigma == pytest.approx((12, 12, 12), rel=0.1)
    found = noise_of_one(shots(white, count=1, clean=smooth)[0])
    assert found.shared_sigma == pytest.approx((12, 12, 12), rel=0.1)


@pytest.mark.parametrize("black", [0.3, 0.5, 0.7])
def test_what_neighbours_share_on_a_black_background(black: float) -> None:
    smooth = np.tile(np.linspace(40, 250, 320), (1, 320, 1))
    shot = shots(white, count=1, clean=smooth)[0]
    shot[:, : int(black * 320)] = 0
    found = noise_of_one(shot)
    assert found.shared_sigma == pytest.approx((12,), rel=0.2)
    assert found.shared_sigma >= found.sigma


def test_a_single_picture_of_photons() -> None:
    smooth = np.tile(np.linspace(5, 250, 320), (1, 320, 1))
    (shot,) = shots(photons, count=1, clean=smooth)
    assert noise_of_one(shot).slope == pytest.approx(3, rel=0.2)


def test_a_single_small_picture() -> None:
    found = noise_of_one(np.random.default_rng(0).normal(100, 5, (3, 16, 16)))
    assert found.sigma == pytest.approx((5, 5, 5), rel=0.3)
    assert found.slope == 0


@pytest.mark.parametrize("limit", [255, 4095])
def test_clipping(limit: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(limit / 2, limit / 12, (1, 1, 300, 300))
    assert clipped_shares(values.clip(0, limit).round()) == (0, 0)
    values[..., :10, :90] = limit * 2
    values[..., -10:, :45] = -limit
    low, high = clipped_shares(values.clip(0, limit).round())
    assert (low, high) == (450 / 90000, 900 / 90000)


def test_few_values_are_not_clipped() -> None:
    assert clipped_shares(np.zeros((1, 1, 20, 20))) == (0, 0)
    assert clipped_shares(np.arange(400).reshape(1, 1, 20, 20) % 2) == (0, 0)


def test_a_rescaled_reference() -> None:
    clean = photograph()
    made = shots(lambda rng, scene: white(rng, 0.8 * scene + 7, 15), count=3)
    found = against_reference(made, clean)
    assert found.fit == pytest.approx((0.8, 7), rel=0.02)
    assert found.sigma == pytest.approx(15, rel=0.02)
    assert found.correlation == pytest.approx((0, 0), abs=0.02)
    assert found.between_shots == pytest.approx(0, abs=0.02)
    plain = np.mean((made - clean) ** 2) / 15**2
    assert found.decibels == pytest.approx(10 * math.log10(plain), abs=0.2)


def test_a_reference_made_of_the_shots() -> None:
    made = shots(white, count=10)
    found = against_reference(made[:4], made.mean(0))
    assert found.between_shots == pytest.approx(-1 / 9, abs=0.02)
    assert against_reference(made[:1], made.mean(0)).between_shots is None


@pytest.mark.filterwarnings("error")
def test_black_without_any_noise() -> None:
    black = noise_of_one(np.zeros((1, 128, 128), np.uint8))
    assert black == NoiseOfOne((0.0,), 0.0, 0.0, 1.0, (0.0,))
    constant = noise_of_one(np.full((1, 128, 128), 7, np.uint8))
    assert (constant.sigma, constant.survival) == ((0.0,), 1.0)


@pytest.mark.filterwarnings("error")
def test_the_noise_of_light_beside_black() -> None:
    """As under a microscope: of the black parts the variance is zero, and counts."""
    light = np.random.default_rng(0).normal(100, 10, (1, 256, 256)).round()
    light[:, :, :128] = 0
    assert noise_of_one(light).slope == pytest.approx(1, rel=0.1)
