"""Elementwise operators after a convolution: what is computed, and whose memory it may use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.kernel import every_input
from engine.native.emitters import native_kernels
from engine.testing import Case, Sample, Subject
from engine.testing.laws.kernels import require_kernel
from ops import REGISTRY
from ops.fused import Instruction, body_of
from tests.engine.native.test_kernel_laws import examples
from tests.ops.subjects.windows import geometries

Shape = tuple[int, ...]
FUSED = Subject(REGISTRY["fused"], st.nothing())
PHASES = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}


def instruction(name: str, *sources: int, **attributes: Any) -> Instruction:
    return Instruction(REGISTRY[name], sources, attributes)


def convolutions(case: Case) -> list[bool]:
    kernels = [k for k in native_kernels(threads=2) if k.name == "C: taps"]
    return [require_kernel(FUSED, case, kernel) for kernel in kernels]


@st.composite
def beginnings(draw: st.DrawFn) -> tuple[Shape, Shape, Shape, list[Instruction]]:
    """Shapes of images, weight and result, and a convolution, of phases or not, or its gradient."""
    g, batch = draw(geometries()), draw(st.integers(1, 3))
    few, many = draw(st.integers(1, 5)), draw(st.sampled_from((1, 3, 4, 5, 16, 19, 33)))
    large, size = (2 * g.size[0], 2 * g.size[1]), {"size": g.size}
    window, phases = {**g.attributes(), "groups": 1}, instruction("conv2d", 0, 1, **PHASES)
    images, woven = (batch, few, *g.size), (batch, many, *large)
    choices: list[tuple[Shape, Shape, Shape, list[Instruction]]] = [
        (images, (many, few, *g.kernel_size), (batch, many, *g.count()),
         [instruction("conv2d", 0, 1, **window)]),
        (images, (4 * many, few, 2, 2), woven, [phases, instruction("interleave_phases", 5)]),
        ((batch, few, *g.count()), (few, many, *g.kernel_size), (batch, many, *g.size),
         [instruction("conv2d_input_gradient", 0, 1, **window, **size)]),
        ((batch, few, *large), (4 * few, many, 2, 2), (batch, many, *g.size),
         [instruction("separate_phases", 0),
          instruction("conv2d_input_gradient", 5, 1, **PHASES, **size)]),
    ]  # fmt: skip
    return draw(st.sampled_from(choices))


@st.composite
def epilogues(draw: st.DrawFn) -> Case:
    """As in a training step: a sum with a value laid out like the result, a bias, a mask."""
    image, weight, result, body = draw(beginnings())
    dtype = draw(st.sampled_from((torch.float32, torch.float64)))
    seeds, layouts = st.integers(0, 1 << 16), st.sampled_from(("contiguous", "channels_last"))
    row = (1, result[1], 1, 1)
    shapes = (image, weight, result, result, draw(st.sampled_from((row, (1, 1, 1, 1), result))))
    samples = [
        Sample(shape, dtype, draw(seeds), "channels_last" if shape == result else draw(layouts))
        for shape in shapes
    ]
    total = 4 + len(body)
    after = [
        instruction("add", total, 2),
        instruction("sub", total + 1, 4),
        instruction("greater", 3, 4),
        instruction("mul", total + 2, 3),
        instruction("where", total + 3, total + 2, total + 4),
    ]
    return Case(*samples, body=(*body, *after[: draw(st.sampled_from((1, 2, 5)))]))


@examples(30)
@given(case=epilogues())
def test_a_result_may_overwrite_what_is_read_beside_it(case: Case) -> None:
    assert convolutions(case) == [True]


def square(body: tuple[Instruction, ...]) -> Case:
    """A convolution all of whose inputs but the last lie like its result."""
    like, row = Sample((3, 3, 3, 3), layout="channels_last"), Sample((1, 3, 1, 1))
    return Case(*(like.replace(seed=i) for i in range(3)), row, body=body)


CONVOLUTION = instruction("conv2d", 0, 1, **PHASES)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((instruction("add", 4, 2),), [2]),
        ((instruction("add", 4, 2), instruction("mul", 5, 2)), [2]),
        ((instruction("add", 4, 2), instruction("mul", 5, 0)), [2]),
        ((instruction("add", 4, 0), instruction("mul", 5, 1)), []),
    ],
)
def test_images_and_weights_are_not_overwritten(
    after: tuple[Instruction, ...], expected: list[int]
) -> None:
    case = square((CONVOLUTION, *after))
    nodes = [REGISTRY["input"](name=f"x{i}", shape=tuple(s.shape), dtype=s.dtype)
             for i, s in enumerate(case.inputs)]  # fmt: skip
    node = REGISTRY["fused"](*nodes, **case.attributes)
    assert len(body_of(node)) == len(after) + 1
    (kernel,) = [k for k in native_kernels() if k.supports(node)]
    assert list(kernel.overwrites(node)) == expected
    assert convolutions(case) == [True]


def test_a_false_claim_is_caught() -> None:
    (kernel,) = [k for k in native_kernels(threads=1) if k.name == "C: taps"]
    image = Sample((1, 16, 70, 64), layout="channels_last")  # of several bands
    case = Case(image, Sample((16, 16, 3, 3)), body=(CONVOLUTION, instruction("mul", 2, 2)))
    assert require_kernel(FUSED, case, kernel)
    with pytest.raises(AssertionError, match="into the memory of input 0"):
        require_kernel(FUSED, case, replace(kernel, overwrites=every_input))
