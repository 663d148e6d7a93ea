"""Winograd convolutions in C must obey the law of kernels and be as exact as others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import compile
from engine.native.emitters import native_kernels
from engine.native.kernel import NativeKernel
from engine.native.winograd import blocks
from engine.testing import Case, Sample, Subject
from engine.testing.laws.kernels import require_kernel
from graphs import GraphBuilder
from ops import REGISTRY, Node
from ops.fused import Instruction
from tests.engine.native.test_kernel_laws import ARCHITECTURES, CONVOLUTIONS, examples, require_runs
from tests.ops.subjects import SUBJECTS
from tests.support import values

FUSED = Subject(REGISTRY["fused"], st.nothing())
WINDOW: dict[str, Any] = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
CHANNELS = st.sampled_from((16, 32, 48))


def by_blocks(architecture: str = "native", threads: int = 2) -> list[NativeKernel]:
    kernels = native_kernels(architecture, threads)
    return [kernel for kernel in kernels if "Winograd" in kernel.name]


def pay_off(node: Node) -> bool:
    return any(k.supports(node) and k.emitter.pays_off(node) for k in by_blocks())


def require_blocks(subject: Subject, case: Case, architecture: str, threads: int) -> None:
    held = [require_kernel(subject, case, k) for k in by_blocks(architecture, threads)]
    assert held.count(True) == 1


@st.composite
def subjects_and_cases(draw: st.DrawFn) -> tuple[Subject, Case]:
    """A convolution of 2x2 to 4x4 taps or of phases, or one of their gradients."""
    n, c, m = draw(st.integers(1, 3)), draw(CHANNELS), draw(CHANNELS)
    taps, stride = draw(st.sampled_from(((2, 1), (3, 1), (3, 2), (4, 2))))
    padding = draw(st.tuples(*[st.integers(0, taps)] * 2))
    size = tuple(draw(st.integers(max(1, taps - 2 * p), 9)) for p in padding)
    results = tuple((s + 2 * p - taps) // stride + 1 for s, p in zip(size, padding, strict=True))
    dtype = draw(st.sampled_from((torch.float32, torch.float64)))

    def sample(*shape: int) -> Sample:
        return Sample(shape, dtype, draw(st.integers(0, 1 << 16)), "channels_last")

    x, y, woven = (n, c, *size), (n, m, *results), (n, m, 2 * size[0], 2 * size[1])
    window = WINDOW | {"padding": padding, "stride": (stride, stride)}
    weight, phases = (m, c, taps, taps), (4 * m, c, 2, 2)
    back = {"size": size}
    names = (*CONVOLUTIONS, *(f"{name} of phases" for name in CONVOLUTIONS))
    # Every second position of three taps has blocks, but its gradients have not.
    gradients = CONVOLUTIONS[1:] if (taps, stride) == (3, 2) else ()
    name = draw(st.sampled_from([name for name in names if name not in gradients]))
    shapes, body = {
        "conv2d": ((x, weight), [("conv2d", (0, 1), window)]),
        "conv2d_input_gradient": (
            (y, weight), [("conv2d_input_gradient", (0, 1), window | back)]),
        "conv2d_weight_gradient": (
            (y, x), [("conv2d_weight_gradient", (0, 1), window | {"kernel_size": (taps, taps)})]),
        "conv2d of phases": (
            (x, phases), [("conv2d", (0, 1), WINDOW), ("interleave_phases", (2,), {})]),
        "conv2d_input_gradient of phases": (
            (woven, phases),
            [("separate_phases", (0,), {}), ("conv2d_input_gradient", (2, 1), WINDOW | back)]),
        "conv2d_weight_gradient of phases": (
            (woven, x),
            [("separate_phases", (0,), {}),
             ("conv2d_weight_gradient", (2, 1), WINDOW | {"kernel_size": (2, 2)})]),
    }[name]  # fmt: skip
    inputs = [sample(*shape) for shape in shapes]
    if len(body) == 1:
        return SUBJECTS[name], Case(*inputs, **body[0][2])
    return FUSED, Case(*inputs, body=tuple(Instruction(REGISTRY[n], s, a) for n, s, a in body))


@pytest.mark.parametrize("chunk", [1, blocks.CHUNK])
@examples(30)
@given(drawn=subjects_and_cases(), threads=st.integers(1, 3))
def test_blocks_hold_the_law_of_kernels(
    chunk: int, drawn: tuple[Subject, Case], threads: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK", chunk)
        require_blocks(*drawn, "native", threads)


def test_classes_with_fewer_positions_than_others_end_earlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = WINDOW | {"stride": (2, 2)}
    gradient = Sample((6, 16, 2, 4), layout="channels_last")
    case = Case(gradient, Sample((16, 16, 4, 4), layout="channels_last"), size=(5, 9), **window)
    require_blocks(SUBJECTS["conv2d_input_gradient"], case, "native", 1)


@pytest.mark.parametrize("layout", ["channels_last", "transposed"])
@pytest.mark.parametrize(
    ("taps", "stride", "dilation"),
    [((6, 6), (2, 2), 1), ((6, 6), (3, 3), 1), ((9, 9), (3, 3), 1), ((3, 3), (2, 2), 2),
     ((4, 6), (2, 3), 1), ((3, 6), (1, 2), 1)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["conv2d", "conv2d_weight_gradient"])
def test_every_parity_of_a_window_may_be_a_filter(
    name: str,
    taps: tuple[int, int],
    stride: tuple[int, int],
    dilation: int,
    layout: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = WINDOW | {"stride": stride, "padding": (2, 2), "dilation": (dilation, dilation)}
    results = tuple(
        (14 + 4 - dilation * (t - 1) - 1) // s + 1 for t, s in zip(taps, stride, strict=True)
    )
    x, y = (Sample((2, 16, *size), layout="channels_last") for size in ((14, 14), results))
    case = {
        "conv2d": Case(x, Sample((16, 16, *taps), layout=layout), **window),
        "conv2d_weight_gradient": Case(y, x, kernel_size=taps, **window),
    }[name]
    require_blocks(SUBJECTS[name], case, "native", 2)


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
@examples(6)
@given(drawn=subjects_and_cases())
def test_instruction_sets(architecture: str, drawn: tuple[Subject, Case]) -> None:
    require_runs(architecture)
    require_blocks(*drawn, architecture, 2)


def test_what_follows_is_computed_with_the_results() -> None:
    like = Sample((3, 16, 7, 9), layout="channels_last")
    row = Sample((1, 16, 1, 1))
    body = [
        ("conv2d", (0, 1), WINDOW),
        ("add", (4, 3), {}),
        ("greater", (2, 3), {}),
        ("mul", (5, 2), {}),
        ("where", (6, 5, 7), {}),
    ]
    instructions = tuple(Instruction(REGISTRY[n], s, a) for n, s, a in body)
    weight = Sample((16, 16, 3, 3), layout="channels_last")
    case = Case(like, weight, like.replace(seed=5), row, body=instructions)
    require_blocks(FUSED, case, "native", 2)


def leaf(*shape: int, dtype: torch.dtype = torch.float32) -> Node:
    return REGISTRY["input"](name="leaf", shape=shape, dtype=dtype)


@pytest.mark.parametrize(
    ("channels", "kernel", "window"),
    [
        ((16, 20), (3, 3), {"padding": 1}),  # channels that are no whole vectors
        ((3, 16), (3, 3), {"padding": 1}),
        ((16, 16), (3, 3), {"padding": 1, "stride": (1, 2)}),
        ((16, 16), (2, 2), {"stride": 2}),
        ((16, 16), (3, 3), {"padding": 2, "dilation": 2}),
        ((16, 16), (3, 3), {"padding": 1, "groups": 2}),
        ((16, 16), (3, 1), {"padding": (1, 0)}),
        ((16, 16), (1, 1), {}),
        ((16, 16), (5, 5), {"padding": 2}),
    ],
)
def test_others_have_no_blocks(
    channels: tuple[int, int], kernel: tuple[int, int], window: dict[str, Any]
) -> None:
    few, many = channels
    weight = leaf(many, few // window.get("groups", 1), *kernel)
    node = ops.conv2d(leaf(4, few, 16, 16), weight, **window)
    assert not any(kernel.supports(node) for kernel in by_blocks())


def test_few_blocks_are_not_worth_it() -> None:
    def worth(batch: int) -> bool:
        return pay_off(ops.conv2d(leaf(batch, 16, 8, 8), leaf(16, 16, 3, 3), padding=1))

    assert (worth(1), worth(2)) == (False, True)


@pytest.mark.parametrize(("side", "rows"), [(8, 4), (7, 4)])
def test_a_report_tells_what_is_saved(side: int, rows: int) -> None:
    g = GraphBuilder("convolution")
    x, w = g.input("x", (2, 16, side, side)), g.input("w", (16, 16, 3, 3))
    program = compile(g.build(y=ops.conv2d(x, w, padding=1)), backend="native")
    step = next(step for step in program.steps() if "conv2d" in step.operator)
    assert step.flops == 2 * 2 * side * side * 16 * 16 * 9
    assert step.executed == 2 * 2 * rows * rows * 16 * 16 * 16


def test_constant_filters_are_transformed_once() -> None:
    g = GraphBuilder("frozen")
    w = g.parameter("w", (16, 16, 3, 3))
    graph = g.build(y=ops.conv2d(g.input("x", (2, 16, 8, 8)), w, padding=1))
    usual, frozen = (compile(graph, backend="native", freeze=freeze) for freeze in (False, True))
    assert "once" in frozen.source()
    for seed in range(2):
        x = values(2, 16, 8, 8, seed=seed).float()
        assert torch.equal(frozen(x=x)["y"], usual(x=x)["y"])


@pytest.mark.parametrize(
    ("shape", "worth"),
    [
        ((64, 32, 8), True),
        ((8, 16, 64), False),  # few channels
        ((2, 256, 16), False),  # few blocks
        ((64, 64, 6), False),  # blocks that reach beyond the results
    ],
)
def test_strided_blocks_are_to_be_many_and_whole(shape: tuple[int, int, int], worth: bool) -> None:
    batch, channels, side = shape
    weight = leaf(channels, channels, 3, 3)
    node = ops.conv2d(leaf(batch, channels, side, side), weight, padding=1, stride=2)
    assert pay_off(node) is worth
