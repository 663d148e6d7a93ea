"""Pairs of our modules and equal ones of torch.nn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from graphs import (
    Conv2d,
    LeakyReLU,
    MaxPool2d,
    Module,
    NearestUpsampling,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    TransposeConv2d,
    Upsampling,
)

Draw = Callable[..., Any]
Twins = tuple[Module, nn.Module]


def equal_weights(ours: Module, theirs: nn.Module) -> Twins:
    """Give PyTorch's module the weights of ours; their names must agree."""
    theirs.load_state_dict(ours.state())
    return ours, theirs


@st.composite
def random_twins(
    draw: Draw, shape: Sequence[int], dtype: torch.dtype = torch.float64, most: int = 4
) -> Twins:
    """A Sequential of random modules for images of a shape [N, C, H, W], and its twin."""
    x = torch.zeros(tuple(shape), dtype=dtype)
    ours: list[Module] = []
    theirs: list[nn.Module] = []
    for _ in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(KINDS))
        pair = kind(draw, x, dtype)
        with torch.no_grad():
            y = pair[1](x) if pair is not None else x
        if pair is None or y.numel() > 4000:
            continue
        x = y
        ours.append(pair[0])
        theirs.append(pair[1])
    return equal_weights(Sequential(*ours), nn.Sequential(*theirs))


def _groups(draw: Draw, channels: int) -> int:
    return draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))


def _pair(draw: Draw, least: int, most: int) -> tuple[int, int]:
    return draw(st.tuples(*[st.integers(least, most)] * 2))


def _convolution(draw: Draw, x: torch.Tensor, dtype: torch.dtype) -> Twins | None:
    groups, kernel, padding = _groups(draw, x.shape[1]), _pair(draw, 1, 3), _pair(draw, 0, 2)
    if any(x.shape[2 + i] + 2 * padding[i] < kernel[i] for i in range(2)):
        return None
    channels = (x.shape[1], groups * draw(st.integers(1, 2)))
    window = (kernel, _pair(draw, 1, 2), padding, 1, groups, draw(st.booleans()))
    return Conv2d(*channels, *window, dtype=dtype), nn.Conv2d(*channels, *window, dtype=dtype)


def _transposed(draw: Draw, x: torch.Tensor, dtype: torch.dtype) -> Twins | None:
    groups, stride = _groups(draw, x.shape[1]), _pair(draw, 1, 2)
    extra = (draw(st.integers(0, stride[0] - 1)), draw(st.integers(0, stride[1] - 1)))
    channels = (x.shape[1], groups * draw(st.integers(1, 2)))
    window = (_pair(draw, 2, 3), stride, 0, extra, groups, draw(st.booleans()))
    return (
        TransposeConv2d(*channels, *window, dtype=dtype),
        nn.ConvTranspose2d(*channels, *window, dtype=dtype),
    )


def _upsampling(draw: Draw, x: torch.Tensor, dtype: torch.dtype) -> Twins | None:
    channels, scale = (x.shape[1], draw(st.integers(1, 3))), _pair(draw, 1, 2)
    repeat = nn.UpsamplingNearest2d(scale_factor=scale)
    convolution = nn.Conv2d(*channels, 3, padding=1, dtype=dtype)
    ours = Upsampling(*channels, 3, padding=1, scale_factor=scale, dtype=dtype)
    return ours, nn.Sequential(repeat, convolution)


def _repetition(draw: Draw, x: torch.Tensor, dtype: torch.dtype) -> Twins | None:
    scale = draw(st.integers(1, 2))
    return NearestUpsampling(scale), nn.UpsamplingNearest2d(scale_factor=scale)


def _pooling(draw: Draw, x: torch.Tensor, dtype: torch.dtype) -> Twins | None:
    kernel, padding, ceil_mode = _pair(draw, 2, 3), _pair(draw, 0, 1), draw(st.booleans())
    if any(x.shape[2 + i] + 2 * padding[i] < kernel[i] for i in range(2)):
        return None
    window = (kernel, _pair(draw, 1, 2), padding)
    return MaxPool2d(*window, ceil_mode=ceil_mode), nn.MaxPool2d(*window, ceil_mode=ceil_mode)


def _activation(draw: Draw, x: torch.Tensor, dtype: torch.dtype) -> Twins | None:
    twins: list[Twins] = [
        (ReLU(), nn.ReLU()),
        (LeakyReLU(0.2), nn.LeakyReLU(0.2)),
        (Sigmoid(), nn.Sigmoid()),
        (Tanh(), nn.Tanh()),
    ]
    return draw(st.sampled_from(twins))


def _nested(draw: Draw, x: torch.Tensor, dtype: torch.dtype) -> Twins | None:
    return draw(random_twins(tuple(x.shape), dtype, most=2))


KINDS: list[Callable[[Draw, torch.Tensor, torch.dtype], Twins | None]] = [
    _convolution,
    _transposed,
    _upsampling,
    _repetition,
    _pooling,
    _activation,
    _nested,
]
