"""Depthwise convolutions in C: the law of kernels for every shape of theirs, and what is fused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import compile, interpret
from engine.native.emitters import native_kernels
from engine.native.kernel import NativeKernel
from engine.testing import Case, Sample
from engine.testing.laws.kernels import require_kernel
from graphs import GraphBuilder
from ops import REGISTRY
from ops.fused import Instruction
from tests.engine.native.test_kernel_laws import ARCHITECTURES, examples, require_runs
from tests.ops.subjects import SUBJECTS
from tests.support import assert_near, values

NAMES = ("conv2d", "conv2d_input_gradient", "conv2d_weight_gradient")
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))


def depthwise(architecture: str = "native", threads: int = 2) -> list[NativeKernel]:
    kernels = native_kernels(architecture, threads)
    return [kernel for kernel in kernels if kernel.name.startswith("C: depthwise")]


def require_one(name: str, case: Case, kernels: list[NativeKernel]) -> None:
    assert sum(require_kernel(SUBJECTS[name], case, kernel) for kernel in kernels) == 1


def case_of(
    name: str, channels: int, image: tuple[int, int], kernel: tuple[int, int], **window: Any
) -> Case:
    kind = {"dtype": window.pop("dtype", torch.float32)}
    layout = window.pop("layout", "channels_last")
    given = torch.empty(2, channels, *image, device="meta")
    weights = torch.empty(channels, 1, *kernel, device="meta")
    window |= {"groups": channels}
    y_shape = tuple(torch.nn.functional.conv2d(given, weights, **window).shape)
    x = Sample((2, channels, *image), layout="channels_last", **kind)
    y = Sample(y_shape, layout="channels_last", seed=1, **kind)
    weight = Sample((channels, 1, *kernel), layout=layout, seed=2, **kind)
    if name == "conv2d":
        return Case(x, weight, **window)
    if name == "conv2d_input_gradient":
        return Case(y, weight, size=image, **window)
    return Case(y, x, kernel_size=kernel, **window)


@examples(15)
@given(data=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_any_shape(name: str, data: st.DataObject) -> None:
    kernel, stride, dilation = (data.draw(PAIRS) for _ in range(3))
    padding = data.draw(st.tuples(st.integers(0, 5), st.integers(0, 5)))
    image = tuple(
        data.draw(st.integers(max(1, (k - 1) * d + 1 - 2 * p), 14))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    )
    case = case_of(
        name, data.draw(st.integers(2, 40)), image, kernel,
        stride=stride, padding=padding, dilation=dilation,
        dtype=data.draw(st.sampled_from([torch.float32, torch.float64])),
        layout=data.draw(st.sampled_from(["contiguous", "channels_last", "transposed"])),
    )  # fmt: skip
    require_one(name, case, depthwise(threads=data.draw(st.integers(1, 3))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
def test_instruction_sets(architecture: str, name: str) -> None:
    require_runs(architecture)
    window = {"stride": (1, 1), "padding": (3, 3), "dilation": (1, 1)}
    case = case_of(name, 37, (9, 21), (7, 7), **window)
    require_one(name, case, depthwise(architecture))


@pytest.mark.parametrize("channels", [4, 16, 19])
@pytest.mark.parametrize("kind", ["conv2d", "conv2d_input_gradient"])
def test_what_follows_is_applied_to_the_sums(kind: str, channels: int) -> None:
    window: dict[str, Any] = {"stride": (2, 2), "padding": (1, 1), "dilation": (1, 1)}
    alone = case_of(kind, channels, (8, 10), (3, 3), **window)
    shape = (2, channels, *((8, 10) if kind == "conv2d_input_gradient" else (4, 5)))
    body = (("add", (4, 2)), ("relu", (5,)), ("mul", (6, 3)))
    body = (
        Instruction(REGISTRY[kind], (0, 1), alone.attributes),
        *(Instruction(REGISTRY[name], sources, {}) for name, sources in body),
    )
    row = Sample((1, channels, 1, 1), dtype=torch.float32, seed=3)
    like = Sample(shape, layout="channels_last", dtype=torch.float32, seed=4)
    require_one("fused", Case(*alone.inputs, row, like, body=body), depthwise())


@pytest.mark.parametrize(
    ("channels", "weight", "groups"),
    [
        (8, (8, 2, 3, 3), 4),  # several channels in a group
        (8, (16, 1, 3, 3), 8),  # several results of a channel
        (1, (1, 1, 3, 3), 1),
    ],
)
def test_others_are_left_to_other_kernels(
    channels: int, weight: tuple[int, ...], groups: int
) -> None:
    def leaf(*shape: int) -> ops.Node:
        return REGISTRY["input"](name="leaf", shape=shape, dtype=torch.float32)

    x, w = leaf(2, channels, 8, 8), leaf(*weight)
    y = ops.conv2d(x, w, groups=groups)
    window = y.attributes
    dw = ops.conv2d_weight_gradient(leaf(*y.sizes), x, kernel_size=(3, 3), **window)
    assert not any(kernel.supports(node) for kernel in depthwise() for node in (y, dw))


def test_a_layer_is_one_step_and_a_constant_weight_is_packed_once() -> None:
    g = GraphBuilder("layer")
    x, w, b = g.input("x", (2, 20, 9, 7)), g.parameter("w", (20, 1, 3, 3)), g.parameter("b", (20,))
    graph = g.build(y=ops.relu(ops.conv2d(x, w, b, padding=1, groups=20)))
    usual, frozen = (compile(graph, backend="native", freeze=freeze) for freeze in (False, True))
    assert [s.kernel for s in usual.steps() if s.kernel != "view"] == ["C: depthwise"]
    assert "once" in frozen.source()
    feeds = {"x": values(2, 20, 9, 7, dtype=torch.float32)}
    assert_near(usual(**feeds)["y"], interpret(graph, feeds)["y"])
    for _ in range(2):
        assert torch.equal(frozen(**feeds)["y"], usual(**feeds)["y"])
