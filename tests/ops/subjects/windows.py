"""Operators under test that slide windows over images."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from engine.testing import Case, Subject, cases, samples
from ops import REGISTRY
from ops.windows import Pair


@dataclass(frozen=True)
class Geometry:
    """Windows that fit an image: sizes, each vertical and horizontal."""

    size: Pair
    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    def attributes(self) -> dict[str, Pair]:
        """What an operator takes."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
        }

    def count(self) -> Pair:
        """Rows and columns of windows."""
        vertical, horizontal = (self._count(i) for i in range(2))
        return vertical, horizontal

    def _count(self, i: int) -> int:
        reach = self.dilation[i] * (self.kernel_size[i] - 1) + 1
        return (self.size[i] + 2 * self.padding[i] - reach) // self.stride[i] + 1


@st.composite
def geometries(draw: st.DrawFn, pooling: bool = False) -> Geometry:
    """Geometries small enough to try many; of ``pooling``, every window holds a pixel."""
    axes = []
    for _ in range(2):
        kernel, stride, dilation = (draw(st.integers(1, most)) for most in (3, 3, 2))
        padding = draw(st.integers(0, kernel // 2 if pooling else 2))
        least = max(1, dilation * (kernel - 1) + 1 - 2 * padding, dilation if pooling else 1)
        axes.append((draw(st.integers(least, least + 3)), kernel, stride, padding, dilation))
    return Geometry(*zip(*axes, strict=True))


@st.composite
def tiles(draw: st.DrawFn) -> Geometry:
    """Windows side by side, of which a last one may not fit."""
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    height, width = (k * draw(st.integers(1, 3)) + draw(st.integers(0, k - 1)) for k in kernel)
    return Geometry((height, width), kernel, kernel, (0, 0), (1, 1))


@st.composite
def _unfolds(draw: st.DrawFn) -> Case:
    g = draw(geometries())
    images = samples(draw(_leading()) + g.size)
    return draw(cases(images, kernel_size=g.kernel_size, **g.attributes()))


@st.composite
def _folds(draw: st.DrawFn) -> Case:
    g = draw(geometries())
    n, channels = draw(_leading())
    columns = (n, channels * math.prod(g.kernel_size), math.prod(g.count()))
    attributes = {"output_size": g.size, "kernel_size": g.kernel_size, **g.attributes()}
    return draw(cases(samples(columns), **attributes))


@st.composite
def _pools(draw: st.DrawFn, adjoint: bool = False, chooser: bool = False, **values: Any) -> Case:
    """A pooling's images (or, for an adjoint, pooled images), and the image that chooses."""
    g = draw(st.one_of(geometries(pooling=True), tiles()))
    leading, ceil_mode = draw(_leading()), draw(st.booleans())
    image = leading + g.size
    window = {"kernel_size": g.kernel_size, **g.attributes(), "ceil_mode": ceil_mode}
    pooled = tuple(F.max_pool2d(torch.zeros((1, 1, *g.size)), **window).shape[2:])
    inputs = [samples(leading + pooled if adjoint else image, **values)]
    if chooser:
        inputs.append(samples(image, ties=0))
    size = {"size": g.size} if adjoint and not chooser else {}
    return draw(cases(*inputs, **size, **window))


def _adjoint(function: Any, shape: tuple[int, ...], y: torch.Tensor) -> torch.Tensor:
    """A linear function's adjoint, by autograd."""
    x = torch.zeros(shape, dtype=y.dtype, requires_grad=True)
    return torch.autograd.grad(function(x), x, y, create_graph=y.requires_grad)[0]


def _leading() -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(0, 2), st.integers(1, 3))


def _indices(chooser: torch.Tensor, **window: Any) -> torch.Tensor:
    if not chooser.numel():
        return F.max_pool2d(chooser.new_zeros((1, *chooser.shape[1:])), **window)[:0].long()
    return F.max_pool2d(chooser, **window, return_indices=True)[1]


def _select(input: torch.Tensor, chooser: torch.Tensor, **window: Any) -> torch.Tensor:
    indices = _indices(chooser, **window)
    return input.flatten(2).gather(2, indices.flatten(2)).reshape(indices.shape)


def _route(input: torch.Tensor, chooser: torch.Tensor, **window: Any) -> torch.Tensor:
    indices = _indices(chooser, **window).flatten(2)
    flat = input.new_zeros(chooser.shape).flatten(2)
    return flat.scatter_add(2, indices, input.flatten(2)).reshape(chooser.shape)


def _sums(input: torch.Tensor, *, padding: Pair, ceil_mode: bool, **window: Any) -> torch.Tensor:
    """Window sums, pixel by pixel of the windows, of an image with room for partial ones."""
    probe = torch.zeros((1, 1, *input.shape[2:]))
    pooled = F.max_pool2d(probe, padding=padding, ceil_mode=ceil_mode, **window).shape[2:]
    (kh, kw), (sh, sw), (dh, dw) = (window[k] for k in ("kernel_size", "stride", "dilation"))
    far = [64 + p for p in padding]
    canvas = F.pad(input, (padding[1], far[1], padding[0], far[0]))
    total = input.new_zeros((*input.shape[:2], *pooled))
    for i in range(kh):
        for j in range(kw):
            rows = canvas[:, :, i * dh :: sh][:, :, : pooled[0]]
            total += rows[:, :, :, j * dw :: sw][:, :, :, : pooled[1]]
    return total


def _spread(input: torch.Tensor, *, size: Pair, **window: Any) -> torch.Tensor:
    return _adjoint(lambda image: _sums(image, **window), (*input.shape[:2], *size), input)


SCALES = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def _upsamples(draw: st.DrawFn) -> Case:
    images = (*draw(_leading()), draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    return draw(cases(samples(images), scale_factor=SCALES))


@st.composite
def _downsamples(draw: st.DrawFn) -> Case:
    rows, columns = scale = draw(SCALES)
    images = (rows * draw(st.integers(0, 3)), columns * draw(st.integers(0, 3)))
    return draw(cases(samples(draw(_leading()) + images), scale_factor=scale))


def _upsampled(input: torch.Tensor, *, scale_factor: Pair) -> torch.Tensor:
    return torch.kron(input.contiguous(), torch.ones(scale_factor, dtype=input.dtype))


def _block_sums(input: torch.Tensor, *, scale_factor: Pair) -> torch.Tensor:
    rows, columns = scale_factor
    parts = [input[:, :, i::rows, j::columns] for i in range(rows) for j in range(columns)]
    return torch.stack(parts).sum(0)


@st.composite
def _phases(draw: st.DrawFn, taken_apart: bool) -> Case:
    n, channels = draw(_leading())
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    whole = (n, channels, 2 * height, 2 * width)
    apart = (n, 4 * channels, height + 1, width + 1)
    return draw(cases(samples(apart if taken_apart else whole)))


def _interleaved(input: torch.Tensor) -> torch.Tensor:
    n, c, h, w = input.shape[0], input.shape[1] // 4, input.shape[2] - 1, input.shape[3] - 1
    y = input.new_zeros((n, c, 2 * h, 2 * w))
    for i in range(2 * h):
        for j in range(2 * w):
            phase = 2 * (i % 2) + j % 2
            channels = input[:, phase * c : (phase + 1) * c]
            y[:, :, i, j] = channels[:, :, i // 2 + i % 2, j // 2 + j % 2]
    return y


def _separated(input: torch.Tensor) -> torch.Tensor:
    n, c, h, w = input.shape
    return _adjoint(_interleaved, (n, 4 * c, h // 2 + 1, w // 2 + 1), input)


@st.composite
def _weights(draw: st.DrawFn, adjoint: bool = False) -> Case:
    c_out, c_in = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    weight = (4 * c_out, c_in, 2, 2) if adjoint else (c_out, c_in, 3, 3)
    return draw(cases(samples(weight), samples((16, 9))))


def _phase_weight(weight: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """Each tap of the four small weights, one by one."""
    c_out, c_in = weight.shape[:2]
    phases = weight.new_zeros((4, c_out, c_in, 2, 2))
    for phase, u, v in itertools.product(range(4), range(2), range(2)):
        taps = sums[4 * phase + 2 * u + v].reshape(3, 3)
        phases[phase, :, :, u, v] = (weight * taps).sum((2, 3))
    return phases.flatten(0, 1)


def _phase_weight_adjoint(weight: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    shape = (weight.shape[0] // 4, weight.shape[1], 3, 3)
    return _adjoint(lambda large: _phase_weight(large, sums), shape, weight)


@st.composite
def _turnable(draw: st.DrawFn) -> Case:
    return draw(cases(samples(tuple(draw(st.integers(0, 3)) for _ in range(4)))))


def _turned(input: torch.Tensor) -> torch.Tensor:
    """Each tap, one by one."""
    c_out, c_in, kh, kw = input.shape
    turned = input.new_zeros((c_in, c_out, kh, kw))
    for i, j in itertools.product(range(kh), range(kw)):
        turned[:, :, i, j] = input[:, :, kh - 1 - i, kw - 1 - j].T
    return turned


def _linear(name: str, cases: st.SearchStrategy[Case], oracle: Any, analytic: bool) -> Subject:
    return Subject(REGISTRY[name], cases, oracle, ("input",), analytic)


def _bilinear(name: str, cases: st.SearchStrategy[Case], oracle: Any) -> Subject:
    return Subject(REGISTRY[name], cases, oracle, ("weight", "sums"), analytic=True)


SUBJECTS = [
    _linear("unfold", _unfolds(), F.unfold, True),
    _linear("fold", _folds(), F.fold, True),
    Subject(REGISTRY["max_pool2d"], _pools(ties=0, nonfinite=True), F.max_pool2d),
    _linear("pool_select", _pools(chooser=True), _select, False),
    _linear("pool_route", _pools(adjoint=True, chooser=True), _route, False),
    _linear("sum_pool2d", _pools(), _sums, False),
    _linear("sum_pool2d_adjoint", _pools(adjoint=True), _spread, False),
    _linear("upsample_nearest", _upsamples(), _upsampled, True),
    _linear("downsample_sum", _downsamples(), _block_sums, False),
    _linear("interleave_phases", _phases(taken_apart=True), _interleaved, True),
    _linear("separate_phases", _phases(taken_apart=False), _separated, True),
    _linear("rotate_weight", _turnable(), _turned, True),
    _bilinear("phase_weight", _weights(), _phase_weight),
    _bilinear("phase_weight_adjoint", _weights(adjoint=True), _phase_weight_adjoint),
]
