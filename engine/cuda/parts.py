"""A convolution's result in parts, each of them a correlation.

An input gradient of stride s is s*s correlations, each for every s-th row and column: the pixels
that the same taps of the weight reach. An upsampled image has four phases, each written to its own
pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import NamedTuple

import torch

from engine.cuda.correlation import Axes, Axis
from ops.fused import Instruction
from ops.phases import PHASES

View = Callable[[torch.Tensor], torch.Tensor]


class Part(NamedTuple):
    """A correlation that gives a part of the pixels of a result.

    Attributes:
        x, w, axes: arguments of the correlation.
        view: maps a tensor of the result's shape to the part, as [N, G, F, H', W'].
    """

    x: torch.Tensor
    w: torch.Tensor
    axes: Axes
    view: View


def axes_of(step: Instruction) -> Axes:
    a = step.attributes
    rows, columns = (
        Axis(s, -p, d) for s, p, d in zip(a["stride"], a["padding"], a["dilation"], strict=True)
    )
    return rows, columns


def grouped(images: torch.Tensor, groups: int) -> torch.Tensor:
    """[N, C, H, W] as [N, groups, C/groups, H, W]."""
    return images.unflatten(1, (groups, -1))


def convolved(step: Instruction, x: torch.Tensor, w: torch.Tensor) -> Iterator[Part]:
    groups = step.attributes["groups"]
    weights = w.unflatten(0, (groups, -1))
    yield Part(grouped(x, groups), weights, axes_of(step), partial(grouped, groups=groups))


def interleaved(step: Instruction, x: torch.Tensor, w: torch.Tensor) -> Iterator[Part]:
    """Pixel r of phase (a, b) is ``conv2d``'s pixel r + (a, b); see ``interleave_phases``."""
    channels = len(w) // 4
    for k, offsets in enumerate(PHASES):
        rows, columns = (
            Axis(axis.stride, axis.start + offset * axis.stride, axis.step)
            for axis, offset in zip(axes_of(step), offsets, strict=True)
        )
        weights = w[None, k * channels : (k + 1) * channels]
        yield Part(x[:, None], weights, (rows, columns), partial(_phase, offsets=offsets))


def _phase(image: torch.Tensor, offsets: tuple[int, int]) -> torch.Tensor:
    return image[:, None, :, offsets[0] :: 2, offsets[1] :: 2]


def input_gradient(step: Instruction, dy: torch.Tensor, w: torch.Tensor) -> Iterator[Part]:
    groups, size = step.attributes["groups"], step.attributes["size"]
    weights = w.unflatten(0, (groups, -1)).transpose(1, 2)
    lines = (
        meetings(axis, n, taps)
        for axis, n, taps in zip(axes_of(step), size, w.shape[2:], strict=True)
    )
    for rows, columns in product(*lines):
        taps = weights[..., rows.taps, columns.taps]
        view = partial(_every, rows=rows.pixels, columns=columns.pixels, groups=groups)
        yield Part(grouped(dy, groups), taps, (rows.axis, columns.axis), view)


def _every(images: torch.Tensor, rows: slice, columns: slice, groups: int) -> torch.Tensor:
    return grouped(images[:, :, rows, columns], groups)


@dataclass(frozen=True)
class Meeting:
    """Every s-th pixel along an axis, the taps that reach them, and the windows of the gradient."""

    pixels: slice
    taps: slice
    axis: Axis


def meetings(forward: Axis, size: int, taps: int) -> list[Meeting]:
    """Forward, tap i of window r reads pixel ``r * stride + start + i * step``: solve for r."""
    stride, apart = forward.stride, forward.stride // math.gcd(forward.stride, forward.step)
    result = []
    for first in range(min(stride, size)):
        reached = [first - forward.start - i * forward.step for i in range(taps)]
        tap = next((i for i, place in enumerate(reached) if place % stride == 0), taps)
        start = (first - forward.start - tap * forward.step) // stride
        axis = Axis(1, start, -(apart * forward.step) // stride)
        result.append(Meeting(slice(first, None, stride), slice(tap, None, apart), axis))
    return result
