"""Measures against their definitions and scikit-image's, and the classical baselines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from graphs.noise2noise.quality.baselines import BASELINES
from graphs.noise2noise.quality.metrics import psnr, quality, ssim
from tests.noise2noise.scenes import cat, noisy


def test_psnr_is_its_definition() -> None:
    clean = torch.full((3, 5, 7), 0.5)
    assert psnr(clean + 0.1, clean) == pytest.approx(20, abs=1e-4)
    assert psnr(clean - 0.01, clean) == pytest.approx(40, abs=1e-3)
    shot = noisy(cat())
    squared = (shot.double() - cat().double()).square().mean()
    assert psnr(shot, cat()) == pytest.approx(10 * math.log10(1 / float(squared)), abs=1e-6)
    assert psnr(shot, cat()) == pytest.approx(
        peak_signal_noise_ratio(cat().numpy(), shot.numpy(), data_range=1), abs=1e-4
    )


def test_psnr_of_several_is_the_mean_of_their_ratios() -> None:
    clean = torch.zeros(2, 3, 4, 4)
    errors = torch.tensor([0.1, 0.001])[:, None, None, None]
    assert psnr(clean + errors, clean) == pytest.approx((20 + 60) / 2, abs=1e-4)


def test_identical_pictures() -> None:
    assert quality(cat(), cat()) == (math.inf, pytest.approx(1))


def test_ssim_is_scikit_images() -> None:
    shot, clean = noisy(cat()), cat()
    options = {"data_range": 1.0, "gaussian_weights": True, "use_sample_covariance": False}
    channels = [
        structural_similarity(a.astype(np.float64), b.astype(np.float64), sigma=1.5, **options)
        for a, b in zip(shot.numpy(), clean.numpy(), strict=True)
    ]
    assert ssim(shot, clean) == pytest.approx(np.mean(channels), abs=1e-4)
    assert quality(shot, clean) == (psnr(shot, clean), ssim(shot, clean))
    assert 0 < ssim(noisy(clean, sigma=50), clean) < ssim(shot, clean) < 1


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_clean_and_leave_their_input_alone(name: str) -> None:
    shot = noisy(cat())
    kept = shot.clone()
    cleaned = BASELINES[name](shot, 25.0)
    assert torch.equal(shot, kept)
    assert cleaned.shape == shot.shape
    assert cleaned.dtype == shot.dtype
    assert psnr(cleaned, cat()) > psnr(shot, cat()) + 4


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_go_by_the_noise_level(name: str) -> None:
    shot = noisy(cat(), sigma=10)
    right, wrong = (psnr(BASELINES[name](shot, sigma), cat()) for sigma in (10.0, 60.0))
    assert right > max(wrong, psnr(shot, cat())) + 1
