"""Fused nodes: one node for several, which a backend may compute in one pass over memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from ops.node import Node
from ops.operator import Operator, operator
from ops.provenance import in_place_of
from ops.spec import Spec


@dataclass(frozen=True, eq=False)
class Instruction:
    """One operator of a fused node. Compared by identity, as its attributes have no hash.

    Attributes:
        operator: the operator to apply.
        sources: indices of its inputs: the inputs of the fused node are counted first, then the
            results of the instructions before this one.
        attributes: the operator's attributes.
    """

    operator: Operator
    sources: tuple[int, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.operator.name}({', '.join(f'${i}' for i in self.sources)})"

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class Computation(Instruction):
    """An instruction together with the spec of its result."""

    spec: Spec


Body = tuple[Computation, ...]


def body_of(node: Node) -> Body:
    """The instructions of a fused node; of any other node, its one operator as an instruction."""
    if node.operator is not fused:
        sources = tuple(range(len(node.inputs)))
        return (Computation(node.operator, sources, node.attributes, node.spec),)
    return _inferred(tuple(x.spec for x in node.inputs), node.attributes["body"])


def fuse(nodes: Sequence[Node]) -> Node:
    """One node that computes all of these nodes and takes the place of the last.

    Args:
        nodes: inputs before consumers; only the last may have consumers outside.
    """
    inside = set(nodes)
    outside = dict.fromkeys(x for node in nodes for x in node.inputs if x not in inside)
    number = {node: i for i, node in enumerate([*outside, *nodes])}
    body = tuple(
        Instruction(n.operator, tuple(number[x] for x in n.inputs), n.attributes) for n in nodes
    )
    with in_place_of(nodes[-1], *nodes[:-1]):
        return fused(*outside, body=body)


@lru_cache(maxsize=1024)  # a compilation asks for the body of each node many times
def _inferred(inputs: tuple[Spec, ...], body: tuple[Instruction, ...]) -> Body:
    values, computations = list(inputs), []
    for step in body:
        spec = step.operator.infer(*(values[i] for i in step.sources), **step.attributes)
        values.append(spec)
        computations.append(Computation(step.operator, step.sources, step.attributes, spec))
    return tuple(computations)


def _infer(*specs: Spec, body: Sequence[Instruction]) -> Spec:
    return _inferred(specs, tuple(body))[-1].spec


def _forward(*inputs: torch.Tensor, body: Sequence[Instruction]) -> torch.Tensor:
    """Run the instructions one after the other and return the last result."""
    values: list[torch.Tensor] = list(inputs)
    for step in body:
        values.append(step.operator.forward(*(values[i] for i in step.sources), **step.attributes))
    return values[-1]


fused = operator("fused", infer=_infer, forward=_forward)
