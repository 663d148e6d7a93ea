"""Convolutions of few pixels, which read weights in place, must obey the law of kernels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import compile
from engine.kernels import Kernel
from engine.layout import strides
from engine.native.emitters import native_kernels
from engine.native.taps import few_pixels
from engine.testing import Case, Sample, Subject
from engine.testing.arrangement import Memory
from engine.testing.laws.kernels import require_kernel
from graphs import GraphBuilder
from graphs.optimizers import SGD
from ops import REGISTRY, Node
from ops.fused import Instruction, fuse
from ops.phases import tap_sums
from tests.engine.native.test_kernel_laws import ARCHITECTURES, examples, require_runs
from tests.ops.subjects import SUBJECTS
from tests.support import assert_near, values

FUSED = Subject(REGISTRY["fused"], st.nothing())
WINDOW: dict[str, Any] = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
CHANNELS = st.sampled_from((16, 32, 48))
LAYOUTS = st.sampled_from(("channels_last", "transposed", "sliced", "expanded"))


def of_few_pixels(architecture: str = "native", threads: int = 2) -> Kernel:
    kernels = native_kernels(architecture, threads)
    (kernel,) = (kernel for kernel in kernels if kernel.name == "C: taps of few pixels")
    return kernel


@st.composite
def subjects_and_cases(draw: st.DrawFn) -> tuple[Subject, Case]:
    """A convolution of any window, or of phases, and perhaps what follows it."""
    n, c, m = draw(st.integers(1, 2)), draw(CHANNELS), draw(CHANNELS)
    dtype = draw(st.sampled_from((torch.float32, torch.float64)))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    phases = draw(st.booleans())
    taps, stride, dilation = ((2, 2), (1, 1), (1, 1)) if phases else (draw(pair) for _ in range(3))
    padding = (1, 1) if phases else tuple(draw(st.integers(0, 2)) for _ in range(2))
    reach = [d * (t - 1) + 1 for d, t in zip(dilation, taps, strict=True)]
    size = [draw(st.integers(max(1, r - 2 * p), 8)) for r, p in zip(reach, padding, strict=True)]

    def sample(layout: str, *shape: int) -> Sample:
        return Sample(shape, dtype, draw(st.integers(0, 1 << 16)), layout)

    window = WINDOW | {"stride": stride, "padding": padding, "dilation": dilation}
    weight = sample("channels_last", 4 * m if phases else m, c, *taps)
    inputs = [sample(draw(LAYOUTS), n, c, *size), weight, sample("channels_last", 1, m, 1, 1)]
    body = [("conv2d", (0, 1), window)]
    if phases:
        body.append(("interleave_phases", (3,), {}))
    body += [("add", (2 + len(body), 2), {}), ("relu", (3 + len(body),), {})]
    return FUSED, Case(
        *inputs, body=tuple(Instruction(REGISTRY[name], s, a) for name, s, a in body)
    )


@examples(12)
@given(drawn=subjects_and_cases(), threads=st.integers(1, 3))
def test_the_law_of_kernels(drawn: tuple[Subject, Case], threads: int) -> None:
    assert require_kernel(*drawn, of_few_pixels(threads=threads))


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
@examples(3)
@given(drawn=subjects_and_cases())
def test_instruction_sets(architecture: str, drawn: tuple[Subject, Case]) -> None:
    require_runs(architecture)
    assert require_kernel(*drawn, of_few_pixels(architecture))


def leaf(*shape: int, dtype: torch.dtype = torch.float32) -> Node:
    return REGISTRY["input"](name="leaf", shape=shape, dtype=dtype)


def of_upsampled(x: Node, w: Node, b: Node, sums: torch.Tensor) -> Node:
    """A convolution in phases that sums the taps of its weight itself."""
    taps = ops.phase_weight(w, ops.constant(value=sums))
    phases = ops.conv2d(x, taps, padding=1)
    woven = ops.interleave_phases(phases)
    added = ops.add(woven, b)
    return fuse([taps, phases, woven, added, ops.relu(added)])


@st.composite
def upsampled_images(draw: st.DrawFn) -> list[torch.Tensor]:
    """An image, a 3x3 weight and a bias, as they are stored."""
    n, c, m = draw(st.integers(1, 2)), draw(CHANNELS), draw(CHANNELS)
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    dtype = draw(st.sampled_from((torch.float32, torch.float64)))
    shapes = ((n, c, height, width), (m, c, 3, 3), (1, m, 1, 1))
    return [
        values(*shape, seed=draw(st.integers(0, 99)), dtype=dtype).contiguous(
            memory_format=torch.channels_last
        )
        for shape in shapes
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@examples(6)
@given(inputs=upsampled_images(), threads=st.integers(1, 3))
def test_taps_that_read_the_same_pixel_of_an_upsampled_image(
    architecture: str, inputs: list[torch.Tensor], threads: int
) -> None:
    require_runs(architecture)
    x, w, b = inputs
    sums = tap_sums(x.dtype)
    node = of_upsampled(*(leaf(*t.shape, dtype=t.dtype) for t in inputs), sums)
    out = Memory(node.sizes, strides(node.sizes), node.dtype)
    kernel = of_few_pixels(architecture, threads)
    assert kernel.supports(node)
    scratch = [torch.empty(spec.sizes, dtype=spec.dtype) for spec in kernel.workspace(node)]
    kernel.prepare(node, out.tensor, [w, sums, x, b], scratch)()
    upsampled = torch.nn.functional.interpolate(x, scale_factor=2)
    assert_near(out.tensor, torch.relu(torch.conv2d(upsampled, w, padding=1) + b))
    out.require_guarded("the result")


@pytest.mark.parametrize(
    ("size", "padding", "sums", "fused"),
    [
        ((2, 4), 1, tap_sums(torch.float32), True),
        ((8, 8), 1, tap_sums(torch.float32), False),  # not few
        ((3, 4), 0, tap_sums(torch.float32), False),  # another convolution
        ((2, 4), 1, 2 * tap_sums(torch.float32), False),  # no sums
    ],
)
def test_which_taps_are_summed_where_they_are_used(
    size: tuple[int, int], padding: int, sums: torch.Tensor, fused: bool
) -> None:
    g = GraphBuilder("small")
    x, w = g.input("x", (1, 16, *size)), g.parameter("w", (16, 16, 3, 3))
    phases = ops.conv2d(x, ops.phase_weight(w, ops.constant(value=sums)), padding=padding)
    graph = g.build(y=ops.interleave_phases(phases))
    program, reference = (compile(graph, backend=backend) for backend in ("native", "torch"))
    assert ("C: sums of taps" in {step.kernel for step in program.steps()}) != fused
    image = values(1, 16, *size).float()
    assert_near(program(x=image)["y"], reference(x=image)["y"])


def test_a_weight_that_the_gradient_reads_too_is_summed_once() -> None:
    g = GraphBuilder("small")
    scale, w = g.parameter("scale", (1, 16, 1, 1)), g.parameter("w", (16, 16, 3, 3))
    scaled = ops.mul(g.input("x", (1, 16, 2, 2)), scale)
    y = ops.conv2d(ops.upsample_nearest(scaled, scale_factor=2), w, padding=1)
    graph = g.build(loss=ops.mean(ops.mul(y, y)))
    program = compile(graph, minimize="loss", optimizer=SGD(lr=0.1), backend="native")
    assert [step.operator for step in program.steps()].count("phase_weight") == 1


@pytest.mark.parametrize(
    ("image", "weight", "few"),
    [
        ((1, 16, 3, 4), (16, 16, 3, 3), True),
        ((1, 16, 5, 6), (16, 16, 3, 3), False),  # more pixels than 144 terms are worth
        ((1, 32, 5, 6), (16, 32, 3, 3), True),
        ((2, 64, 4, 4), (16, 64, 3, 3), True),
        ((2, 64, 4, 5), (16, 64, 3, 3), False),  # however many terms
    ],
)
def test_how_few(image: tuple[int, ...], weight: tuple[int, ...], few: bool) -> None:
    node = ops.conv2d(leaf(*image), leaf(*weight), padding=1)
    assert few_pixels.supports(node)
    assert few_pixels.pays_off(node) == few


@pytest.mark.parametrize("channels", [(20, 16), (16, 3)])
def test_channels_are_whole_vectors(channels: tuple[int, int]) -> None:
    few, many = channels
    node = ops.conv2d(leaf(1, few, 2, 2), leaf(many, few, 3, 3), padding=1)
    assert not few_pixels.supports(node)


def test_a_weight_that_lies_otherwise_is_turned() -> None:
    turned = ops.permute(leaf(16, 16, 3, 3), dims=(1, 0, 2, 3))
    assert not of_few_pixels().supports(ops.conv2d(leaf(1, 16, 2, 2), turned, padding=1))
    gradient = ops.conv2d_input_gradient(
        leaf(1, 16, 2, 2), leaf(16, 16, 3, 3), size=(2, 2), **WINDOW
    )
    assert not of_few_pixels().supports(gradient)


def test_the_one_convolution_without_scratch_is_of_an_image_without_a_border() -> None:
    x, w = (
        Sample((1, 16, 3, 3), layout="channels_last"),
        Sample((16, 16, 3, 3), layout="channels_last"),
    )
    case = Case(x, w, **WINDOW | {"padding": (0, 0)})
    assert require_kernel(SUBJECTS["conv2d"], case, of_few_pixels())
    inside = ops.conv2d(leaf(1, 16, 3, 3), leaf(16, 16, 3, 3))
    assert of_few_pixels().workspace(inside) == []


def test_a_program_of_a_small_image_packs_no_weights_but_constant_ones() -> None:
    g = GraphBuilder("small")
    w = g.parameter("w", (16, 16, 3, 3))
    graph = g.build(y=ops.conv2d(g.input("x", (1, 16, 2, 2)), w, padding=1))
    usual, frozen = (compile(graph, backend="native", freeze=freeze) for freeze in (False, True))
    assert [step.kernel for step in usual.steps()] == ["C: taps of few pixels"]
    assert [step.kernel for step in frozen.steps()] == ["C: taps"]
    x = values(1, 16, 2, 2).float()
    torch.testing.assert_close(frozen(x=x)["y"], usual(x=x)["y"])
