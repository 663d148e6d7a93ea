"""Constant folding."""

from __future__ import annotations

import math

from engine.graph import Graph
from ops import Node, constant
from ops.leaves import full, is_constant
from ops.provenance import in_place_of

LARGEST = 1024
"""Maximum elements; larger values are cheaper to compute in each run than to keep."""


def fold_constants(graph: Graph) -> Graph:
    """An operator applied to constants is a constant; for values of at most LARGEST elements."""
    return graph.transform(_folded_if_small)


def fold_weights(graph: Graph) -> Graph:
    """The same for values of any size, if no value exceeds twice the size of the constant inputs.

    Large constants are usually frozen parameters. Backends match patterns in which values are
    computed from weights, so this runs after the backend's own rewrites.
    """
    return graph.transform(_folded_if_no_larger)


def _folded_if_small(node: Node) -> Node:
    return _folded(node, LARGEST)


def _folded_if_no_larger(node: Node) -> Node:
    kept = sum(_elements(source) for source in node.inputs if source.operator is not full)
    return _folded(node, 2 * kept)


def _elements(node: Node) -> int:
    return math.prod(node.sizes)


def _folded(node: Node, largest: int) -> Node:
    if not node.inputs or not all(map(is_constant, node.inputs)):
        return node
    if max(map(_elements, (node, *node.inputs))) > largest:
        return node
    values = [source.operator.forward(**source.attributes) for source in node.inputs]
    with in_place_of(node):
        return constant(value=node.operator.forward(*values, **node.attributes))
