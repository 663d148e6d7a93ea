"""Winograd convolutions obey the law of kernels where they apply, and are as exact as others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine.kernels import block_convolution, patches
from engine.lowering import choose_kernel
from engine.native.emitters import native_kernels
from engine.testing import Case, samples
from engine.testing.laws.kernels import require_kernel
from ops import Node
from ops.leaves import input
from tests.ops.subjects import SUBJECTS
from tests.support import values

BLOCKS = {name: kernels[0] for name, kernels in block_convolution.KERNELS.items()}
WINDOW: dict[str, Any] = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}


@st.composite
def convolutions(draw: st.DrawFn, name: str) -> Case:
    """Images whose results have even sides, a weight of 3x3 taps, and the gradient."""
    n, c_in, c_out = (draw(st.integers(1, 3)) for _ in range(3))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    size = tuple(2 * draw(st.integers(max(1, p), 4)) + 2 - 2 * p for p in padding)
    results = tuple(side + 2 * p - 2 for side, p in zip(size, padding, strict=True))
    images, weight = samples((n, c_in, *size)), samples((c_out, c_in, 3, 3))
    gradient = samples((n, c_out, *results))
    window = WINDOW | {"padding": padding}
    inputs, attributes = {
        "conv2d": ((images, weight), {}),
        "conv2d_input_gradient": ((gradient, weight), {"size": size}),
        "conv2d_weight_gradient": ((gradient, images), {"kernel_size": (3, 3)}),
    }[name]
    return Case(*map(draw, inputs), **attributes, **window)


@pytest.mark.parametrize("tile_bytes", [1, 3000, patches.TILE_BYTES])
@pytest.mark.parametrize("name", BLOCKS)
@given(data=st.data())
def test_blocks_hold_the_law_of_kernels(name: str, tile_bytes: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "TILE_BYTES", tile_bytes)
        assert require_kernel(SUBJECTS[name], data.draw(convolutions(name)), BLOCKS[name])


def leaf(*shape: int) -> Node:
    return input(name="leaf", shape=shape, dtype=torch.float32)


@pytest.mark.parametrize(
    ("shape", "kernel", "window"),
    [
        ((1, 4, 7, 8), (3, 3), {"padding": 1}),  # rows that are no pairs
        ((1, 4, 8, 7), (3, 3), {"padding": 1}),
        ((1, 4, 8, 8), (3, 3), {"padding": 1, "stride": 2}),
        ((1, 4, 8, 8), (3, 3), {"padding": 2, "dilation": 2}),
        ((1, 4, 8, 8), (3, 3), {"padding": 1, "groups": 2}),
        ((1, 4, 8, 8), (3, 1), {"padding": (1, 0)}),
    ],
)
def test_others_have_no_blocks(shape: tuple[int, ...], kernel: tuple, window: dict) -> None:
    weight = leaf(4, 4 // window.get("groups", 1), *kernel)
    assert not BLOCKS["conv2d"].supports(ops.conv2d(leaf(*shape), weight, **window))


def test_padding_beyond_the_window_has_no_blocks_back() -> None:
    window = WINDOW | {"padding": (4, 4)}
    node = ops.conv2d_input_gradient(leaf(1, 2, 14, 14), leaf(2, 2, 3, 3), size=(8, 8), **window)
    assert not BLOCKS["conv2d_input_gradient"].supports(node)


def test_blocks_are_chosen_for_many_channels() -> None:
    def chosen(channels: int) -> str:
        images, weight = leaf(4, channels, 32, 32), leaf(channels, channels, 3, 3)
        return choose_kernel(ops.conv2d(images, weight, padding=1)).name

    assert (chosen(3), chosen(64)) == ("gather windows, multiply", block_convolution.NAME)


KINDS = {"torch": lambda name: [BLOCKS[name]], "native": lambda name: native_kernels(threads=2)}


def computed(node: Node, tensors: list[torch.Tensor], kind: str) -> torch.Tensor:
    """A node's value computed by Winograd's blocks, with torch's kernels or in C."""
    (kernel,) = [
        k for k in KINDS[kind](node.operator.name) if "Winograd" in k.name and k.supports(node)
    ]
    shapes = [torch.empty(node.sizes), *tensors]
    out, *inputs = (x.to(memory_format=torch.channels_last) for x in shapes)
    kernel.prepare(node, out, inputs, [torch.empty(s.sizes) for s in kernel.workspace(node)])()
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BLOCKS)
def test_errors_are_those_of_rounding(name: str, kind: str) -> None:
    images, weight = (4, 32, 16, 16), (32, 32, 3, 3)
    shapes, given_attributes = {
        "conv2d": ((images, weight), {}),
        "conv2d_input_gradient": ((images, weight), {"size": (16, 16)}),
        "conv2d_weight_gradient": ((images, images), {"kernel_size": (3, 3)}),
    }[name]
    tensors = [values(*shape, seed=i) for i, shape in enumerate(shapes)]
    attributes = given_attributes | WINDOW
    exact = SUBJECTS[name].operator.forward(*tensors, **attributes)
    largest = SUBJECTS[name].operator.forward(*(x.abs() for x in tensors), **attributes).max()
    node = SUBJECTS[name].operator(*(leaf(*s) for s in shapes), **attributes)
    out = computed(node, [x.float() for x in tensors], kind)
    assert (out - exact).abs().max() < torch.finfo(torch.float32).eps * largest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", [torch.nan, torch.inf])
def test_what_is_not_finite_spoils_only_what_reads_it(what: float, kind: str) -> None:
    x, w = torch.zeros(1, 16, 12, 12), torch.ones(16, 16, 3, 3)
    x[0, 3, 5, 5] = what
    node = ops.conv2d(leaf(*x.shape), leaf(*w.shape), padding=1)
    spoilt = (~computed(node, [x, w], kind).isfinite())[0].any(0)
    assert spoilt[4:7, 4:7].all()
    spoilt[4:7, 4:7] = False
    assert not spoilt.any()
