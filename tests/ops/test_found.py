"""Regression tests: faults that the laws have found, each in its smallest form."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engine import compile, gradient
from engine.graph import Graph
from engine.testing import Case, Law, Sample
from engine.testing.laws import INFER, KERNEL_EQUALITY, NO_SIDE_EFFECTS, ORACLE, SECOND_ORDER
from graphs import GraphBuilder
from ops import NumericsError, SpecError, conv_transpose2d, slice, sqrt, sum
from ops.leaves import input
from tests.ops.comparison import assert_same_function
from tests.ops.subjects import SUBJECTS
from tests.support import values

ONE = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
POOL = {"kernel_size": (1, 1), **ONE, "ceil_mode": False}
NO_IMAGES, PIXEL = Sample((0, 1, 1, 1)), Sample((1, 1, 1, 1))

CASES = [
    # The forward was named `a or b`, and nodes have no truth value: no second derivative at all.
    ("square", SECOND_ORDER, Case(Sample(()))),
    # The result was a view of the input.
    ("reshape", NO_SIDE_EFFECTS, Case(Sample(()), shape=(1,))),
    # reshape(-1) is ambiguous without elements: no operator of windows took an empty batch.
    ("conv2d", ORACLE, Case(NO_IMAGES, PIXEL, **ONE, groups=1)),
    ("conv2d_input_gradient", ORACLE, Case(NO_IMAGES, PIXEL, size=(1, 1), **ONE, groups=1)),
    (
        "conv2d_weight_gradient",
        ORACLE,
        Case(NO_IMAGES, NO_IMAGES, kernel_size=(1, 1), **ONE, groups=1),
    ),
    ("max_pool2d", ORACLE, Case(NO_IMAGES, **POOL)),
    ("sum_pool2d", ORACLE, Case(NO_IMAGES, **POOL)),
    ("sum_pool2d_adjoint", ORACLE, Case(NO_IMAGES, size=(1, 1), **POOL)),
    # infer took what forward cannot take: no channels, axes that are not there, bool images.
    ("unfold", INFER, Case(NO_IMAGES, kernel_size=(1, 1), **ONE)),
    ("fold", INFER, Case(Sample((0, 1, 1)), output_size=(1, 1), kernel_size=(1, 1), **ONE)),
    ("sum", INFER, Case(Sample((0, 0)), dim=(1,), keepdim=False)),
    ("mean", INFER, Case(Sample((1, 1)), dim=(1,), keepdim=False)),
    ("slice", INFER, Case(Sample((0,)), dim=0, start=0, end=0, step=1)),
    ("unslice", INFER, Case(Sample((0,)), size=0, dim=0, start=0, end=0, step=1)),
    ("interleave_phases", INFER, Case(Sample((0, 4, 2, 2)))),
    ("pool_select", INFER, Case(PIXEL, PIXEL, **POOL)),
    ("pool_route", INFER, Case(PIXEL, PIXEL, **POOL)),
    ("conv2d_weight_gradient", INFER, Case(PIXEL, PIXEL, kernel_size=(1, 1), **ONE, groups=1)),
    # The kernel did not broadcast two numbers to the condition's shape.
    (
        "where",
        KERNEL_EQUALITY,
        Case(Sample((3,), dtype=torch.bool), Sample(()), Sample((), seed=1)),
    ),
    # One number repeated was read as if all of the images lay in memory.
    (
        "conv2d",
        KERNEL_EQUALITY,
        Case(Sample((1, 1, 2, 2), layout="full"), Sample((1, 1, 2, 2)), **ONE, groups=1),
    ),
]


@pytest.mark.parametrize(("name", "law", "case"), CASES, ids=str)
def test_law(name: str, law: Law, case: Case) -> None:
    law(SUBJECTS[name], case)


def test_check_numerics_names_a_gradient() -> None:
    x = input(name="x", shape=(2,), dtype=torch.float64)
    (slope,) = gradient(sum(sqrt(x)), [x])
    program = compile(Graph({"slope": slope}), check_numerics=True)
    with pytest.raises(NumericsError, match="the gradient of sqrt"):
        program(x=torch.zeros(2, dtype=torch.float64))


def test_transposed_convolution_with_more_windows_than_inputs() -> None:
    arguments = {"dilation": 3, "output_padding": (2, 1)}
    assert_same_function(
        lambda x, w: conv_transpose2d(x, w, **arguments),
        lambda x, w: F.conv_transpose2d(x, w, **arguments),
        [values(1, 2, 3, 3), values(2, 3, 2, 2, seed=1)],
    )


def test_a_slice_beyond_a_named_axis_is_refused_when_it_is_bound() -> None:
    g = GraphBuilder("slice")
    graph = g.build(y=slice(g.input("x", ("N",)), 0, 0, 5))
    with pytest.raises(SpecError, match="expected 0 <= start <= end <= 3"):
        compile(graph, N=3)
