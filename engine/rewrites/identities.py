"""Algebraic identities that hold bit for bit, for every value including NaN and -0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.graph import Graph
from ops import Node
from ops.leaves import is_constant


def simplify_identities(graph: Graph) -> Graph:
    """Remove operators that change nothing.

    x * 1 = 1 * x = x / 1 = x - 0 = x**1 = x; --x = x; ||x|| = |x|; relu(relu(x)) = relu(x). A
    reshape, permute, expand, sum_to, slice, unslice, pad, concat or reduction that leaves shape and
    order unchanged is its input. Two consecutive reshapes or permutes are one.

    x + 0 is left alone, since -0 + 0 = 0, and so is x * 0, since NaN * 0 = NaN.
    """
    return graph.transform(_simplified)


def _simplified(node: Node) -> Node:
    rule = _RULES.get(node.operator.name)
    return rule(node) if rule is not None else node


def _value(node: Node) -> float | None:
    """The number in a one-element constant, else None."""
    if not is_constant(node) or node.spec.numel != 1:
        return None
    return float(node.operator.forward(**node.attributes).item())


def _neutral(position: int, number: float) -> Callable[[Node], Node]:
    """A rule: if the operand at ``position`` is the neutral number, the result is the other one."""

    def rule(node: Node) -> Node:
        other = node.inputs[1 - position]
        if other.spec == node.spec and _value(node.inputs[position]) == number:
            return other
        return node

    return rule


def _either_neutral(number: float) -> Callable[[Node], Node]:
    left, right = _neutral(0, number), _neutral(1, number)

    def rule(node: Node) -> Node:
        result = left(node)
        return right(node) if result is node else result

    return rule


def _subtract_zero(node: Node) -> Node:
    x, zero = node.inputs
    # x - (-0) turns -0 into 0.
    is_zero = _value(zero) == 0 and str(_value(zero)) == "0.0"
    return x if is_zero and x.spec == node.spec else node


def _involution(node: Node) -> Node:
    (x,) = node.inputs
    return x.inputs[0] if x.operator is node.operator else node


def _idempotent(node: Node) -> Node:
    (x,) = node.inputs
    return x if x.operator is node.operator else node


def _same_shape(node: Node) -> Node:
    return node.inputs[0] if node.inputs[0].spec == node.spec else node


def _reshape(node: Node) -> Node:
    (x,) = node.inputs
    if x.operator is node.operator:
        node = replace(node, inputs=x.inputs, provenance=node.provenance.rewritten())
    return _same_shape(node)


def _permute(node: Node) -> Node:
    (x,) = node.inputs
    if x.operator is node.operator:
        order = tuple(x.attributes["dims"][d] for d in node.attributes["dims"])
        node = replace(
            node,
            inputs=x.inputs,
            attributes={"dims": order},
            provenance=node.provenance.rewritten(),
        )
    kept = tuple(d % node.ndim for d in node.attributes["dims"]) == tuple(range(node.ndim))
    return node.inputs[0] if kept else node


def _concat(node: Node) -> Node:
    return node.inputs[0] if len(node.inputs) == 1 else node


def _pad(node: Node) -> Node:
    return node if any(node.attributes["padding"]) else node.inputs[0]


def _reduction(node: Node) -> Node:
    return node if node.attributes["dim"] else node.inputs[0]


_RULES: dict[str, Callable[[Node], Node]] = {
    "mul": _either_neutral(1.0),
    "div": _neutral(1, 1.0),
    "sub": _subtract_zero,
    "pow": _neutral(1, 1.0),
    "neg": _involution,
    "abs": _idempotent,
    "relu": _idempotent,
    "reshape": _reshape,
    "permute": _permute,
    "expand": _same_shape,
    "sum_to": _same_shape,
    "slice": _same_shape,
    "unslice": _same_shape,
    "pad": _pad,
    "concat": _concat,
    "sum": _reduction,
    "mean": _reduction,
}
