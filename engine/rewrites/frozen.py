"""Take parameters as the numbers that they are now."""

from __future__ import annotations

from engine.graph import Graph
from ops import Node, constant
from ops.leaves import parameter
from ops.provenance import in_place_of


def freeze_parameters(graph: Graph) -> Graph:
    """Every parameter is a constant: a copy of its present value.

    What depends on parameters alone is then computed once, by other rewrites and by kernels that
    keep their weights as they read them.
    """
    return graph.transform(_frozen)


def _frozen(node: Node) -> Node:
    if node.operator is not parameter:
        return node
    value = node.attributes["parameter"].tensor
    with in_place_of(node):
        return constant(value=value.detach().to("cpu", copy=True))
