"""Layered layout of a directed acyclic graph, from top to bottom.

Source: Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System
Structures", 1981: layers by longest path, long edges split at every layer they cross, crossings
reduced by barycentres, then positions by least squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx

Vertex = Any
"""A node of a networkx graph: anything hashable."""

SWEEPS, PLACINGS = 12, 200
"""Passes to find an order, and then positions."""
GAP, LANE = 24.0, 10.0
"""Least distance between boxes, and the width of an edge where it passes through a layer."""
STRAIGHTNESS = 8.0
"""How much more a bend within a long edge counts than one at its ends."""


@dataclass(frozen=True)
class Layout:
    """The positions of boxes and edges.

    Attributes:
        layers: boxes of each layer.
        centres: the horizontal centre of each box.
        routes: for each edge, its horizontal position in every layer from its source to its target.
        width: of the whole layout, which starts at 0.
    """

    layers: Sequence[Sequence[Vertex]]
    centres: Mapping[Vertex, float]
    routes: Mapping[tuple[Vertex, Vertex], tuple[float, ...]]
    width: float


def lay_out(graph: networkx.DiGraph, widths: Mapping[Vertex, float]) -> Layout:
    """Lay out a graph whose nodes are boxes of the given widths."""
    layers = [list(layer) for layer in networkx.topological_generations(graph)]
    chains, routed = _led_through(graph, layers)
    sizes = {node: widths.get(node, LANE) for node in routed}
    rows = _ordered(routed, _rows(layers, chains))
    places = _placed(routed, rows, sizes)
    left = min(places[node] - sizes[node] / 2 for node in routed)
    right = max(places[node] + sizes[node] / 2 for node in routed)
    return Layout(
        layers=[[node for node in row if node in graph] for row in rows],
        centres={node: places[node] - left for node in graph},
        routes={
            edge: tuple(places[node] - left for node in chain) for edge, chain in chains.items()
        },
        width=right - left,
    )


def _led_through(
    graph: networkx.DiGraph, layers: Sequence[Sequence[Vertex]]
) -> tuple[dict[tuple[Vertex, Vertex], list[Vertex]], networkx.DiGraph]:
    """Every edge as a chain of nodes one layer apart, and the graph of all chains."""
    layer_of = {node: i for i, layer in enumerate(layers) for node in layer}
    routed: networkx.DiGraph = networkx.DiGraph()
    routed.add_nodes_from(node for layer in layers for node in layer)
    chains = {}
    for source, target in graph.edges:
        between = [(source, target, i) for i in range(layer_of[source] + 1, layer_of[target])]
        chain = [source, *between, target]
        networkx.add_path(routed, chain)
        chains[source, target] = chain
    return chains, routed


def _rows(
    layers: Sequence[Sequence[Vertex]],
    chains: Mapping[tuple[Vertex, Vertex], Sequence[Vertex]],
) -> list[list[Vertex]]:
    """The nodes of each layer, including those that long edges pass through."""
    rows = [list(layer) for layer in layers]
    for chain in chains.values():
        for node in chain[1:-1]:
            rows[node[2]].append(node)
    return rows


def _ordered(routed: networkx.DiGraph, rows: list[list[Vertex]]) -> list[list[Vertex]]:
    """The rows, in the order with the fewest crossings that was found."""
    best, fewest = rows, _crossings(routed, rows)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        rows = list(rows)
        steps = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for i in steps:
            fixed = {node: place for place, node in enumerate(rows[i - 1 if down else i + 1])}
            own = {node: place for place, node in enumerate(rows[i])}
            neighbours = routed.pred if down else routed.succ

            def barycentre(node: Vertex) -> float:
                places = [fixed[other] for other in neighbours[node] if other in fixed]  # noqa: B023
                return sum(places) / len(places) if places else own[node]  # noqa: B023

            rows[i] = sorted(rows[i], key=barycentre)
        crossings = _crossings(routed, rows)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _crossings(routed: networkx.DiGraph, rows: Sequence[Sequence[Vertex]]) -> int:
    """The number of edge crossings between adjacent rows."""
    count = 0
    for upper, lower in pairwise(rows):
        place = {node: i for i, node in enumerate(lower)}
        ends = [sorted(place[t] for t in routed.succ[node]) for node in upper]
        flat = [end for group in ends for end in group]
        count += sum(a > b for i, a in enumerate(flat) for b in flat[i + 1 :])
    return count


def _placed(
    routed: networkx.DiGraph,
    rows: Sequence[Sequence[Vertex]],
    sizes: Mapping[Vertex, float],
) -> dict[Vertex, float]:
    """Centres that keep each row's order and least distances, with little bending of edges."""
    places: dict[Vertex, float] = {}
    for row in rows:
        places |= zip(row, _apart([0.0] * len(row), [1.0] * len(row), row, sizes), strict=True)
    for sweep in range(PLACINGS):
        for row in rows if sweep % 2 else reversed(rows):
            wished, weights = [], []
            for node in row:
                pulls = [
                    (places[other], _weight(node, other, sizes))
                    for other in (*routed.pred[node], *routed.succ[node])
                ]
                total = sum(weight for _, weight in pulls) or 1.0
                pulled = sum(place * weight for place, weight in pulls) / total
                wished.append(pulled if pulls else places[node])
                weights.append(total)
            places |= zip(row, _apart(wished, weights, row, sizes), strict=True)
    return places


def _weight(node: Vertex, other: Vertex, sizes: Mapping[Vertex, float]) -> float:
    lanes = (sizes[node] == LANE) + (sizes[other] == LANE)
    return STRAIGHTNESS**lanes


def _apart(
    wished: Sequence[float],
    weights: Sequence[float],
    row: Sequence[Vertex],
    sizes: Mapping[Vertex, float],
) -> list[float]:
    """The positions nearest to the wished ones that keep the least distances.

    After subtracting the distances to its left, each position must be at least the one before:
    isotonic regression, by pooling adjacent violators.
    """
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (sizes[left] + sizes[right]) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []  # mean, weight, count
    for wish, weight, offset in zip(wished, weights, offsets, strict=True):
        pools.append((wish - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, v, m), (b, w, n) = pools[-2:]
            pools[-2:] = [((a * v + b * w) / (v + w), v + w, m + n)]
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
