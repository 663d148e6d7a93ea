"""What random graphs are made of: values on nodes and on PyTorch's tape, and operators on both."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st

import ops
from graphs import GraphBuilder
from ops import Node
from tests.support import DOUBLE, values

Draw = Callable[..., Any]
LARGEST = 3000
"""Elements of a value; larger ones are not made."""

UNARY: dict[str, tuple[Callable[[Node], Node], Callable[[torch.Tensor], torch.Tensor]]] = {
    # Constants keep values off the kinks and the poles.
    "relu": (lambda x: ops.relu(x + 0.137), lambda x: F.relu(x + 0.137)),
    "leaky_relu": (
        lambda x: ops.leaky_relu(x - 0.211, negative_slope=0.3),
        lambda x: F.leaky_relu(x - 0.211, 0.3),
    ),
    "sigmoid": (ops.sigmoid, torch.sigmoid),
    "tanh": (ops.tanh, torch.tanh),
    "softplus": (lambda x: ops.softplus(x, beta=2.0), lambda x: F.softplus(x, 2.0)),
    "neg": (lambda x: -x, lambda x: -x),
    "exp": (lambda x: ops.exp(ops.tanh(x)), lambda x: x.tanh().exp()),
    "log": (lambda x: ops.log(1 + ops.square(x)), lambda x: (1 + x * x).log()),
    "sqrt": (lambda x: ops.sqrt(ops.square(x) + 0.5), lambda x: (x * x + 0.5).sqrt()),
    "abs": (lambda x: abs(x - 0.173), lambda x: (x - 0.173).abs()),
    "pow": (lambda x: (0.5 + ops.sigmoid(x)) ** 1.5, lambda x: (0.5 + x.sigmoid()) ** 1.5),
    "sign": (lambda x: x + ops.sign(x - 0.119), lambda x: x + (x - 0.119).sign()),
    "scale": (lambda x: 2 * x / 3 - 1, lambda x: 2 * x / 3 - 1),
    "neutral": (lambda x: ops.neg(-((x * 1 - 0.0) / 1.0)), lambda x: x * 1.0),
    "copy": (ops.copy, torch.clone),
}

BINARY: dict[str, tuple[Callable[..., Node], Callable[..., torch.Tensor]]] = {
    "add": (ops.add, torch.add),
    "sub": (ops.sub, torch.sub),
    "mul": (ops.mul, torch.mul),
    "div": (lambda a, b: a / (abs(b) + 1), lambda a, b: a / (b.abs() + 1)),
    "pow": (
        lambda a, b: (1 + ops.sigmoid(a)) ** ops.tanh(b),
        lambda a, b: (1 + a.sigmoid()) ** b.tanh(),
    ),
    "maximum": (
        lambda a, b: ops.maximum(a, b + 0.157),
        lambda a, b: torch.maximum(a, b + 0.157),
    ),
    "minimum": (
        lambda a, b: ops.minimum(a, b - 0.143),
        lambda a, b: torch.minimum(a, b - 0.143),
    ),
    "where": (
        lambda a, b: ops.where(ops.less(a, b + 0.101), a, 2 * b),
        lambda a, b: torch.where(a < b + 0.101, a, 2 * b),
    ),
}


@dataclass
class Value:
    """One value, twice."""

    node: Node
    tensor: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)


@dataclass
class Growing:
    """A graph while it is drawn."""

    draw: Draw
    builder: GraphBuilder = field(default_factory=lambda: GraphBuilder("random", DOUBLE))
    pool: list[Value] = field(default_factory=list)
    inputs: dict[str, Value] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)

    def input(self, name: str, shape: tuple[int | str, ...], sizes: dict[str, int]) -> None:
        bound = tuple(sizes[s] if isinstance(s, str) else s for s in shape)
        tensor = values(*bound, seed=len(self.pool)).requires_grad_()
        self.inputs[name] = Value(self.builder.input(name, shape), tensor)
        self.pool.append(self.inputs[name])

    def parameter(self, *shape: int) -> Value:
        """A parameter of this shape: a new one, or one that is used elsewhere already."""
        fitting = [p for p in self.parameters.values() if p.shape == shape]
        if fitting and self.draw(st.booleans()):
            return self.draw(st.sampled_from(fitting))
        name = f"p{len(self.parameters)}"
        tensor = values(*shape, seed=100 + len(self.parameters)) / math.prod(shape[1:]) ** 0.5
        value = Value(self.builder.parameter(name, shape, init=tensor), tensor.requires_grad_())
        self.parameters[name] = value
        return value

    def pick(self, fits: Callable[[Value], bool] = lambda value: True) -> Value | None:
        fitting = [value for value in self.pool if fits(value)]
        return self.draw(st.sampled_from(fitting)) if fitting else None

    def integer(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def pair(self, least: int, most: int) -> tuple[int, int]:
        return self.integer(least, most), self.integer(least, most)

    def keep(self, value: Value | None) -> None:
        """Add a value to the pool, tamed if large."""
        if value is None or not 0 < value.tensor.numel() <= LARGEST:
            return
        assert bool(value.tensor.isfinite().all())
        if float(value.tensor.detach().abs().max()) > 20:
            value = Value(ops.tanh(value.node), value.tensor.tanh())
        self.pool.append(value)
