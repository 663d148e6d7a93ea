"""Concatenate values instead of adding zero-padded ones."""

from __future__ import annotations

from engine.graph import Graph
from ops import Node, concat, unslice
from ops.provenance import in_place_of


def join_slices(graph: Graph) -> Graph:
    """The sum of adjacent values, each padded with zeros, is their concatenation, padded.

    ``unslice(a, start=s, end=m) + unslice(b, start=m, end=e) = unslice(concat([a, b]), start=s,
    end=e)``, exact except for the sign of zero: -0 + 0 = 0. Such sums arise as gradients of values
    that are used slice by slice.
    """
    return graph.transform(_joined)


def _joined(node: Node) -> Node:
    if node.operator.name != "add" or not all(map(_is_placed, node.inputs)):
        return node
    first, second = sorted(node.inputs, key=lambda placed: placed.attributes["start"])
    a, b = first.attributes, second.attributes
    if (a["dim"], a["size"], a["end"]) != (b["dim"], b["size"], b["start"]):
        return node
    if first.spec != second.spec:  # added with broadcasting
        return node
    with in_place_of(node):
        joined = concat([first.inputs[0], second.inputs[0]], dim=a["dim"])
        return unslice(joined, **{**a, "end": b["end"]})


def _is_placed(node: Node) -> bool:
    return node.operator is unslice and node.attributes["step"] == 1
