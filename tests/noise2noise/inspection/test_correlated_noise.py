"""The strength of noise that neighbouring pixels share, told from one picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from graphs.noise2noise.data.correlated import correlated_normal
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.inspection.correlated_noise import correlated_noise, smoothed_noise
from graphs.noise2noise.inspection.even_noise import even_noise
from graphs.noise2noise.inspection.single import noise_of_one
from tests.noise2noise.inspection.made import photograph
from tests.noise2noise.scenes import cat, noisy


def noise(seed: int, sigma: float = 10, side: int = 256, channels: int = 3) -> np.ndarray:
    like = torch.zeros(1, channels, side, side)
    return sigma * correlated_normal(like, generator_for(seed))[0].numpy()


@pytest.mark.parametrize("seed", range(4))
def test_on_a_plain_picture(seed: int) -> None:
    found = correlated_noise(120 + noise(seed), None)
    assert found is not None
    assert found.sigma == pytest.approx(10, rel=0.15)
    assert (found.is_white, found.is_sure) == (False, True)


def test_of_white_noise() -> None:
    found = correlated_noise(np.random.default_rng(0).normal(100, 8, (1, 256, 256)), None)
    assert found is not None
    assert found.sigma == pytest.approx(8, rel=0.15)


@pytest.mark.parametrize(("sigma", "is_sure"), [(0, False), (2, False), (20, True)])
def test_texture_is_no_noise_for_sure(sigma: float, is_sure: bool) -> None:
    shot = photograph(192, 192) + noise(1, sigma, side=192)
    found = noise_of_one(shot.round().clip(0, 255))
    assert found.is_correlated
    assert found.even is not None
    assert found.even.is_sure == is_sure
    if is_sure:
        assert found.even.sigma == pytest.approx(sigma, rel=0.3)


def test_white_noise_beside_texture_is_not_shared_for_sure() -> None:
    found = noise_of_one((255 * noisy(cat(), sigma=5)[:1]).round().numpy())
    assert found.is_correlated
    assert found.even is not None
    assert not found.even.is_sure


def as_jpeg(shot: np.ndarray, quality: int = 90) -> np.ndarray:
    file = io.BytesIO()
    pixels = shot.round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).transpose(2, 0, 1).astype(np.float64)


def test_white_noise_that_a_jpeg_file_has_smoothed() -> None:
    scene = photograph(256, 256)
    white = np.random.default_rng(0).normal(0, 25, scene.shape)
    found = noise_of_one(as_jpeg(scene + white))
    assert even_noise(as_jpeg(scene + white), None) is None  # or this would show nothing
    assert found.even is not None
    assert (found.even.is_white, found.even.is_sure) == (True, True)
    assert found.even.sigma == pytest.approx(25, rel=0.2)


def test_a_jpeg_file_without_noise_is_not_noisy_for_sure() -> None:
    found = noise_of_one(as_jpeg(photograph(256, 256)))
    assert found.even is None or not found.even.is_sure


def test_pixels_far_out_are_no_smoothed_noise() -> None:
    shot = 120 + 3 * np.random.default_rng(0).normal(size=(3, 128, 128))
    far_out = np.random.default_rng(1).random(shot.shape) < 0.1
    shot[far_out] = np.random.default_rng(2).uniform(0, 255, far_out.sum())
    assert smoothed_noise(shot, None) is None
    assert correlated_noise(shot, None) is not None


def test_what_is_cut_off_does_not_count() -> None:
    scene = np.tile(np.linspace(-60, 180, 256), (3, 256, 1))
    found = correlated_noise((scene + noise(2)).clip(0, 150), None)
    assert found is not None
    assert found.sigma == pytest.approx(10, rel=0.2)


def test_photons_whose_light_has_been_smeared() -> None:
    counts = np.random.default_rng(0).poisson(np.tile(np.linspace(20, 400, 257), (1, 257, 1)))
    smeared = (
        counts[:, 1:, 1:] + counts[:, :-1, 1:] + counts[:, 1:, :-1] + counts[:, :-1, :-1]
    ) / 4
    found = noise_of_one(3.0 * smeared)
    assert (found.rises, found.is_correlated) == (True, True)
    assert found.even is not None
    assert found.even.sigma == pytest.approx(0.5 * np.sqrt(3) / 2, rel=0.15)


def test_where_it_is_not_told() -> None:
    made = 120 + noise(0)
    assert correlated_noise(np.full((3, 64, 64), 9.0), None) is None
    assert correlated_noise(made[:, :24, :24], None) is None
    assert correlated_noise(made * np.array([1, 1, 3])[:, None, None], None) is None
