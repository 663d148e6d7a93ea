"""Depthwise convolutions: other kernels, the same values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import Program, compile, gradient, interpret
from graphs import GraphBuilder
from tests.support import DOUBLE, assert_near, values

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


def layer(channels: int, per_group: int = 1, **window: tuple[int, int]) -> Program:
    """A convolution of 7x6 images by a 3x2 weight, and both gradients."""
    g = GraphBuilder("depthwise", DOUBLE)
    groups = channels // per_group
    x, w = g.input("x", (2, channels, 7, 6)), g.input("w", (channels, per_group, 3, 2))
    y = ops.conv2d(x, w, groups=groups, **window)
    dx, dw = gradient(y, [x, w], g.input("dy", y.shape))
    graph = g.build(y=y, dx=dx, dw=dw)
    feeds = {n: values(*leaf.sizes, seed=i) for i, (n, leaf) in enumerate(graph.inputs.items())}
    program = compile(graph, backend="torch")
    expected = interpret(graph, feeds)
    for name, value in program(**feeds).items():
        assert_near(value, expected[name])
    return program


def kernels(program: Program) -> set[str]:
    return {step.kernel for step in program.steps() if step.operator.startswith("conv2d")}


@given(st.integers(2, 5), PAIRS, st.tuples(st.integers(0, 2), st.integers(0, 2)), PAIRS)
def test_the_same_values(
    channels: int, stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> None:
    program = layer(channels, stride=stride, padding=padding, dilation=dilation)
    assert kernels(program) == {"tap by tap"}


@pytest.mark.parametrize(("channels", "per_group"), [(1, 1), (4, 2), (4, 4)])
def test_larger_groups_are_gathered(channels: int, per_group: int) -> None:
    assert "tap by tap" not in kernels(layer(channels, per_group))
