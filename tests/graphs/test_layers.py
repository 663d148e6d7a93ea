"""Each module by itself, compared with its counterpart in torch.nn."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import pytest
import torch
from torch import nn

from graphs import (
    MSE,
    Conv2d,
    LeakyReLU,
    MaxPool2d,
    Module,
    NearestUpsampling,
    ReLU,
    Sigmoid,
    Tanh,
    TransposeConv2d,
    Upsampling,
)
from ops import FeedError, SpecError
from tests.graphs.twins import Twins, equal_weights
from tests.support import DOUBLE, assert_near, line_number, same_bits, values

KINDS: dict[str, Callable[[torch.dtype], Twins]] = {
    "Conv2d": lambda t: (Conv2d(4, 6, 3, dtype=t), nn.Conv2d(4, 6, 3, dtype=t)),
    "Conv2d, all arguments": lambda t: (
        Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2, False, dtype=t),
        nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2, False, dtype=t),
    ),
    "Conv2d, same": lambda t: (
        Conv2d(4, 2, (4, 3), padding="same", dilation=2, dtype=t),
        nn.Conv2d(4, 2, (4, 3), padding="same", dilation=2, dtype=t),
    ),
    "Conv2d, valid": lambda t: (
        Conv2d(4, 2, 3, 2, "valid", dtype=t),
        nn.Conv2d(4, 2, 3, 2, "valid", dtype=t),
    ),
    "Conv2d, depthwise": lambda t: (
        Conv2d(4, 8, 3, padding=1, groups=4, dtype=t),
        nn.Conv2d(4, 8, 3, padding=1, groups=4, dtype=t),
    ),
    "TransposeConv2d": lambda t: (
        TransposeConv2d(4, 3, 3, dtype=t),
        nn.ConvTranspose2d(4, 3, 3, dtype=t),
    ),
    "TransposeConv2d, all arguments": lambda t: (
        TransposeConv2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, False, (1, 2), dtype=t),
        nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, False, (1, 2), dtype=t),
    ),
    "Upsampling": lambda t: (
        Upsampling(4, 2, 3, padding=1, dtype=t),
        nn.Sequential(nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(4, 2, 3, 1, 1, dtype=t)),
    ),
    "Upsampling by 3, strided": lambda t: (
        Upsampling(4, 2, 3, 2, 1, scale_factor=3, bias=False, dtype=t),
        nn.Sequential(
            nn.UpsamplingNearest2d(scale_factor=3), nn.Conv2d(4, 2, 3, 2, 1, bias=False, dtype=t)
        ),
    ),
    "NearestUpsampling": lambda t: (
        NearestUpsampling((2, 3)),
        nn.UpsamplingNearest2d(scale_factor=(2, 3)),
    ),
    "MaxPool2d": lambda t: (MaxPool2d(2), nn.MaxPool2d(2)),
    "MaxPool2d, all arguments": lambda t: (
        MaxPool2d((3, 2), (2, 3), 1, (1, 2), ceil_mode=True),
        nn.MaxPool2d((3, 2), (2, 3), 1, (1, 2), ceil_mode=True),
    ),
    "ReLU": lambda t: (ReLU(), nn.ReLU()),
    "LeakyReLU": lambda t: (LeakyReLU(), nn.LeakyReLU()),
    "LeakyReLU, steep": lambda t: (LeakyReLU(1.7), nn.LeakyReLU(1.7)),
    "LeakyReLU, down": lambda t: (LeakyReLU(-0.3), nn.LeakyReLU(-0.3)),
    "Sigmoid": lambda t: (Sigmoid(), nn.Sigmoid()),
    "Tanh": lambda t: (Tanh(), nn.Tanh()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_output_and_gradients(kind: str, dtype: torch.dtype) -> None:
    ours, theirs = equal_weights(*KINDS[kind](dtype))
    # One module for any batch and image size.
    for seed, shape in enumerate([(2, 4, 8, 7), (1, 4, 5, 9), (3, 4, 8, 7)]):
        x = values(*shape, seed=seed, dtype=dtype)
        t = x.clone().requires_grad_()
        expected = theirs(t)
        y = ours.forward(x)
        assert_near(y, expected, scale=10)
        assert y.is_contiguous()
        upstream = values(*expected.shape, seed=9, dtype=dtype)
        theirs.zero_grad()
        expected.backward(upstream)
        ours.zero_grad()
        slope = ours.backward(upstream)
        assert isinstance(slope, torch.Tensor)
        assert t.grad is not None
        assert_near(slope, t.grad, scale=10)
        names = ours.named_trainable()
        for name, parameter in theirs.named_parameters():
            assert parameter.grad is not None
            assert_near(names[name].gradient.tensor, parameter.grad, scale=10, case=name)


def test_positional_arguments_are_in_pytorchs_order() -> None:
    for ours, theirs in ((Conv2d, nn.Conv2d), (TransposeConv2d, nn.ConvTranspose2d)):
        expected = {n: p.default for n, p in signature(theirs).parameters.items()}
        found = {n: p.default for n, p in signature(ours).parameters.items()}
        assert found == expected
        assert list(found) == list(expected)


ARGUMENTS = [
    ((3, 32, 3), {}),
    ((6, 4, (2, 5)), {"groups": 2}),
    ((8, 8, 1), {"bias": False}),
    ((4, 4, 3), {"groups": 4, "dtype": DOUBLE}),
    ((16, 3, 3), {"stride": 2, "dilation": 2, "dtype": DOUBLE}),
]


@pytest.mark.parametrize(("arguments", "options"), ARGUMENTS)
@pytest.mark.parametrize(
    ("our_class", "their_class"), [(Conv2d, nn.Conv2d), (TransposeConv2d, nn.ConvTranspose2d)]
)
def test_one_seed_gives_the_same_weights(
    our_class: type, their_class: type, arguments: tuple, options: dict
) -> None:
    torch.manual_seed(5)
    theirs = [their_class(*arguments, **options) for _ in range(2)]
    torch.manual_seed(5)
    ours = [our_class(*arguments, **options) for _ in range(2)]
    for our_one, their_one in zip(ours, theirs, strict=True):
        assert same_bits(our_one.weight, their_one.weight.detach())
        if their_one.bias is None:
            assert our_one.bias is None
        else:
            assert same_bits(our_one.bias, their_one.bias.detach())


@pytest.mark.parametrize("make", [Conv2d, TransposeConv2d, Upsampling])
def test_weight_and_bias_can_be_read_and_assigned(make: type) -> None:
    layer = make(3, 3, 3, padding=1)
    twin = nn.Conv2d(3, 3, 3, padding=1)
    assert layer.weight.shape == twin.weight.shape
    layer.forward(torch.zeros(1, 3, 4, 4))
    layer.weight = torch.zeros(3, 3, 3, 3)
    layer.bias = torch.tensor([1.0, 2.0, 3.0], dtype=DOUBLE)  # converted
    assert layer.weight.dtype == layer.bias.dtype == torch.float32
    y = layer.forward(torch.ones(1, 3, 4, 4))
    assert torch.equal(y, torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1).expand_as(y))
    layer.weight = twin.weight  # a torch parameter that requires a gradient
    assert torch.equal(layer.weight, twin.weight.detach())
    layer.bias[0] = 5.0  # the live tensor
    assert layer.param()[1][0][0] == 5


def test_assigning_what_does_not_fit() -> None:
    layer = Conv2d(3, 4, 3)
    before = layer.weight.clone()
    with pytest.raises(FeedError, match=r"'weight' has shape \[4, 3, 3, 3\], got \[4, 3, 3\]"):
        layer.weight = torch.zeros(4, 3, 3)
    with pytest.raises(FeedError, match="'bias': expected a tensor, got list"):
        layer.bias = [1.0] * 4
    with pytest.raises(SpecError, match="made without a bias"):
        Conv2d(3, 4, 3, bias=False).bias = torch.zeros(4)
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (5,), (), (2, 3)])
def test_mse(shape: tuple[int, ...]) -> None:
    x, target = values(*shape).float(), values(*shape, seed=1).float()
    loss = MSE()
    value = loss.forward(x, target)
    assert value.shape == ()
    t = x.clone().requires_grad_()
    expected = nn.functional.mse_loss(t, target)
    expected.backward()
    assert_near(value, expected)
    slope = loss.backward()
    assert isinstance(slope, torch.Tensor)
    assert t.grad is not None
    assert_near(slope, t.grad)
    loss.forward(x, target)
    doubled = loss.backward(torch.tensor(2.0))
    assert isinstance(doubled, torch.Tensor)
    assert_near(doubled, 2 * t.grad)
    assert loss.param() == []


def test_mse_of_different_shapes_is_refused() -> None:
    with pytest.raises(SpecError, match="mse: expected two equal shapes"):
        MSE().forward(torch.zeros(2, 3), torch.zeros(3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2d(3, 4, 3, groups=2), "Conv2d: expected channels divisible into 2 groups"),
        (lambda: Conv2d(0, 4, 3), "Conv2d: expected in_channels of at least 1, got 0"),
        (lambda: Conv2d(3, 4.5, 3), "expected out_channels of at least 1, got 4.5"),
        (lambda: Conv2d(3, 4, 0), "expected kernel_size of at least 1"),
        (lambda: Conv2d(3, 4, (3, 3, 3)), "expected kernel_size of at least 1, an int or a pair"),
        (lambda: Conv2d(3, 4, 3, padding_mode="reflect"), "expected padding_mode 'zeros'"),
        (
            lambda: TransposeConv2d(3, 4, 3, groups=3),
            "TransposeConv2d: expected channels divisible",
        ),
        (lambda: NearestUpsampling(0), "expected scale_factor of at least 1"),
        (lambda: MaxPool2d(-1), "expected kernel_size of at least 1"),
        (lambda: Conv2d(3, 4, 3, stride=0).forward(torch.zeros(1, 3, 8, 8)), "stride"),
        (
            lambda: Conv2d(3, 4, 3, stride=2, padding="same").forward(torch.zeros(1, 3, 8, 8)),
            "same",
        ),
    ],
)
def test_bad_arguments(make: Callable[[], Module], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()


def test_inputs_that_do_not_fit_name_the_callers_line() -> None:
    layer = Conv2d(3, 4, 3)
    line = line_number() + 2
    with pytest.raises(SpecError, match="conv2d: expected images of 3 channels") as caught:
        layer.forward(torch.zeros(1, 2, 8, 8))
    assert f"{__file__}:{line}" in str(caught.value)
    with pytest.raises(SpecError, match="mixed dtypes float32 and float64"):
        layer.forward(torch.zeros(1, 3, 8, 8, dtype=DOUBLE))
    with pytest.raises(SpecError, match="a window of 3 does not fit in 2"):
        layer.forward(torch.zeros(1, 3, 2, 8))
    with pytest.raises(SpecError, match="expected images"):
        layer.forward(torch.zeros(3, 8, 8))
