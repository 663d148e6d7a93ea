"""The paper's U-Net, compared with the same network in PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.rivals.unet import TorchUNet
from engine import compile
from graphs import SGD, GraphBuilder, load_weights, save_weights
from graphs.architectures import UNet
from ops import FeedError, GraphError, SpecError, mse
from tests.graphs.twins import equal_weights
from tests.support import DOUBLE, assert_near, same_bits, values

SIZES = [(3, 2, 3, 3), (2, 1, 1, 4), (4, 3, 2, 1), (1, 4, 1, 1)]
"""channels, depth, in_channels, out_channels"""


@pytest.mark.parametrize("sizes", SIZES)
def test_output_and_gradients(sizes: tuple[int, int, int, int]) -> None:
    ours, theirs = equal_weights(UNet(*sizes, dtype=DOUBLE), TorchUNet(*sizes).to(DOUBLE))
    side = 2 ** sizes[1]
    x = values(2, sizes[2], 2 * side, side)
    image = x.clone().requires_grad_()
    expected, y = theirs(image), ours.forward(x)
    assert_near(y, expected)
    upstream = values(*expected.shape, seed=1)
    expected.backward(upstream)
    slope = ours.backward(upstream)
    assert isinstance(slope, torch.Tensor)
    assert image.grad is not None
    assert_near(slope, image.grad)
    named = ours.named_trainable()
    for name, parameter in theirs.named_parameters():
        assert parameter.grad is not None
        assert_near(named[name].gradient.tensor, parameter.grad, case=name)


def test_one_seed_gives_pytorchs_first_weights() -> None:
    torch.manual_seed(0)
    ours = UNet().state()
    torch.manual_seed(0)
    theirs = TorchUNet().state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert same_bits(ours[name], value), name


def test_channels_are_the_papers() -> None:
    shapes = {name: tuple(value.shape[:2]) for name, value in UNet().state().items()}
    weights = {name.split(".")[0]: s for name, s in shapes.items() if name.endswith("weight")}
    encoder = {"enc_conv0": (48, 3), **{f"enc_conv{i}": (48, 48) for i in range(1, 7)}}
    decoder = {"dec_conv5a": (96, 96), "dec_conv5b": (96, 96)}
    for level in (4, 3, 2):
        decoder |= {f"dec_conv{level}a": (96, 144), f"dec_conv{level}b": (96, 96)}
    last = {"dec_conv1a": (64, 99), "dec_conv1b": (32, 64), "dec_conv1c": (3, 32)}
    assert weights == encoder | decoder | last


def test_a_step_of_training_with_named_dimensions() -> None:
    ours, theirs = equal_weights(UNet(3, 2, dtype=DOUBLE), TorchUNet(3, 2).to(DOUBLE))
    g = GraphBuilder("unet", DOUBLE)
    x, t = g.input("noisy", ("N", 3, "H", "W")), g.input("target", ("N", 3, "H", "W"))
    graph = g.build(loss=mse(ours.build(x), t))
    step = compile(graph, minimize="loss", optimizer=SGD(0.1), N=2, H=8, W=12)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for seed in range(2):
        noisy, target = values(2, 2, 3, 8, 12, seed=seed)
        loss = nn.functional.mse_loss(theirs(noisy), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert_near(step(noisy=noisy, target=target)["loss"], loss)
    for name, value in ours.state().items():
        assert_near(value, theirs.state_dict()[name], case=name)
    with pytest.raises(SpecError, match="shapes equal but for axis 1"):
        compile(graph, minimize="loss", optimizer=SGD(0.1), N=2, H=9, W=12)


def test_weights_make_the_round_trip(tmp_path: Path) -> None:
    ours, other = UNet(3, 2), UNet(3, 2)
    save_weights(ours, tmp_path / "weights.safetensors")
    load_weights(other, tmp_path / "weights.safetensors")
    for name, value in ours.state().items():
        assert same_bits(other.state()[name], value)
    with pytest.raises(GraphError, match=r"unknown .*dec_conv2a\.weight"):
        load_weights(UNet(3, 1), tmp_path / "weights.safetensors")
    with pytest.raises(FeedError, match=r"enc_conv0\.weight"):
        load_weights(UNet(4, 2), tmp_path / "weights.safetensors")


@pytest.mark.parametrize("name", ["channels", "depth", "in_channels", "out_channels"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True])
def test_sizes_are_checked(name: str, value: object) -> None:
    with pytest.raises(SpecError, match=f"UNet: expected {name} of at least 1, got {value!r}"):
        UNet(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(1, 3, 6, 8), (1, 3, 8, 10), (3, 8, 8)])
def test_sides_must_be_divisible(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match=r"depth 2: expected .* divisible by 4, got float32\["):
        UNet(3, 2).forward(torch.zeros(shape))


def test_the_number_of_channels_is_checked() -> None:
    with pytest.raises(SpecError, match="conv2d: expected"):
        UNet(3, 2).forward(torch.zeros(1, 4, 8, 8))
