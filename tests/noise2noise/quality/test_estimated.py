"""The error estimated from noisy pictures alone, against the error measured with clean ones."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import ndimage
from skimage.restoration import denoise_tv_chambolle

from graphs.noise2noise.quality.estimated import (
    HeldOutPair,
    estimate_quality,
)
from graphs.noise2noise.quality.metrics import psnr
from tests.noise2noise.scenes import cat


def normal(shape: torch.Size, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blur(picture: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(ndimage.gaussian_filter(picture.numpy(), (0, 1, 1)))


def smoothed(picture: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(denoise_tv_chambolle(picture.numpy(), weight=0.15, channel_axis=0))


DENOISERS = {
    "none": lambda picture: picture,
    "blur": blur,
    "total variation": smoothed,
    "black": torch.zeros_like,
}


def held_out(first: torch.Tensor, second: torch.Tensor, denoiser: str) -> HeldOutPair:
    denoise = DENOISERS[denoiser]
    return HeldOutPair(first, second, denoise(first), denoise(second))


def true_psnr(pair: HeldOutPair, clean: torch.Tensor) -> float:
    """Of the mean error of the two results."""
    errors = [(result - clean).double().square().mean() for result in pair[2:]]
    return float(-10 * torch.stack(errors).mean().log10())


@pytest.mark.parametrize("denoiser", DENOISERS)
@pytest.mark.parametrize(
    ("first_sigma", "second_sigma"), [(25, 25), (10, 40), (40, 5)], ids=["equal", "low", "high"]
)
def test_it_agrees_with_the_truth(denoiser: str, first_sigma: int, second_sigma: int) -> None:
    clean = cat(200, 300)
    first = clean + normal(clean.shape, 1) * (first_sigma / 255)
    second = clean + normal(clean.shape, 2) * (second_sigma / 255)
    pair = held_out(first, second, denoiser)
    estimate = estimate_quality([pair])
    truth = true_psnr(pair, clean)
    assert estimate.low <= truth <= estimate.high
    assert estimate.psnr == pytest.approx(truth, abs=0.25)
    assert estimate.high - estimate.low < 1.2


def test_noise_that_depends_on_the_brightness() -> None:
    clean = cat(200, 300)
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.poisson(clean * scale, generator) / scale for scale in (20, 60))
    pair = held_out(first, second, "blur")
    assert estimate_quality([pair]).psnr == pytest.approx(true_psnr(pair, clean), abs=0.25)


def test_noise_correlated_between_neighbours_costs_certainty_but_not_truth() -> None:
    clean = cat(200, 300)
    result = clean + 0.05

    def interval(*noises: torch.Tensor) -> tuple[float, float]:
        shots = [clean + noise / noise.std() * (25 / 255) for noise in noises]
        estimate = estimate_quality([HeldOutPair(shots[0], shots[1], result, result)])
        return estimate.low, estimate.high

    noises = normal(clean.shape, 1), normal(clean.shape, 2)
    white, correlated = interval(*noises), interval(*map(blur, noises))
    for low, high in (white, correlated):
        assert low <= psnr(result, clean) <= high
    assert correlated[1] - correlated[0] > 2 * (white[1] - white[0])


@pytest.mark.parametrize(("denoiser", "share"), [("none", -1), ("perfect", 1)])
def test_noise_shared_by_the_shots_biases_it_as_derived(denoiser: str, share: int) -> None:
    clean = cat(200, 300)
    sigma, correlation = 25 / 255, 0.4
    shared = normal(clean.shape, 3) * (sigma * correlation**0.5)
    first, second = (
        clean + shared + normal(clean.shape, seed) * (sigma * (1 - correlation) ** 0.5)
        for seed in (1, 2)
    )
    results = (clean, clean) if denoiser == "perfect" else (first, second)
    pair = HeldOutPair(first, second, *results)
    truth = sum(float((result - clean).square().mean()) for result in results) / 2
    bias = estimate_quality([pair]).error - truth
    assert bias == pytest.approx(share * correlation * sigma**2, rel=0.05)


@pytest.mark.parametrize("denoiser", ["blur", "constant error"])
@pytest.mark.parametrize("sigmas", [(20, 20), (10, 40)])
def test_the_interval_holds_the_truth_as_often_as_it_says(
    denoiser: str, sigmas: tuple[int, int]
) -> None:
    clean = cat(64, 64)
    held, rounds = 0, 100
    for seed in range(rounds):
        first, second = (
            clean + normal(clean.shape, 2 * seed + i) * (sigma / 255)
            for i, sigma in enumerate(sigmas)
        )
        results = (blur(first), blur(second)) if denoiser == "blur" else (clean + 0.05,) * 2
        pair = HeldOutPair(first, second, *results)
        estimate = estimate_quality([pair], resamples=200, level=0.9)
        held += estimate.low <= true_psnr(pair, clean) <= estimate.high
    # An error that differs from place to place makes it wider, as another picture would.
    assert held >= 0.82 * rounds
    assert denoiser == "blur" or held <= 0.97 * rounds


def test_of_several_pictures_it_is_the_mean_of_their_ratios() -> None:
    scenes = [cat(96, 128), cat(64, 64), 0.2 * cat(80, 100)]
    pairs = []
    for i, clean in enumerate(scenes):
        first, second = (clean + normal(clean.shape, 2 * i + j) * 0.08 for j in (0, 1))
        pairs.append(held_out(first, second, "blur"))
    truth = sum(true_psnr(p, c) for p, c in zip(pairs, scenes, strict=True)) / len(pairs)
    estimate = estimate_quality(pairs)
    assert estimate.psnr == pytest.approx(truth, abs=0.3)
    assert estimate.low <= truth <= estimate.high
    singles = [estimate_quality([pair]).psnr for pair in pairs]
    assert estimate.psnr == pytest.approx(sum(singles) / len(singles))


def test_the_peak_is_the_value_of_white() -> None:
    clean = cat(64, 64)
    pair = held_out(*(clean + normal(clean.shape, seed) * 0.1 for seed in (1, 2)), "blur")
    scaled = HeldOutPair(*(255 * picture for picture in pair))
    ours, theirs = estimate_quality([pair]), estimate_quality([scaled], peak=255)
    assert theirs.psnr == pytest.approx(ours.psnr)
    assert (theirs.low, theirs.high) == pytest.approx((ours.low, ours.high))


def test_an_error_too_small_to_see_is_not_taken_for_none() -> None:
    clean = torch.full((1, 64, 64), 0.5)
    first, second = (clean + normal(clean.shape, seed) * 0.2 for seed in (5, 6))
    estimate = estimate_quality([HeldOutPair(first, second, clean, clean)])
    assert math.isfinite(estimate.psnr)
    assert math.isfinite(estimate.high)
    assert estimate.low <= estimate.psnr <= estimate.high


@pytest.mark.parametrize("size", [(16, 16), (5, 7), (1, 1), (17, 200)])
def test_any_size(size: tuple[int, int]) -> None:
    clean = torch.full((3, *size), 0.5)
    first, second = (clean + normal(clean.shape, seed) * 0.2 for seed in (5, 6))
    estimate = estimate_quality([HeldOutPair(first, second, first, second)])
    assert estimate.low <= estimate.psnr <= estimate.high
    if size == (17, 200):
        mean_square = float((first - clean).square().mean() + (second - clean).square().mean()) / 2
        assert estimate.psnr == pytest.approx(-10 * math.log10(mean_square), abs=1)


def test_the_same_seed_gives_the_same_interval() -> None:
    clean = cat(64, 64)
    pair = held_out(*(clean + normal(clean.shape, seed) * 0.1 for seed in (1, 2)), "blur")
    assert estimate_quality([pair], seed=3) == estimate_quality([pair], seed=3)
    assert estimate_quality([pair], seed=3) != estimate_quality([pair], seed=4)
    assert psnr(pair.first_restored, clean) > psnr(pair.first, clean)
