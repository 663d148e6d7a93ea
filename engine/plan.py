"""The plan of a program: its steps in order, each value's place in memory, known before any run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from engine.graph import Graph, Update
from engine.kernels import Kernel
from engine.memory import Buffer, Placement, aligned
from ops import Node, Parameter, Spec

Owner = Parameter | int
"""Whose memory a value lies in: a parameter's, or that of the buffer with this index."""


@dataclass(frozen=True)
class Step:
    """One node to run.

    Attributes:
        node: what is computed.
        kernel: how; None for a view, which takes no time.
        workspaces: the buffers of the kernel's scratch tensors.
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
        start: when the first of them runs, in the unit of the buffers' lifetimes: one per step.
    """

    inputs: Mapping[str, Node]
    outputs: Mapping[str, Node]
    steps: tuple[Step, ...]
    start: int


@dataclass(frozen=True)
class Plan:
    """Everything about a program but its memory itself.

    Attributes:
        stages: run one after the other, in one memory.
        owners: in whose memory each value lies, sources before what is computed from them.
        layouts: how it lies there: tensors without data (on torch's ``meta`` device).
        constants: values that lie in memory from the start.
        copies: updates to carry out at the end, their values lying elsewhere than the parameters.
        parameters: every parameter that is read or updated.
        buffers, placement: the memory of everything but parameters.
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
