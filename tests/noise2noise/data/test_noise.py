"""Noise has the stated mean and variance, by model and level."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs.noise2noise.data.noise import NOISES, Gaussian, Noise, parse_noise
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.errors import InputError
from tests.noise2noise.scenes import cat

SIDE = 128
VALUES = st.sampled_from([0.0, 0.02, 0.3, 0.7, 0.98, 1.0])


def shot(noise: Noise, value: float, seed: int, count: int = 1) -> torch.Tensor:
    """Noisy pixels of a uniform grey, in double precision."""
    clean = torch.full((count, 3, SIDE, SIDE), value)
    return noise(clean, generator_for(seed)).pixels.double()


def assert_law(pixels: torch.Tensor, mean: float, variance: float, samples: int) -> None:
    """The mean and the variance of independent samples, to six of their standard errors."""
    assert float(pixels.mean()) == pytest.approx(mean, abs=6 * (variance / samples) ** 0.5 + 1e-6)
    assert float(pixels.var()) == pytest.approx(variance, rel=0.15, abs=1e-6)


@given(value=VALUES, sigma=st.floats(1, 80), seed=st.integers(0, 99))
def test_gaussian_noise(value: float, sigma: float, seed: int) -> None:
    pixels = shot(Gaussian(sigma, sigma), value, seed)
    assert_law(pixels, value, (sigma / 255) ** 2, pixels.numel())
    # Not clipped: as much of it lies beyond white as of a normal distribution.
    beyond = torch.special.ndtr(torch.tensor((value - 1) * 255 / sigma)).item()
    assert float((pixels > 1).double().mean()) == pytest.approx(beyond, abs=0.02)


@given(value=VALUES, photons=st.floats(2, 80), seed=st.integers(0, 99))
def test_poisson_noise(value: float, photons: float, seed: int) -> None:
    pixels = shot(parse_noise(f"poisson:{photons}"), value, seed)
    assert_law(pixels, value, value / photons, pixels.numel())
    counts = pixels * photons
    assert torch.allclose(counts, counts.round(), atol=1e-4)


@given(value=VALUES, level=st.floats(0, 0.5), seed=st.integers(0, 99))
def test_speckle(value: float, level: float, seed: int) -> None:
    pixels = shot(parse_noise(f"speckle:{level}"), value, seed)
    assert_law(pixels, value, (value * level) ** 2, pixels.numel())


@given(value=VALUES, p=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_bernoulli_noise(value: float, p: float, seed: int) -> None:
    clean = torch.full((1, 3, SIDE, SIDE), value)
    pixels, kept = parse_noise(f"bernoulli:{p}")(clean, generator_for(seed))
    assert kept is not None
    assert kept.shape == (1, 1, SIDE, SIDE)
    assert torch.equal(pixels, clean * kept)
    assert_law(kept.double(), 1 - p, p * (1 - p), kept.numel())


@given(value=VALUES, p=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_impulse_noise(value: float, p: float, seed: int) -> None:
    pixels = shot(parse_noise(f"impulse:{p}"), value, seed)
    hit = (pixels.float() != torch.tensor(value)).any(1)
    assert_law(hit.double(), p, p * (1 - p), hit.numel())
    hits = pixels.permute(1, 0, 2, 3)[:, hit]
    assert_law(hits, 0.5, 1 / 12, hits.numel())
    assert 0 <= float(hits.min()) <= float(hits.max()) < 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.6])
def test_text_covers_its_share_in_single_colours(share: float) -> None:
    clean = cat(96, 96).expand(6, -1, -1, -1)
    pixels = parse_noise(f"text:{share}")(clean, generator_for(1)).pixels
    changed = (pixels != clean).any(1)
    covered = changed.double().mean((1, 2))
    assert bool(((covered >= share - 0.01) & (covered < share + 0.2)).all())
    for picture, places in zip(pixels, changed, strict=True):
        assert len(torch.unique(picture[:, places], dim=1).T) < 200
    if share:
        assert not torch.equal(changed[0], changed[1])


@given(value=VALUES, sigma=st.floats(1, 80), seed=st.integers(0, 99))
def test_correlated_noise(value: float, sigma: float, seed: int) -> None:
    pixels = shot(parse_noise(f"correlated:{sigma}"), value, seed, count=8)
    # What is 8 pixels wide leaves a few hundred independent ones of a picture.
    assert_law(pixels, value, (sigma / 255) ** 2, 8 * 200)


def test_correlated_noise_is_shared_by_neighbours_and_channels_but_not_by_shots() -> None:
    noise = shot(parse_noise("correlated:20"), 0.5, 0, count=40) - 0.5
    neighbours, channels = (
        (a * b).mean((1, 2, 3)) / noise.square().mean((1, 2, 3))
        for a, b in ((noise[..., 1:], noise[..., :-1]), (noise[:, 1:], noise[:, :-1]))
    )
    assert float(neighbours.min()) > 0.05
    assert 0.5 < float(neighbours.median()) < 0.8 < float(neighbours.max())
    assert -0.05 < float(channels.min()) < 0.1 < 0.8 < float(channels.max())
    first, second = (shots.flatten() for shots in (noise[::2], noise[1::2]))
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.02


@pytest.mark.parametrize("name", NOISES)
def test_noise_depends_on_the_generator_alone(name: str) -> None:
    noise, clean = parse_noise(f"{name}:0.5"), cat(20, 20)[None]
    torch.manual_seed(1)
    first = noise(clean, generator_for(3)).pixels
    torch.manual_seed(2)
    assert torch.equal(noise(clean, generator_for(3)).pixels, first)
    assert not torch.equal(noise(clean, generator_for(4)).pixels, first)
    assert torch.equal(clean[0], cat(20, 20))


@pytest.mark.parametrize("name", ["gaussian", "poisson", "bernoulli", "speckle"])
def test_neither_shots_nor_pixels_share_their_noise(name: str) -> None:
    level = "20" if name in ("gaussian", "poisson") else "0.5"
    noise = parse_noise(f"{name}:{level}")
    first, second = (shots.flatten() for shots in (shot(noise, 0.4, 0, count=2)[:, :1] - 0.4))
    bound = 5 / first.numel() ** 0.5
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < bound
    assert abs(float(torch.corrcoef(torch.stack([first[1:], first[:-1]]))[0, 1])) < bound


def test_of_a_range_each_picture_has_its_own_level() -> None:
    deviations = (shot(parse_noise("gaussian:10-50"), 0.5, 0, count=60) - 0.5).std((1, 2, 3)) * 255
    assert 9 < float(deviations.min()) < 15
    assert 45 < float(deviations.max()) < 51
    assert float(deviations.mean()) == pytest.approx(30, abs=5)


def test_each_model_has_the_loss_that_finds_the_clean_picture() -> None:
    losses = {name: kind.loss for name, kind in NOISES.items()}
    assert losses == {
        "gaussian": "l2",
        "correlated": "l2",
        "poisson": "l2",
        "speckle": "l2",
        "bernoulli": "masked",
        "impulse": "l0",
        "text": "l1",
    }


@pytest.mark.parametrize(
    "text", ["gaussian:25", "gaussian:0-50", "bernoulli:0.25-0.75", "speckle:1e-05"]
)
def test_a_model_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_noise(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("white:3", "there is no noise 'white'; expected one of gaussian, correlated, poisson, "),
        ("gaussian", "noise 'gaussian': expected a level, as gaussian:0.5 or gaussian:0.1-0.5"),
        ("gaussian:much", "noise 'gaussian:much': expected a level"),
        ("gaussian:50-25", "gaussian noise: expected a range from low to high, got 50-25"),
        ("gaussian:nan", "noise 'gaussian:nan': expected a level"),
        ("gaussian:-5", "noise 'gaussian:-5': expected a level"),
        ("gaussian:1e400", "gaussian noise: expected a level of at least 0 and finite, got inf"),
        ("bernoulli:1.5", "bernoulli noise: expected a level of at least 0 and at most 1, got 1.5"),
        ("poisson:0", "poisson noise: expected a level above 0, got 0"),
    ],
)
def test_what_is_no_noise(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_noise(text)
    assert str(error.value).startswith(message)
