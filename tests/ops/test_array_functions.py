"""Reductions, shapes, matrices and arithmetic with all their arguments against PyTorch's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine.testing import shapes
from tests.ops.comparison import assert_same_function, draw_tensors
from tests.support import values


@given(data=st.data())
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_reductions(name: str, data: st.DataObject) -> None:
    shape = data.draw(shapes(min_size=1))
    axes = st.integers(-len(shape), len(shape) - 1) if shape else st.nothing()
    several = st.lists(axes, unique_by=lambda axis: axis % len(shape), min_size=1).map(tuple)
    dim = data.draw(st.one_of(st.none(), axes, several))
    keepdim = data.draw(st.booleans())
    assert_same_function(
        lambda x: getattr(ops, name)(x, dim, keepdim),
        lambda x: getattr(torch, name)(x, dim, keepdim),
        draw_tensors(data.draw, shape),
    )


BOUNDS = st.one_of(st.none(), st.integers(-8, 8))


@given(shape=shapes(min_ndim=1), start=BOUNDS, end=BOUNDS, step=st.integers(1, 3), data=st.data())
def test_slice(
    shape: tuple[int, ...], start: int | None, end: int | None, step: int, data: st.DataObject
) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    index = [slice(None)] * len(shape)
    index[dim] = slice(start, end, step)
    assert_same_function(
        lambda x: ops.slice(x, dim, start, end, step),
        lambda x: x[tuple(index)],
        draw_tensors(data.draw, shape),
    )


@given(shape=shapes(min_size=1), data=st.data())
def test_shapes(shape: tuple[int, ...], data: st.DataObject) -> None:
    dims = data.draw(st.permutations(range(len(shape))))
    flat = data.draw(st.sampled_from(((-1,), (1, -1), (-1, 1, *shape[1:]) if shape else (1,))))
    larger = (2, *(-1 if data.draw(st.booleans()) else size for size in shape))
    tensors = draw_tensors(data.draw, shape)
    assert_same_function(
        lambda x: ops.permute(x, dims=tuple(dims)), lambda x: x.permute(dims), tensors
    )
    assert_same_function(lambda x: ops.reshape(x, flat), lambda x: x.reshape(flat), tensors)
    assert_same_function(lambda x: ops.expand(x, larger), lambda x: x.expand(larger), tensors)


@given(count=st.integers(1, 3), dim=st.integers(-3, 2))
def test_concat(count: int, dim: int) -> None:
    tensors = [values(2, 3, 2, seed=i) for i in range(count)]
    assert_same_function(lambda *xs: ops.concat(xs, dim), lambda *xs: torch.cat(xs, dim), tensors)


def test_concat_of_one_value_with_itself() -> None:
    assert_same_function(lambda x: ops.concat([x, x]), lambda x: torch.cat([x, x]), [values(2, 3)])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((3,), (4, 3, 2)),
        ((4, 2, 3), (3,)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 1, 2, 3), (5, 3, 4)),
        ((0,), (0,)),
        ((2, 0), (0, 3)),
    ],
)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert_same_function(ops.matmul, torch.matmul, [values(*a), values(*b, seed=1)])
    assert_same_function(lambda a, b: a @ b, torch.matmul, [values(*a), values(*b, seed=1)])


ARITHMETIC: list[Any] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (abs(b) + 1),
    lambda a, b: (abs(a) + 1) ** b,
    lambda a, b: 2 + a - 3 * b / 4,
    lambda a, b: 1 - 2 / (abs(a) + 1) + -b,
    lambda a, b: 2**a + a**2,
    lambda a, b: a > b,
    lambda a, b: a >= 0,
    lambda a, b: a < b,
    lambda a, b: b <= 0,
]


@pytest.mark.parametrize("function", ARITHMETIC)
def test_pythons_arithmetic(function: Any) -> None:
    assert_same_function(function, function, [values(2, 3), values(3, seed=1)])
