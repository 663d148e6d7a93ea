"""Shots made of clean pictures, and of single noisy ones."""

from __future__ import annotations

import torch

from graphs.noise2noise.data.noise import parse_noise
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import (
    Brightened,
    NeighbourShots,
    RepeatedShots,
    SyntheticShots,
)
from tests.noise2noise.scenes import cat

SIZE = 8


def places(height: int, width: int) -> torch.Tensor:
    """A picture in which each pixel encodes its row and column."""
    rows, columns = torch.meshgrid(
        torch.arange(height).float(), torch.arange(width).float(), indexing="ij"
    )
    return torch.stack([rows, columns])


def test_synthetic_shots_differ_by_noise_alone() -> None:
    pictures = [torch.full((3, 40, 50), 0.5)]
    batch = SyntheticShots(pictures, parse_noise("gaussian:25"), 32).batch(30, generator_for(0))
    noise = torch.stack([batch["noisy"], batch["target"]]) - 0.5
    assert abs(float(noise.std() * 255) - 25) < 0.5
    both = torch.corrcoef(noise.reshape(2, -1))
    assert abs(float(both[0, 1])) < 0.02


def test_each_batch_has_new_noise() -> None:
    source = SyntheticShots([cat(8, 8)], parse_noise("gaussian:25"), SIZE)
    first, second = (source.batch(1, generator_for(0, step))["noisy"] for step in (0, 1))
    assert not torch.equal(first, second)


def test_clean_targets_are_the_pictures_themselves() -> None:
    source = SyntheticShots([cat(8, 8)], parse_noise("gaussian:25"), SIZE, "clean")
    target = source.batch(1, generator_for(0))["target"]
    eight = [turned for flipped in (cat(8, 8), cat(8, 8).flip(1)) for turned in _turns(flipped)]
    assert any(torch.equal(target[0], picture) for picture in eight)


def _turns(picture: torch.Tensor) -> list[torch.Tensor]:
    return [torch.rot90(picture, k, (1, 2)) for k in range(4)]


def test_a_mask_comes_with_noise_that_deletes_pixels() -> None:
    source = SyntheticShots([torch.ones(3, 16, 16)], parse_noise("bernoulli:0.5"), SIZE)
    batch = source.batch(4, generator_for(0))
    assert torch.equal(batch["mask"].expand(-1, 3, -1, -1), batch["target"])
    assert not torch.equal(batch["noisy"], batch["target"])
    assert "mask" not in SyntheticShots(
        [torch.ones(3, 16, 16)], parse_noise("bernoulli:0.5"), SIZE, "clean"
    ).batch(4, generator_for(0))


def test_every_second_example_is_brighter_or_darker() -> None:
    source = SyntheticShots([torch.ones(3, 16, 16)], parse_noise("bernoulli:0.5"), SIZE)
    plain = source.batch(400, generator_for(0))
    batch = Brightened(source, 2.0).batch(400, generator_for(0))
    assert torch.equal(batch["mask"], plain["mask"])
    factors = (batch["noisy"] / plain["noisy"]).flatten(1).nanmean(1)
    for name in ("noisy", "target"):
        assert torch.allclose(batch[name], plain[name] * factors.view(-1, 1, 1, 1))
    changed = factors[(factors - 1).abs() > 1e-4]
    assert 150 < len(changed) < 250
    assert 0.5 <= changed.min() < 0.55 < 1.8 < changed.max() <= 2
    assert abs(float(changed.log().mean())) < 0.1
    same = Brightened(source, 1.0).batch(400, generator_for(0))
    assert all(torch.equal(same[name], plain[name]) for name in plain)


def test_a_gain_is_a_factor_of_what_rescaled_pictures_stand_for() -> None:
    offset, scale = 0.3, 0.05
    shots = torch.rand((2, 3, 16, 16), generator=generator_for(1))
    source = RepeatedShots([shots], SIZE)
    plain = source.batch(40, generator_for(0))["noisy"] * scale + offset
    batch = Brightened(source, 2.0, -offset / scale).batch(40, generator_for(0))
    factors = (batch["noisy"] * scale + offset) / plain
    assert torch.allclose(factors, factors.mean((1, 2, 3), keepdim=True), rtol=1e-4)
    assert factors.max() > 1.8


def test_of_single_pictures_the_choice_of_pixels_stays() -> None:
    source = NeighbourShots([torch.ones(3, 40, 40)], SIZE)
    plain = source.batch(40, generator_for(0))
    batch = Brightened(source, 2.0).batch(40, generator_for(0))
    assert torch.equal(batch["first"], plain["first"])
    assert torch.equal(batch["second"], plain["second"])
    assert not torch.equal(batch["whole"], plain["whole"])


def test_thinned_out_pixels_are_neighbours_of_each_other() -> None:
    batch = NeighbourShots([places(30, 40)], SIZE).batch(200, generator_for(0))
    whole, first, second = batch["whole"], batch["first"], batch["second"]
    assert whole.shape == (200, 2, 2 * SIZE, 2 * SIZE)
    assert first.shape == second.shape == (200, 1, SIZE, 2, SIZE, 2)
    blocks = whole.reshape(200, 2, SIZE, 2, SIZE, 2)
    thinned = [(blocks * chosen).sum((3, 5)) for chosen in (first, second)]
    for chosen in (first, second):
        assert torch.equal(chosen.sum((3, 5)), torch.ones(200, 1, SIZE, SIZE))
    distance = (thinned[0] - thinned[1]).abs().sum(1)
    assert torch.equal(distance, torch.ones_like(distance))
    # Each of the eight ordered pairs of neighbours comes up as often as the others.
    blocks = torch.stack([first, second]).permute(0, 1, 2, 3, 5, 4, 6).reshape(2, -1, 4)
    _, counts = torch.unique(blocks.argmax(2), dim=1, return_counts=True)
    assert len(counts) == 8
    assert float(counts.max()) < 1.15 * float(counts.min())
