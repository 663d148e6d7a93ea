"""Random graphs, compiled, interpreted and on PyTorch's tape: three ways to the same numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from engine import REWRITES, compile, interpret
from engine.rewrites import Rewrite
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import assert_near


@given(random_graphs())
def test_interpreted_equals_pytorch(case: RandomGraph) -> None:
    for name, value in interpret(case.graph.bind(case.sizes), case.feeds).items():
        assert_near(value, case.expected[name], scale=100, case=f"{name} of {case}")


@given(random_graphs())
def test_compiled_equals_pytorch(case: RandomGraph) -> None:
    program = compile(case.graph, **case.sizes)
    for _ in range(2):
        for name, value in program(**case.feeds).items():
            assert_near(value, case.expected[name], scale=100, case=f"{name} of {case}")


@pytest.mark.parametrize("left_out", [*REWRITES, None], ids=lambda r: getattr(r, "__name__", "all"))
@settings(max_examples=max(10, settings.default.max_examples // 3))
@given(case=random_graphs())
def test_without_one_rewrite(left_out: Rewrite | None, case: RandomGraph) -> None:
    rewrites = [r for r in REWRITES if r is not left_out] if left_out else []
    program = compile(case.graph, rewrites=rewrites, **case.sizes)
    for name, value in program(**case.feeds).items():
        assert_near(value, case.expected[name], scale=100, case=f"{name} of {case}")
