"""Activation functions, with PyTorch's derivatives at the kinks."""

from __future__ import annotations

import math

import torch

from ops.arithmetic import square
from ops.comparison import where
from ops.node import Node
from ops.operator import operator
from ops.spec import same_as_input

relu = operator(
    "relu",
    infer=same_as_input,
    forward=lambda input: input.clamp(min=0),
    vjp=lambda gradient, y, x: where(y > 0, gradient, 0.0),
    doc="""Rectified linear unit, elementwise: ``max(x, 0)``. Its derivative at 0 is 0.""",
)


def _leaky_relu_vjp(gradient: Node, y: Node, x: Node, *, negative_slope: float) -> Node:
    # y > 0 exactly where x > 0, unless the slope is negative (which flips signs) or infinite (which
    # turns 0 into NaN). Reading y instead of x lets the planner free x.
    sign = y if 0 <= negative_slope < math.inf else x
    return where(sign > 0, gradient, gradient * negative_slope)


leaky_relu = operator(
    "leaky_relu",
    infer=same_as_input,
    forward=lambda input, *, negative_slope=0.01: torch.where(
        input > 0, input, input * negative_slope
    ),
    vjp=_leaky_relu_vjp,
    doc="""Leaky ReLU, elementwise: x where x > 0, else ``negative_slope * x``.

    Its derivative at 0 is ``negative_slope``.""",
)

sigmoid = operator(
    "sigmoid",
    infer=same_as_input,
    forward=lambda input: input.sigmoid(),
    vjp=lambda gradient, y, x: gradient * (y * (1 - y)),
    doc="""Logistic sigmoid, elementwise: ``1 / (1 + exp(-x))``.""",
)

tanh = operator(
    "tanh",
    infer=same_as_input,
    forward=lambda input: input.tanh(),
    vjp=lambda gradient, y, x: gradient * (1 - square(y)),
    doc="""Hyperbolic tangent, elementwise.""",
)


def _softplus(input: torch.Tensor, *, beta: float = 1.0, threshold: float = 20.0) -> torch.Tensor:
    """Softplus, elementwise: ``log(1 + exp(beta * x)) / beta``; x where beta * x > threshold."""
    scaled = input * beta
    soft = scaled.clamp(max=threshold).exp().log1p() / beta
    return torch.where(scaled > threshold, input, soft)


softplus = operator(
    "softplus",
    infer=same_as_input,
    forward=_softplus,
    vjp=lambda gradient, y, x, *, beta, threshold: where(
        x * beta > threshold, gradient, gradient * sigmoid(x * beta)
    ),
)
