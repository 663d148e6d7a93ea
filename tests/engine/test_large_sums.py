"""Sums of many elements to one number, which torch's kernels take in steps."""

from __future__ import annotations

import pytest
import torch

import ops
from engine import compile
from graphs import GraphBuilder
from ops import Node
from tests.support import DOUBLE, allocated, assert_near, values


@pytest.mark.parametrize("shape", [(40_000,), (3, 5, 50, 70), (1, 1, 40_000)])
@pytest.mark.parametrize("reduce", [ops.sum, ops.mean])
def test_in_steps(shape: tuple[int, ...], reduce: object) -> None:
    assert callable(reduce)
    g = GraphBuilder("large", DOUBLE)
    y: Node = reduce(g.input("x", shape))
    program = compile(g.build(y=y), backend="torch")
    x = values(*shape)
    assert_near(program(x=x)["y"], getattr(torch, reduce.__name__)(x))
    assert allocated(lambda: program.borrow(x=x)) == []
