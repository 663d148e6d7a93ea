"""Common subexpression elimination."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from engine.graph import Graph
from ops import Node


def merge_duplicates(graph: Graph) -> Graph:
    """Nodes with the same operator, inputs and attributes are one node: f(x) = f(x).

    Bottom-up value numbering, after Cocke and Schwartz, 1970.
    """
    first: dict[Hashable, Node] = {}

    def merged(node: Node) -> Node:
        try:
            return first.setdefault(_key(node), node)
        except TypeError:  # an attribute that cannot be compared
            return node

    return graph.transform(merged)


def _key(node: Node) -> Hashable:
    attributes = tuple((name, _comparable(value)) for name, value in node.attributes.items())
    return node.operator, node.inputs, attributes, node.spec


def _comparable(value: Any) -> Hashable:
    # 0.0 == -0.0 and True == 1, so numbers are compared by their repr.
    if isinstance(value, float | bool):
        return type(value), repr(value)
    if isinstance(value, list | tuple):
        return tuple(_comparable(item) for item in value)
    return value
