"""One node that stands for several, which a backend may compute in one pass over memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ops.node import Node
from ops.operator import Operator, operator
from ops.provenance import in_place_of
from ops.spec import Spec


@dataclass(frozen=True)
class Instruction:
    """One operator of a fused node.

    Attributes:
        operator: what is computed.
        sources: its inputs by number: first the inputs of the fused node, then the results of the
            instructions before this one.
        attributes: of the operator.
    """

    operator: Operator
    sources: tuple[int, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.operator.name}({', '.join(f'${i}' for i in self.sources)})"

    __repr__ = __str__


@dataclass(frozen=True)
class Computation(Instruction):
    """An instruction whose result is known to have this spec."""

    spec: Spec


Body = tuple[Computation, ...]


def body_of(node: Node) -> Body:
    """What a node computes: a fused node's instructions, else the node's operator alone."""
    if node.operator is not fused:
        sources = tuple(range(len(node.inputs)))
        return (Computation(node.operator, sources, node.attributes, node.spec),)
    body = node.attributes["body"]
    results = _specs([x.spec for x in node.inputs], body)[len(node.inputs) :]
    return tuple(
        Computation(step.operator, step.sources, step.attributes, spec)
        for step, spec in zip(body, results, strict=True)
    )


def fuse(nodes: Sequence[Node]) -> Node:
    """The last of some nodes as one node that computes all of them.

    Args:
        nodes: inputs before consumers; only the last is used by others.
    """
    inside = set(nodes)
    outside = dict.fromkeys(x for node in nodes for x in node.inputs if x not in inside)
    number = {node: i for i, node in enumerate([*outside, *nodes])}
    body = tuple(
        Instruction(n.operator, tuple(number[x] for x in n.inputs), n.attributes) for n in nodes
    )
    with in_place_of(nodes[-1], *nodes[:-1]):
        return fused(*outside, body=body)


def _specs(inputs: Iterable[Spec], body: Iterable[Instruction]) -> list[Spec]:
    """Of the inputs, then of each instruction's result."""
    values = list(inputs)
    for step in body:
        values.append(step.operator.infer(*(values[i] for i in step.sources), **step.attributes))
    return values


def _infer(*specs: Spec, body: Sequence[Instruction]) -> Spec:
    return _specs(specs, body)[-1]


def _forward(*inputs: torch.Tensor, body: Sequence[Instruction]) -> torch.Tensor:
    """What its instructions compute, one after the other."""
    values: list[torch.Tensor] = list(inputs)
    for step in body:
        values.append(step.operator.forward(*(values[i] for i in step.sources), **step.attributes))
    return values[-1]


fused = operator("fused", infer=_infer, forward=_forward)
