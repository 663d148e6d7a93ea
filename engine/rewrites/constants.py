"""Compute at compile time what depends on nothing."""

from __future__ import annotations

import math

from engine.graph import Graph
from ops import Node, constant
from ops.leaves import constant as constant_operator
from ops.leaves import full
from ops.provenance import in_place_of

LARGEST = 1024
"""Elements; what is larger is cheaper to compute in each run than to keep, unless constants of like
size are kept anyway."""


def fold_constants(graph: Graph) -> Graph:
    """An operator applied to constants is a constant, unless it is large and much larger."""
    return graph.transform(_folded)


def is_constant(node: Node) -> bool:
    """Whether the node is a constant leaf."""
    return node.operator is full or node.operator is constant_operator


def _elements(node: Node) -> int:
    return math.prod(node.sizes)


def _folded(node: Node) -> Node:
    if not node.inputs or not all(map(is_constant, node.inputs)):
        return node
    kept = sum(_elements(source) for source in node.inputs if source.operator is not full)
    if max(map(_elements, (node, *node.inputs))) > max(LARGEST, 2 * kept):
        return node
    values = [source.operator.forward(**source.attributes) for source in node.inputs]
    with in_place_of(node):
        return constant(value=node.operator.forward(*values, **node.attributes))
