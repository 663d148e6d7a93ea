"""Which nodes are sums and means in C, and what their sums are divided by."""

from __future__ import annotations

import math

from engine.native.code.elements import float_type
from engine.native.code.expression import is_elementwise, number
from engine.summation import REDUCTIONS, summed
from ops import Node
from ops.fused import body_of
from ops.spec import FLOATS


def is_reduction(node: Node) -> bool:
    """Whether a node is a sum or mean, of one float type, perhaps after elementwise operators."""
    *before, last = body_of(node)
    if last.operator.name not in REDUCTIONS or not all(map(is_elementwise, before)):
        return False
    if float_type(node) is None or node.dtype not in FLOATS:
        return False
    return summed(node).ndim > 0 and 0 not in summed(node).sizes


def division(node: Node) -> str:
    """A mean's division of the sum by the number of terms, as C text; empty for a sum."""
    if body_of(node)[-1].operator.name != "mean":
        return ""
    return f" / {number(math.prod(summed(node).sizes) // math.prod(node.sizes), node.dtype)}"
