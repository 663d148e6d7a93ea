"""The course's wrapper: images from 0 to 255 in and out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from graphs import Conv2d, Model, Sequential
from graphs.architectures import report_network
from ops import FeedError
from tests.noise2noise.scenes import cat, noisy


def pretrained() -> Model:
    model = Model()
    model.load_pretrained_model()
    return model


def images(count: int = 2, height: int = 16, width: int = 20) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def psnr_of_bytes(image: torch.Tensor, clean: torch.Tensor) -> float:
    return float(20 * torch.log10(255 / (image - clean).square().mean().sqrt()))


@pytest.mark.parametrize("size", [(512, 512), (1, 1), (30, 45), (5, 3), (64, 2)])
def test_any_size(size: tuple[int, int]) -> None:
    clean = Model().predict(images(1, *size))
    assert clean.shape == (1, 3, *size)
    assert clean.dtype == torch.uint8


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.float16])
def test_results_are_of_the_dtype_given(dtype: torch.dtype) -> None:
    given = images().to(dtype)
    kept = given.clone()
    clean = pretrained().predict(given)
    assert clean.dtype == dtype
    assert torch.equal(given, kept)
    exact = pretrained().predict(images().float())
    near = 0.5 if dtype == torch.uint8 else 0.1
    torch.testing.assert_close(clean.float(), exact, atol=near + 1e-3, rtol=0)


def test_results_are_clamped() -> None:
    model = Model(Sequential(Conv2d(3, 3, 1)))  # no sigmoid bounds what this one says
    state = model.network.state()
    for bias, level in ((3.0, 255), (-3.0, 0)):
        state["0.bias"] = torch.full((3,), bias)
        model.network.load_state(state)
        for given in (images(), images().float()):
            assert model.predict(given).unique().tolist() == [level]


def test_the_weights_that_come_along_denoise() -> None:
    clean = cat()[None] * 255
    shot = noisy(cat())[None] * 255
    before, after = (psnr_of_bytes(x, clean) for x in (shot, pretrained().predict(shot)))
    assert after > before + 4
    rounded = pretrained().predict(shot.to(torch.uint8)).float()
    assert psnr_of_bytes(rounded, clean) == pytest.approx(after, abs=0.1)


def test_loading_does_not_depend_on_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert torch.equal(pretrained().predict(images()), pretrained().predict(images()))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_training_learns(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    clean = torch.stack([cat()[:, :, i : i + 32] for i in range(0, 96, 4)])[:, :, :32]
    shots = [
        torch.stack([noisy(piece, seed=i + k) for i, piece in enumerate(clean)]) * 255
        for k in (0, 100)
    ]
    model = Model()
    model.batch_size = 8
    model.optimizer.lr = 3e-3
    losses = model.train(*(shot.to(dtype) for shot in shots), num_epochs=15)
    assert len(losses) == 15
    assert losses[-1] < losses[0] / 2
    assert model.train(*shots, num_epochs=0) == []


def test_a_last_batch_may_be_smaller() -> None:
    model = Model(report_network(4))
    model.batch_size = 4
    (loss,) = model.train(images(6), images(6), num_epochs=1)
    assert 0 < loss < 1


def test_batches_of_any_number() -> None:
    model = pretrained()
    given = images(5)
    together = model.predict(given.float())
    torch.testing.assert_close(together, torch.cat([model.predict(x.float()[None]) for x in given]))
    assert model.predict(given[:0]).shape == (0, 3, 16, 20)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(3, 8, 8), "test_input: expected images .* got torch.float32"),
        (torch.zeros(1, 1, 8, 8), "test_input: expected images"),
        (torch.zeros(1, 3, 0, 8), "test_input: expected images"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "uint8 or float, got torch.int64"),
        ([[0.0]], "test_input: expected a tensor, got list"),
    ],
)
def test_what_cannot_be_predicted(given: object, message: str) -> None:
    with pytest.raises(FeedError, match=message):
        Model().predict(given)  # type: ignore[arg-type]


def test_what_cannot_be_trained_on() -> None:
    model = Model()
    with pytest.raises(FeedError, match="train_input: expected images"):
        model.train(images()[0], images(), 1)
    with pytest.raises(FeedError, match="train_target: expected images"):
        model.train(images(), images()[:, :1], 1)
    with pytest.raises(FeedError, match="as many targets as inputs"):
        model.train(images(2), images(3), 1)
    with pytest.raises(FeedError, match="train_input: expected sides divisible by 4"):
        model.train(images(2, 6, 8), images(2, 6, 8), 1)
