"""Arithmetic on symbolic sizes agrees with that of the integers they are bound to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.dimension import Dim, Size, bind_size

H, N = Dim.named("H"), Dim.named("N")
LEAVES = st.sampled_from([H, N]) | st.integers(-5, 5)


def grown(sizes: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    divisors = st.integers(1, 6)
    return (
        st.tuples(st.just("+"), sizes, sizes)
        | st.tuples(st.just("-"), sizes, sizes)
        | st.tuples(st.just("*"), sizes, sizes)
        | st.tuples(st.just("//"), sizes, divisors)
    )


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=8)
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
}


def evaluated(expression: Any, sizes: dict[str, int] | None = None) -> Size:
    """With the sizes, or without them as far as that goes."""
    if not isinstance(expression, tuple):
        return expression if sizes is None else bind_size(expression, sizes)
    name, left, right = expression
    return OPERATIONS[name](evaluated(left, sizes), evaluated(right, sizes))


@given(EXPRESSIONS, st.integers(0, 50), st.integers(0, 50))
def test_binding_afterwards_is_computing_with_numbers(expression: Any, h: int, n: int) -> None:
    sizes = {"H": h, "N": n}
    assert bind_size(evaluated(expression), sizes) == evaluated(expression, sizes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((2 * N + 2) // 4, (N + 1) // 2),
        (N // 2 // 2, N // 4),
        ((N // 2 + 1) // 3, (N + 2) // 6),
        (((H - 1) // 2 - 1) // 2, (H - 3) // 4),
        ((4 * H + 2 * N) // 6, (2 * H + N) // 3),
        ((5 * N + 7) // 5 - N, 1),
    ],
)
def test_floor_divisions_are_reduced(one: Size, other: Size) -> None:
    assert one == other
    assert hash(one) == hash(other)
