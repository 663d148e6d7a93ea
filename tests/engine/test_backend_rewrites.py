"""Rewrites that backends add: fusion, frozen parameters and what is folded of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given

import ops
from engine import Graph, compile, interpret, rewrite
from engine.native.emitters import is_native
from engine.rewrites.constants import fold_weights
from engine.rewrites.frozen import freeze_parameters
from engine.rewrites.fusion import fuse_neighbours
from graphs import GraphBuilder
from ops import Node
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import DOUBLE, assert_near, same_bits, values


def require_same(case: RandomGraph, rewritten: Graph) -> None:
    rewritten.check()
    expected = interpret(case.graph, case.feeds)
    for name, value in interpret(rewritten, case.feeds).items():
        assert same_bits(value, expected[name]), name


@given(random_graphs(named=False))
def test_fused_neighbours_compute_the_same_bits(case: RandomGraph) -> None:
    require_same(case, fuse_neighbours(case.graph, is_native))


@given(random_graphs(named=False))
def test_whatever_is_fused_computes_the_same_bits(case: RandomGraph) -> None:
    require_same(case, fuse_neighbours(case.graph, lambda node: True))


@given(random_graphs(named=False))
def test_frozen_parameters_compute_the_same_bits(case: RandomGraph) -> None:
    frozen = freeze_parameters(case.graph)
    assert not frozen.parameters
    require_same(case, frozen)
    require_same(case, fold_weights(frozen))


def names(nodes: tuple[Node, ...]) -> list[str]:
    return [node.operator.name for node in nodes if node.inputs]


def layer() -> Graph:
    """A convolution of an upsampled image, and what follows it elementwise."""
    g = GraphBuilder("layer", DOUBLE)
    x, w = g.input("x", (1, 2, 4, 4)), g.parameter("w", (3, 2, 3, 3), init=values(3, 2, 3, 3))
    y = ops.relu(ops.conv2d(ops.upsample_nearest(x, 2), w, padding=1) * 2)
    return rewrite(g.build(y=y))


def test_a_layer_is_one_node_beside_its_weight() -> None:
    graph = layer()
    fused = fuse_neighbours(graph, is_native)
    assert len(names(graph.nodes)) > 2
    assert names(fused.nodes) == ["phase_weight", "fused"]
    assert names(fuse_neighbours(graph, lambda node: False).nodes) == names(graph.nodes)


def test_what_comes_before_a_sum_that_is_left_to_torch_is_fused_all_the_same() -> None:
    g = GraphBuilder("statistics")
    x = g.input("x", (40, 3, 9, 7))
    graph = g.build(y=ops.mean(ops.square(x * 2.0 + 1.0), (0, 1)))
    fused = fuse_neighbours(graph, is_native)
    assert names(fused.nodes) == ["fused", "mean"]


def test_what_is_made_of_frozen_weights_is_folded() -> None:
    graph = layer()
    assert "phase_weight" in names(graph.nodes)
    assert "phase_weight" in names(fold_weights(graph).nodes)
    assert "phase_weight" not in names(fold_weights(freeze_parameters(graph)).nodes)


@pytest.mark.parametrize("shape", [(300, 16), (300, 16, 1), (300, 1, 16, 1)])
def test_an_axis_of_one_element_is_none_to_a_sum(shape: tuple[int, ...]) -> None:
    g = GraphBuilder("columns")
    graph = g.build(y=ops.sum(ops.square(g.input("x", shape)), 0))
    assert names(fuse_neighbours(graph, is_native).nodes) == ["fused"]
    feeds = {"x": values(*shape, dtype=torch.float32)}
    assert_near(compile(graph, backend="native")(**feeds)["y"], interpret(graph, feeds)["y"])
