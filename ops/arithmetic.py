"""Elementwise arithmetic with NumPy broadcasting.

A derivative rule may return a gradient of the broadcast shape; the engine sums it to the input's.
"""

from __future__ import annotations

import torch

from ops.comparison import equal, greater, less, where
from ops.node import Node
from ops.operator import operator
from ops.spec import Spec, broadcast_shapes, require_float, same_as_input


def broadcast(*specs: Spec, **attributes: object) -> Spec:
    """``infer`` of an elementwise operator of float values."""
    require_float(*specs)
    return specs[0].with_shape(broadcast_shapes(*(spec.shape for spec in specs)))


add = operator(
    "add",
    infer=broadcast,
    forward=lambda input, other: input + other,
    vjp=lambda gradient, y, a, b: (gradient, gradient),
    doc="""Sum of two values, elementwise: ``a + b``. Shapes broadcast; float32 or float64.""",
)

sub = operator(
    "sub",
    infer=broadcast,
    forward=lambda input, other: input - other,
    vjp=lambda gradient, y, a, b: (gradient, -gradient),
    doc="""Difference, elementwise: ``a - b``. Shapes broadcast; float32 or float64.""",
)

mul = operator(
    "mul",
    infer=broadcast,
    forward=lambda input, other: input * other,
    vjp=lambda gradient, y, a, b: (gradient * b, gradient * a),
    doc="""Product, elementwise: ``a * b``. Shapes broadcast; float32 or float64.""",
)

div = operator(
    "div",
    infer=broadcast,
    forward=lambda input, other: input / other,
    vjp=lambda gradient, y, a, b: (gradient / b, -(gradient * y) / b),
    doc="""Quotient, elementwise: ``a / b``. Shapes broadcast; float32 or float64.""",
)

neg = operator(
    "neg",
    infer=same_as_input,
    forward=lambda input: -input,
    vjp=lambda gradient, y, x: -gradient,
    doc="""Negation, elementwise: ``-x``.""",
)


def _power_vjp(gradient: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    # As in PyTorch, the derivative by the base is 0 where b = 0, and the one by the exponent is 0
    # where a = 0 <= b. Masking the arguments, not the results, keeps infinities from arising.
    constant = where(equal(a, 0), equal(b, 0), b < b)
    by_base = gradient * b * pow(a, where(constant, 0.0, b - 1))
    flat = where(equal(a, 0), b >= 0, b < b)
    return by_base, gradient * y * log(where(flat, 1.0, a))


pow = operator(
    "pow",
    infer=broadcast,
    forward=lambda input, exponent: torch.pow(input, exponent),
    vjp=_power_vjp,
    doc="""Power, elementwise: ``a ** b``. Shapes broadcast; NaN for a negative base and a broken
    exponent. Gradients at ``a = 0`` are PyTorch's.""",
)

exp = operator(
    "exp",
    infer=same_as_input,
    forward=lambda input: input.exp(),
    vjp=lambda gradient, y, x: gradient * y,
    doc="""Exponential, elementwise: e to the power of x.""",
)

log = operator(
    "log",
    infer=same_as_input,
    forward=lambda input: input.log(),
    vjp=lambda gradient, y, x: gradient / x,
    doc="""Natural logarithm, elementwise; -inf at 0, NaN below.""",
)

sqrt = operator(
    "sqrt",
    infer=same_as_input,
    forward=lambda input: input.sqrt(),
    vjp=lambda gradient, y, x: gradient / (2 * y),
    doc="""Square root, elementwise; NaN below 0. Its derivative at 0 is infinite.""",
)

square = operator(
    "square",
    infer=same_as_input,
    forward=lambda input: input * input,
    vjp=lambda gradient, y, x: gradient * (2 * x),
    doc="""Square, elementwise: ``x * x``.""",
)

sign = operator(
    "sign",
    infer=same_as_input,
    forward=lambda input: input.sign(),
    no_gradient=("input",),
    doc="""Sign, elementwise: -1, 0 or 1. Its derivative is zero everywhere.""",
)

abs = operator(
    "abs",
    infer=same_as_input,
    forward=lambda input: input.abs(),
    vjp=lambda gradient, y, x: gradient * sign(x),
    doc="""Absolute value, elementwise. Its derivative at 0 is 0, as in PyTorch.""",
)
absolute = abs


def _selected(gradient: Node, keep: Node, tie: Node) -> Node:
    return where(keep, gradient, where(tie, gradient / 2, 0.0))


maximum = operator(
    "maximum",
    infer=broadcast,
    forward=lambda input, other: torch.maximum(input, other),
    vjp=lambda gradient, y, a, b: (
        _selected(gradient, greater(a, b), equal(a, b)),
        _selected(gradient, less(a, b), equal(a, b)),
    ),
    doc="""The larger of two values, elementwise. Where equal, each gets half of the gradient.""",
)

minimum = operator(
    "minimum",
    infer=broadcast,
    forward=lambda input, other: torch.minimum(input, other),
    vjp=lambda gradient, y, a, b: (
        _selected(gradient, less(a, b), equal(a, b)),
        _selected(gradient, greater(a, b), equal(a, b)),
    ),
    doc="""The smaller of two values, elementwise. Where equal, each gets half of the gradient.""",
)
