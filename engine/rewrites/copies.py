"""Recompute cheap values for each consumer instead of keeping them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

from engine.graph import Graph
from engine.order import reachable
from engine.work import flops
from ops import Node
from ops.leaves import input

WEIGHTS = frozenset({"phase_weight", "rotate_weight"})
"""Operators that turn a weight into another, element by element or by sums of a few elements."""

WORTH_COPYING = 256
"""Minimum operations of a consumer per weight element; with fewer, a copy would cost time."""


def copy_weights(graph: Graph) -> Graph:
    """Each convolution rearranges its weight for itself: f(x) = f(x).

    A value that does not depend on inputs can be computed at any time. Computing it costs next to
    nothing compared with convolving large images on a CPU; keeping it for the gradients takes
    memory just when most memory is in use.
    """
    consumers, roots = graph.consumers(), set(graph.roots)

    def is_copied(node: Node) -> bool:
        return (
            node.operator.name in WEIGHTS
            and node not in roots
            and len(consumers[node]) > 1
            and all(source.operator is not input for source in reachable([node]))
            and all(_is_busy(reader, node) for reader in consumers[node])
        )

    return with_copies(graph, {node for node in graph.nodes if is_copied(node)})


def _is_busy(reader: Node, weight: Node) -> bool:
    return flops(reader) >= WORTH_COPYING * math.prod(weight.sizes)


def with_copies(graph: Graph, copied: Collection[Node]) -> Graph:
    """Give each consumer its own copy of some nodes; without any, return the graph itself."""

    def visit(node: Node, replaced: Mapping[Node, Node]) -> Node:
        copies = {x: _copy(replaced[x], node) for x in node.inputs if x in copied}
        inputs = tuple(copies.get(x, replaced[x]) for x in node.inputs)
        return replace(replaced[node], inputs=inputs) if copies else replaced[node]

    return graph.rebuild(visit) if copied else graph


def _copy(node: Node, reader: Node) -> Node:
    """A copy of a node for one consumer, at that consumer's place in the order."""
    place = reader.provenance
    provenance = replace(node.provenance.rewritten(), forward=place.forward, serial=place.serial)
    return Node(node.operator, node.inputs, node.attributes, node.spec, provenance)
