"""Chains of ten thousand nodes: no recursion, and time that grows linearly."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable

import pytest
import torch

import ops
from engine import Graph, compile, gradient, interpret
from graphs import SGD, GraphBuilder
from ops import Node
from tests.support import DOUBLE


def _damped(x: Node, w: Node) -> Node:
    return x * 0.999 + 0.001


def _activated(x: Node, w: Node) -> Node:
    return ops.tanh(ops.relu(x))


def _shared(x: Node, w: Node) -> Node:
    return x - w * x


def chain(length: int, link: Callable[[Node, Node], Node]) -> Graph:
    g = GraphBuilder("chain", DOUBLE)
    x = g.input("x", (3,))
    w = g.parameter("w", (3,), init=torch.full((3,), 1e-4))
    y = x
    for _ in range(length // 2):
        y = link(y, w)
    loss = ops.sum(y)
    by_x, by_w = gradient(loss, [x, w])
    return g.build(loss=loss, by_x=by_x, by_w=by_w)


def seconds_for(length: int, link: Callable[[Node, Node], Node]) -> float:
    """Build, differentiate, compile, run and print a chain; the time it took."""
    gc.collect()
    start = time.process_time()
    graph = chain(length, link)
    assert len(graph.nodes) > length
    program = compile(graph)
    feeds = {"x": torch.tensor([0.1, 0.2, -0.3], dtype=DOUBLE)}
    results = program(**feeds)
    assert str(graph)
    assert program.report()
    taken = time.process_time() - start
    for name, value in interpret(graph, feeds).items():
        torch.testing.assert_close(results[name], value)
    return taken


@pytest.mark.parametrize(
    "link",
    [_damped, *(pytest.param(link, marks=pytest.mark.slow) for link in (_activated, _shared))],
)
def test_ten_thousand_nodes(link: Callable[[Node, Node], Node]) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300 + _depth())
    try:
        seconds_for(100, link)
        ratio = seconds_for(10_000, link) / seconds_for(2_500, link)
    finally:
        sys.setrecursionlimit(limit)
    assert ratio < 8  # 4 if exactly in proportion, 16 if quadratic


def test_training_a_long_chain() -> None:
    g = GraphBuilder("deep")
    x, w = g.input("x", (3,)), g.parameter("w", (3,), init=torch.full((3,), 1e-4))
    y = x
    for _ in range(1_000):
        y = y - w * y
    step = compile(g.build(loss=ops.mean(y * y)), minimize="loss", optimizer=SGD(lr=1e-8))
    losses = [float(step(x=torch.ones(3))["loss"]) for _ in range(3)]
    assert losses[2] < losses[1] < losses[0]


def _depth() -> int:
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth
