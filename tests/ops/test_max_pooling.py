"""Which pixel of a window is the first maximum, where some are NaN or infinite."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import compile
from engine.gradient import gradient
from engine.graph import Graph
from engine.testing import Case
from engine.testing.laws import KERNEL_EQUALITY
from ops import max_pool2d
from ops.leaves import input
from tests.ops.records import LAW_EXAMPLES
from tests.ops.subjects import SUBJECTS
from tests.support import DOUBLE, same_bits


@pytest.mark.parametrize("name", ["pool_select", "pool_route"])
@settings(max_examples=LAW_EXAMPLES)
@given(data=st.data())
def test_kernels_agree_on_choosers_that_are_not_finite(name: str, data: st.DataObject) -> None:
    case: Case = data.draw(SUBJECTS[name].cases)
    x, chooser = case.inputs
    values = Case(x.replace(nonfinite=True), chooser.replace(nonfinite=True), **case.attributes)
    KERNEL_EQUALITY(SUBJECTS[name], values)


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("window", "first"),
    [
        ([1, 2, 2, 0], 1),
        ([0, 0, 0, 0], 0),
        ([-0.0, 0.0, 0.0, -0.0], 0),
        ([-INF, -INF, -INF, -INF], 0),
        ([INF, NAN, INF, NAN], 1),
        ([NAN, INF, 1, 2], 0),
        ([1, 2, 3, NAN], 3),
        ([NAN, NAN, NAN, NAN], 0),
        ([-5e-324, 5e-324, 0, -1], 1),
    ],
)
@pytest.mark.parametrize("upstream", [2.0, NAN, -INF, -0.0])
def test_the_gradient_goes_to_the_first_maximum(
    window: list[float], first: int, upstream: float
) -> None:
    x = input(name="x", shape=(1, 1, 2, 2), dtype=DOUBLE)
    seed = input(name="seed", shape=(1, 1, 1, 1), dtype=DOUBLE)
    y = max_pool2d(x, 2)
    (by_x,) = gradient(y, [x], seed=seed)
    expected = torch.zeros(4, dtype=DOUBLE)
    expected[first] = upstream
    results = compile(Graph({"y": y, "by_x": by_x}))(
        x=torch.tensor(window, dtype=DOUBLE).reshape(1, 1, 2, 2),
        seed=torch.full((1, 1, 1, 1), upstream, dtype=DOUBLE),
    )
    assert same_bits(results["by_x"].flatten(), expected)
    assert float(results["y"]) == window[first] or math.isnan(window[first])


def test_windows_that_stay_inside_need_no_copy_of_the_image() -> None:
    x = input(name="x", shape=(1, 1, 64, 64), dtype=DOUBLE)
    inside, across = (
        compile(Graph({"y": max_pool2d(x, 2, padding=padding)})).peak_bytes for padding in (0, 1)
    )
    image, pooled = 8 * 64 * 64, 8 * 32 * 32
    assert inside == image + pooled
    assert across > 2 * image
