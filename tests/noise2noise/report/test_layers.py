"""Layouts of any graph: edges run downwards, nothing overlaps, lanes keep clear of boxes."""

from __future__ import annotations

from itertools import pairwise

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.noise2noise.report.layers import GAP, LANE, lay_out


@st.composite
def graphs(draw: st.DrawFn) -> networkx.DiGraph:
    """Any DAG of up to twelve nodes, each with its width."""
    count = draw(st.integers(1, 12))
    graph: networkx.DiGraph = networkx.DiGraph()
    graph.add_nodes_from(range(count))
    pairs = [(i, j) for j in range(count) for i in range(j)]
    graph.add_edges_from(draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else [])
    return graph


@given(graphs(), st.integers(20, 200))
def test_layouts(graph: networkx.DiGraph, width: int) -> None:
    widths = {node: float(width + 10 * (node % 3)) for node in graph}
    layout = lay_out(graph, widths)
    assert sorted(node for layer in layout.layers for node in layer) == sorted(graph)
    layer_of = {node: i for i, layer in enumerate(layout.layers) for node in layer}
    for source, target in graph.edges:
        assert layer_of[source] < layer_of[target]
        route = layout.routes[source, target]
        assert len(route) == layer_of[target] - layer_of[source] + 1
        assert (route[0], route[-1]) == (layout.centres[source], layout.centres[target])
        for place, layer in zip(
            route[1:-1], range(layer_of[source] + 1, layer_of[target]), strict=True
        ):
            for box in layout.layers[layer]:
                clear = abs(place - layout.centres[box]) - (widths[box] + LANE) / 2
                assert clear > GAP - 1e-6
    for layer in layout.layers:
        for left, right in pairwise(layer):
            distance = layout.centres[right] - layout.centres[left]
            assert distance >= (widths[left] + widths[right]) / 2 + GAP - 1e-6
    assert min(layout.centres[node] - widths[node] / 2 for node in graph) >= -1e-6
    assert max(layout.centres[node] + widths[node] / 2 for node in graph) <= layout.width + 1e-6


def test_a_chain_is_straight() -> None:
    chain = networkx.path_graph(6, create_using=networkx.DiGraph)
    layout = lay_out(chain, {node: 50.0 + 10 * node for node in chain})
    centres = list(layout.centres.values())
    assert centres == pytest.approx([centres[0]] * 6)


def test_crossings_are_undone() -> None:
    graph = networkx.DiGraph(
        [("a", "y"), ("b", "x"), ("c", "z"), ("s", "a"), ("s", "b"), ("s", "c")]
    )
    layout = lay_out(graph, dict.fromkeys(graph, 40.0))
    upper = sorted("abc", key=layout.centres.__getitem__)
    lower = sorted("xyz", key=layout.centres.__getitem__)
    assert ["yxz"["abc".index(node)] for node in upper] == lower


def test_skip_connections_of_a_u_shape_do_not_cross() -> None:
    graph = networkx.path_graph(8, create_using=networkx.DiGraph)
    graph.add_edges_from([(0, 7), (1, 6), (2, 5)])
    layout = lay_out(graph, dict.fromkeys(graph, 60.0))
    middle = 4
    lanes = [layout.routes[edge][middle - edge[0]] for edge in [(2, 5), (1, 6), (0, 7)]]
    box = layout.centres[middle]
    assert lanes == sorted(lanes, reverse=lanes[0] < box)
