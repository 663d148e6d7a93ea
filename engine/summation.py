"""Sums and means at the end of a node's body: what they sum, and over which axes."""

from __future__ import annotations

from ops import Node, Spec
from ops.fused import body_of

REDUCTIONS = frozenset({"sum", "mean", "sum_to"})


def summed(node: Node) -> Spec:
    """What is summed: the input of the reduction, the last operator of the body."""
    values = [*(x.spec for x in node.inputs), *(step.spec for step in body_of(node))]
    (source,) = body_of(node)[-1].sources
    return values[source]


def kept_axes(node: Node) -> tuple[int, ...]:
    """The axes of what is summed, of more than one element, that the result still has."""
    last, sizes = body_of(node)[-1], summed(node).sizes
    if last.operator.name == "sum_to":
        shape = (1,) * (len(sizes) - node.ndim) + node.sizes
        return tuple(i for i, n in enumerate(sizes) if n != 1 and shape[i] != 1)
    return tuple(i for i, n in enumerate(sizes) if n != 1 and i not in last.attributes["dim"])
