"""The course's wrapper: pictures from 0 to 255 in, pictures from 0 to 255 out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphs import MSE, SGD, Model, Sequential, Sigmoid
from graphs.architectures import report_network
from ops import FeedError, GraphError
from tests.graphs.test_training import twin_of_the_report
from tests.graphs.twins import equal_weights
from tests.support import assert_near, values


def pictures(*shape: int, seed: int = 0) -> torch.Tensor:
    return (values(*shape, seed=seed).float() * 40 + 128).clamp(0, 255)


def smooth(n: int, side: int) -> torch.Tensor:
    """Pictures with something to restore."""
    coarse = values(n, 3, 2, 2, seed=5).float() * 60 + 128
    return nn.functional.interpolate(coarse, size=side, mode="bilinear").clamp(30, 225)


@pytest.mark.parametrize("size", [(32, 32), (4, 4), (5, 7), (1, 1), (33, 62), (512, 512)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_any_size_in_and_the_same_out(size: tuple[int, int], dtype: torch.dtype) -> None:
    x = pictures(2 if size[0] < 100 else 1, 3, *size).to(dtype)
    kept = x.clone()
    y = Model().predict(x)
    assert y.shape == x.shape
    assert y.dtype == dtype
    assert 0 <= float(y.min()) <= float(y.max()) <= 255
    assert torch.equal(x, kept)


def test_predictions_are_the_networks() -> None:
    net, twin = equal_weights(report_network(4), twin_of_the_report(4))
    assert isinstance(net, Sequential)
    model = Model(net)
    x = pictures(3, 3, 16, 12)
    assert_near(model.predict(x), twin(x / 255) * 255, scale=10)
    as_bytes = model.predict(x.to(torch.uint8))
    expected = (twin(x.to(torch.uint8) / 255) * 255).round().to(torch.uint8)
    assert int((as_bytes.int() - expected.int()).abs().max()) <= 1


def test_sides_that_are_not_divisible_change_nothing_far_from_the_border() -> None:
    model = Model()
    x = pictures(1, 3, 64, 64)
    whole, cut = model.predict(x), model.predict(x[:, :, :63, :61])
    assert_near(cut[:, :, :40, :40], whole[:, :, :40, :40], scale=10)


def test_many_pictures_at_once_are_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    x = pictures(5, 3, 16, 16)
    together = model.predict(x)
    monkeypatch.setattr("graphs.model.PIXELS_AT_ONCE", 2 * 16 * 16)
    assert_near(model.predict(x), together)
    assert model.predict(x[:0]).shape == (0, 3, 16, 16)


def test_training_is_what_an_identically_trained_twin_does() -> None:
    model = Model()
    model.batch_size = 4
    twin = twin_of_the_report(32)
    twin.load_state_dict(model.network.state())
    noisy, target = pictures(10, 3, 8, 8), pictures(10, 3, 8, 8, seed=1)
    torch.manual_seed(1)
    losses = model.train(noisy, target, num_epochs=3)

    optimizer = torch.optim.Adam(twin.parameters(), 1e-3)
    torch.manual_seed(1)
    expected = []
    for _ in range(3):
        total = 0.0
        for chosen in torch.randperm(10).split(4):
            loss = nn.functional.mse_loss(twin(noisy[chosen] / 255), target[chosen] / 255)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
        expected.append(total / 10)
    assert losses == pytest.approx(expected, rel=1e-3)
    assert losses[-1] < losses[0]


def test_it_learns_to_denoise_from_noisy_pictures_alone() -> None:
    torch.manual_seed(0)
    clean = smooth(64, 16)
    first, second = (clean + 25 * values(64, 3, 16, 16, seed=s).float() for s in (1, 2))
    model = Model(report_network(8))
    model.batch_size = 16
    model.optimizer.lr = 5e-3
    model.train(first, second, num_epochs=60)
    before = float(MSE().forward(first, clean))
    after = float(MSE().forward(model.predict(first), clean))
    assert after < before / 2


@pytest.mark.parametrize("level", [0.03, 0.97])
def test_very_dark_and_very_bright_pictures_do_not_end_in_black_or_white(level: float) -> None:
    torch.manual_seed(0)
    picture = (smooth(64, 16) - 128) / 20 + level * 255
    first, second = (picture + values(64, 3, 16, 16, seed=s).float() for s in (1, 2))
    model = Model(report_network(8))
    model.batch_size = 16
    model.train(first, second, num_epochs=60)
    means = [float(images.mean()) for images in (model.predict(first), picture)]
    assert means[0] == pytest.approx(means[1], abs=0.5)


def test_a_trained_model_goes_on_from_where_it_is() -> None:
    dark = torch.full((8, 3, 8, 8), 4.0)
    model = Model(report_network(4))
    model.train(dark, dark, num_epochs=30)
    before = model.network.state()
    model.train(dark, dark, num_epochs=0)
    assert all(torch.equal(before[name], value) for name, value in model.network.state().items())


def test_the_weights_that_come_with_it_denoise() -> None:
    model = Model()
    model.load_pretrained_model()
    clean = smooth(4, 32)
    noisy = (clean + 25 * values(4, 3, 32, 32, seed=3).float()).clamp(0, 255)
    before = float(MSE().forward(noisy, clean))
    after = float(MSE().forward(model.predict(noisy), clean))
    assert after < before / 3


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 8, 8), r"expected images \[N, 3, H, W\], uint8 or float"),
        (torch.zeros(1, 1, 8, 8), r"got torch.float32 \[1, 1, 8, 8\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "got torch.int64"),
        (torch.zeros(1, 3, 0, 8), "expected images"),
        ([1.0], "expected a tensor, got list"),
    ],
)
def test_what_is_no_picture(images: torch.Tensor, message: str) -> None:
    with pytest.raises(FeedError, match=f"test_input: .*{message}"):
        Model().predict(images)
    with pytest.raises(FeedError, match=f"train_input: .*{message}"):
        Model().train(images, images, 1)


def test_pairs_that_do_not_fit() -> None:
    model = Model()
    with pytest.raises(FeedError, match="as many targets as inputs"):
        model.train(torch.zeros(2, 3, 8, 8), torch.zeros(3, 3, 8, 8), 1)
    with pytest.raises(FeedError, match="sides divisible by 4"):
        model.train(torch.zeros(2, 3, 8, 6), torch.zeros(2, 3, 8, 6), 1)
    before = model.network.state()
    with pytest.raises(FeedError, match="expected at least one pair"):
        model.train(torch.zeros(0, 3, 8, 8), torch.zeros(0, 3, 8, 8), 2)
    assert all(torch.equal(before[name], value) for name, value in model.network.state().items())


def test_a_new_network_or_optimizer_is_the_one_that_is_used() -> None:
    torch.manual_seed(0)
    model, pictures = Model(report_network(4)), 255 * torch.rand(2, 3, 8, 8)
    model.train(pictures, pictures, 1)
    before = model.network.state()
    model.optimizer = SGD(lr=1e-30)
    model.train(pictures, pictures, 1)
    assert all(torch.equal(before[name], value) for name, value in model.network.state().items())
    former = model.predict(pictures)
    model.network = report_network(8)
    expected = 255 * model.network.forward(pictures / 255)
    assert_near(model.predict(pictures), expected, scale=10)
    assert not torch.equal(model.predict(pictures), former)


def test_counts_are_checked() -> None:
    model, pictures = Model(report_network(4)), torch.zeros(2, 3, 8, 8)
    with pytest.raises(GraphError, match="num_epochs: expected a number of at least 0, got -1"):
        model.train(pictures, pictures, -1)
    model.batch_size = 0
    with pytest.raises(GraphError, match="batch_size: expected a number of at least 1, got 0"):
        model.train(pictures, pictures, 1)


def test_an_edited_network_is_followed() -> None:
    model, pictures = Model(report_network(4)), 255 * torch.rand(1, 3, 8, 8)
    model.predict(pictures)
    model.network.add_modules(Sigmoid())
    expected = 255 * model.network.forward(pictures / 255)
    assert_near(model.predict(pictures), expected, scale=10)
