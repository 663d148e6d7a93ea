"""Freeze parameters at their current values."""

from __future__ import annotations

from engine.graph import Graph
from ops import Node, constant
from ops.leaves import parameter
from ops.provenance import in_place_of


def freeze_parameters(graph: Graph) -> Graph:
    """Replace every parameter by a constant copy of its current value.

    Values that depend only on parameters are then computed once, by constant folding and by kernels
    that keep their rearranged weights.
    """
    return graph.transform(_frozen)


def _frozen(node: Node) -> Node:
    if node.operator is not parameter:
        return node
    value = node.attributes["parameter"].tensor
    with in_place_of(node):
        return constant(value=value.detach().to("cpu", copy=True))
