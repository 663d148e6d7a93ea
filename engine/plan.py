"""The plan of a program: its steps in order and each value's place in memory, fixed in advance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from engine.graph import Graph, Update
from engine.kernels import Kernel
from engine.memory import Buffer, Placement, aligned
from ops import Node, Parameter, Spec

Owner = Parameter | int
"""What holds a value: a parameter, or the buffer with this index."""


@dataclass(frozen=True)
class Step:
    """One node to execute.

    Attributes:
        node: the node to compute.
        kernel: computes it; None for a view, which takes no time.
        workspaces: for each scratch tensor of the kernel, its buffer and its spec.
    """

    node: Node
    kernel: Kernel | None
    workspaces: tuple[tuple[int, Spec], ...] = ()


@dataclass(frozen=True)
class Stage:
    """A part of a program that runs as a whole: feeds in, steps, results out.

    Attributes:
        inputs, outputs: name -> node.
        steps: in order.
        start: the time of the first step; buffers' lifetimes are in the same unit, one per step.
    """

    inputs: Mapping[str, Node]
    outputs: Mapping[str, Node]
    steps: tuple[Step, ...]
    start: int


@dataclass(frozen=True)
class Plan:
    """Everything about a program except the memory itself.

    Attributes:
        stages: the stages, which run in order and share memory.
        owners: what holds each value, inputs before consumers.
        layouts: the layout of each value, as a tensor without data (on torch's ``meta`` device).
        constants: values that are in memory from the start.
        copies: updates to copy into their parameters at the end, because their values are computed
            elsewhere.
        parameters: every parameter that is read or updated.
        buffers, placement: the memory of everything except parameters.
    """

    graph: Graph
    stages: tuple[Stage, ...]
    owners: Mapping[Node, Owner]
    layouts: Mapping[Node, torch.Tensor]
    constants: tuple[Node, ...]
    copies: tuple[Update, ...]
    parameters: tuple[Parameter, ...]
    buffers: tuple[Buffer, ...]
    placement: Placement

    @property
    def kernels(self) -> dict[Node, Kernel]:
        """The kernel of each node that is no view."""
        steps = [step for stage in self.stages for step in stage.steps]
        return {step.node: step.kernel for step in steps if step.kernel is not None}

    @property
    def constant_bytes(self) -> int:
        """What the constants take, from the first step to the last."""
        owners = [self.owners[node] for node in self.constants]
        return sum(aligned(self.buffers[i].nbytes) for i in owners if isinstance(i, int))
