"""A function of nodes as two programs: forward, and backward, which reads what forward kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from typing import NamedTuple

import torch

from engine import Graph, Program, Update, compile_stages, gradient, rewrite
from ops import GraphError, Node, Parameter
from ops.leaves import input as input_leaf
from ops.leaves import parameter as parameter_leaf
from ops.spec import FLOATS

InputSpec = tuple[torch.Size, torch.dtype]


class Trainable(NamedTuple):
    """A parameter and the gradient accumulated for it by backward passes."""

    value: Parameter
    gradient: Parameter


class Programs(NamedTuple):
    """A module compiled for one shape: ``backward`` reads what ``forward`` left in their memory."""

    forward: Program
    backward: Program


def compile_forward_backward(
    build: Callable[..., Node],
    inputs: Sequence[InputSpec],
    trainable: Iterable[Trainable],
    device: torch.device,
    first_input_only: bool,
) -> Programs:
    """Compile a function and its gradient for inputs of the given shapes and dtypes.

    Args:
        build: maps nodes to a node.
        inputs: shape and dtype of each.
        trainable: the parameters it may use; backward adds to their gradients.
        device: where the programs run.
        first_input_only: whether backward returns only the gradient with respect to the first
            input.

    Raises:
        GraphError: the function uses another parameter.
    """
    nodes = [
        input_leaf(name=f"input{i}", shape=tuple(shape), dtype=dtype)
        for i, (shape, dtype) in enumerate(inputs)
    ]
    output = rewrite(Graph({"output": build(*nodes)})).outputs["output"]
    seed = input_leaf(name="gradient0", shape=output.shape, dtype=output.dtype)
    wrt = [node for node in nodes if node.dtype in FLOATS]
    wrt = wrt[:1] if first_input_only else wrt
    leaves = Graph({"output": output}).parameters
    slopes = gradient(output, [*wrt, *leaves.values()], seed)
    outputs = {f"input_gradient{i}": slope for i, slope in enumerate(slopes[: len(wrt)])}
    totals = {t.value: t.gradient for t in trainable}
    updates = _accumulations(leaves, slopes[len(wrt) :], totals)
    graph = Graph({"output": output, **outputs}, updates)
    return Programs(*compile_stages(graph, [["output"], list(outputs)], device=device))


def _accumulations(
    leaves: Mapping[str, Node], slopes: Iterable[Node], totals: Mapping[Parameter, Parameter]
) -> tuple[Update, ...]:
    """Add each gradient to its parameter's total; a shared parameter has several gradients."""
    sums: dict[Parameter, Node] = {}
    for (name, leaf), slope in zip(leaves.items(), slopes, strict=True):
        if leaf.attributes["parameter"] not in totals:
            raise GraphError(
                f"build uses the parameter {name!r} of a module that is no part of this one; "
                "keep that module as an attribute"
            )
        total = totals[leaf.attributes["parameter"]]
        if total not in sums:
            sums[total] = parameter_leaf(name=f"{name} gradient", parameter=total)
        sums[total] = sums[total] + slope
    return tuple(starmap(Update, sums.items()))
