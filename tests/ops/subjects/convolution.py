"""The three convolutions under test."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch.nn.grad import conv2d_input, conv2d_weight

from engine.testing import Case, Subject, cases, samples
from ops import REGISTRY
from tests.ops.subjects.windows import Geometry, geometries

Shape = tuple[int, ...]


@st.composite
def _shapes(draw: st.DrawFn) -> tuple[Geometry, Shape, Shape, Shape, int]:
    """The geometry, the shapes of images, weight and result, and the groups."""
    g = draw(geometries())
    batch, groups = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    c_in, c_out = (draw(st.integers(1, 3 if groups == 1 else 2)) for _ in range(2))
    images = (batch, c_in * groups, *g.size)
    return (
        g,
        images,
        (c_out * groups, c_in, *g.kernel_size),
        (batch, c_out * groups, *g.count()),
        groups,
    )


@st.composite
def _forwards(draw: st.DrawFn) -> Case:
    g, images, weight, _, groups = draw(_shapes())
    return draw(cases(samples(images), samples(weight), **g.attributes(), groups=groups))


@st.composite
def _input_gradients(draw: st.DrawFn) -> Case:
    g, _, weight, result, groups = draw(_shapes())
    attributes = {"size": g.size, **g.attributes(), "groups": groups}
    return draw(cases(samples(result), samples(weight), **attributes))


@st.composite
def _weight_gradients(draw: st.DrawFn) -> Case:
    g, images, _, result, groups = draw(_shapes())
    attributes = {"kernel_size": g.kernel_size, **g.attributes(), "groups": groups}
    return draw(cases(samples(result), samples(images), **attributes))


def _input_gradient(
    gradient: torch.Tensor, weight: torch.Tensor, *, size: Any, groups: int, **window: Any
) -> torch.Tensor:
    images = (gradient.shape[0], weight.shape[1] * groups, *size)
    return conv2d_input(images, weight, gradient, groups=groups, **window)


def _weight_gradient(
    gradient: torch.Tensor, input: torch.Tensor, *, kernel_size: Any, groups: int, **window: Any
) -> torch.Tensor:
    weight = (gradient.shape[1], input.shape[1] // groups, *kernel_size)
    return conv2d_weight(input, weight, gradient, groups=groups, **window)


def _bilinear(name: str, cases: st.SearchStrategy[Case], oracle: Any) -> Subject:
    operator = REGISTRY[name]
    return Subject(operator, cases, oracle, operator.inputs, analytic=True)


SUBJECTS = [
    _bilinear("conv2d", _forwards(), F.conv2d),
    _bilinear("conv2d_input_gradient", _input_gradients(), _input_gradient),
    _bilinear("conv2d_weight_gradient", _weight_gradients(), _weight_gradient),
]
