"""An operator's derivative rule as a function of tensors, and numerical derivatives to check it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from engine.gradient import gradient
from engine.graph import Graph
from engine.interpret import interpret
from engine.testing.case import Case
from ops import Node, Operator
from ops.leaves import input
from ops.spec import FLOATS

Tensors = Sequence[torch.Tensor]

STEP = 1e-5
"""Step of central differences in float64; rounding and truncation errors are both about 1e-10."""

TINY = 1e-40
"""Step of :func:`complex_step`; its square is negligible beside 1."""


class Pullback:
    """The graph of an operator applied to a case, and of its gradients by all float inputs.

    Attributes:
        inputs, output, seed: nodes; the seed is the upstream gradient.
        wrt: positions of the float inputs.
        gradients: the gradient node for each position in ``wrt``.
    """

    def __init__(self, operator: Operator, case: Case) -> None:
        tensors = case.tensors()
        self.inputs = [
            input(name=f"x{i}", shape=tuple(t.shape), dtype=t.dtype) for i, t in enumerate(tensors)
        ]
        self.output: Node = operator(*self.inputs, **case.attributes)
        self.seed = input(name="seed", shape=self.output.shape, dtype=self.output.dtype)
        self.wrt = [i for i, tensor in enumerate(tensors) if tensor.dtype in FLOATS]
        sources = [self.inputs[i] for i in self.wrt]
        self.gradients = gradient(self.output, sources, self.seed)

    def graph(self) -> Graph:
        """The graph with outputs ``y`` and, for each position in ``wrt``, ``d0``, ``d1``, ..."""
        gradients = {f"d{i}": node for i, node in zip(self.wrt, self.gradients, strict=True)}
        return Graph({"y": self.output, **gradients})

    def feeds(self, tensors: Tensors, seed: torch.Tensor, graph: Graph) -> dict[str, torch.Tensor]:
        """The feeds for the inputs that a graph depends on."""
        values = {f"x{i}": tensor for i, tensor in enumerate(tensors)} | {"seed": seed}
        return {name: values[name] for name in graph.inputs}

    def evaluate(self, nodes: Sequence[Node], tensors: Tensors, seed: torch.Tensor) -> Tensors:
        """The values of some nodes."""
        graph = Graph({str(i): node for i, node in enumerate(nodes)})
        return list(interpret(graph, self.feeds(tensors, seed, graph)).values())

    def __call__(self, tensors: Tensors, seed: torch.Tensor) -> Tensors:
        """The gradient by each input in ``wrt``."""
        return self.evaluate(self.gradients, tensors, seed)


def central_difference(
    function: Callable[[Tensors], torch.Tensor],
    tensors: Tensors,
    position: int,
    direction: torch.Tensor,
) -> torch.Tensor:
    """The derivative of a function along a direction in the tensor at ``position``."""
    ahead = function(_moved(tensors, position, STEP * direction))
    behind = function(_moved(tensors, position, -STEP * direction))
    return (ahead - behind) / (2 * STEP)


def complex_step(
    function: Callable[[Tensors], torch.Tensor],
    tensors: Tensors,
    position: int,
    direction: torch.Tensor,
) -> torch.Tensor:
    """The same for an analytic function, exact to rounding because nothing is subtracted.

    Source: Squire and Trapp, "Using complex variables to estimate derivatives of real functions",
    SIAM Review 40, 1998.
    """
    as_complex = [tensor.to(torch.complex128) for tensor in tensors]
    return function(_moved(as_complex, position, TINY * 1j * direction)).imag / TINY


def _moved(tensors: Tensors, position: int, by: torch.Tensor) -> Tensors:
    return [*tensors[:position], tensors[position] + by, *tensors[position + 1 :]]


def inner(a: torch.Tensor, b: torch.Tensor) -> float:
    """The inner product."""
    return float((a * b).sum())


def size(*tensors: torch.Tensor) -> float:
    """The product of the tensors' norms, which bounds the inner product of two tensors."""
    return math.prod(float(tensor.norm()) for tensor in tensors)
