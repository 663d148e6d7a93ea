"""The native steps of a plan as one library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import cached_property

import torch

from engine.kernels.kernel import Run
from engine.native.crew import runner
from engine.native.kernel import NativeKernel
from engine.native.library import load
from engine.native.machine import Machine
from engine.native.operand import Operand, Operands
from engine.native.source import StepSource, program_source
from engine.plan import Owner, Plan, Step
from ops import Node, Parameter, Spec
from ops.fused import body_of


class NativeSteps:
    """The steps of a plan that have native kernels, compiled together.

    Raises:
        NativeError: the compiler fails.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._number: dict[Node, int] = {}
        self._steps: list[Step] = []
        for stage in plan.stages:
            for step in stage.steps:
                if isinstance(step.kernel, NativeKernel):
                    self._number[step.node] = len(self._steps)
                    self._steps.append(step)
        self._outside = {p: f"P[{i}]" for i, p in enumerate(plan.parameters)}
        self._library = load(self.source, self._machine.target) if self._steps else None

    @cached_property
    def source(self) -> str:
        """The C code of all steps; empty if there are none."""
        return program_source([self._source(step) for step in self._steps]) if self._steps else ""

    def runs(self, arena: torch.Tensor) -> Callable[[Step, Step], Run]:
        """How to run consecutive native steps, from a first to a last one, in an arena."""
        if self._library is None:
            raise ValueError("the plan has no native steps")
        addresses = [p.tensor.data_ptr() for p in self._plan.parameters]
        outside = (ctypes.c_void_p * max(1, len(addresses)))(*addresses)
        machine = self._machine
        steps = runner(self._library, machine.target, machine.threads, arena.data_ptr(), outside)
        return lambda first, last: steps(self._number[first.node], self._number[last.node] + 1)

    @property
    def _machine(self) -> Machine:
        kernel = self._steps[0].kernel
        assert isinstance(kernel, NativeKernel)
        return kernel.machine

    def _source(self, step: Step) -> StepSource:
        kernel = step.kernel
        assert isinstance(kernel, NativeKernel)
        out, *inputs = (self._operand(node) for node in (step.node, *step.node.inputs))
        scratch = [self._scratch(index, spec) for index, spec in step.workspaces]
        operands = Operands(out, tuple(inputs), tuple(scratch))
        names = ", ".join(_names(step.node))
        return StepSource(
            f"{names}: {step.node.spec}", kernel.emitter.emit(step.node, operands, kernel.machine)
        )

    def _operand(self, node: Node) -> Operand:
        return Operand.of(self._address(self._plan.owners[node]), self._plan.lying[node])

    def _scratch(self, index: int, spec: Spec) -> Operand:
        row_major = torch.empty(spec.sizes, dtype=spec.dtype, device="meta")
        return Operand.of(self._address(index), row_major)

    def _address(self, owner: Owner) -> str:
        if isinstance(owner, Parameter):
            return self._outside[owner]
        return f"A + {self._plan.placement.offsets[owner]}"


def _names(node: Node) -> Iterable[str]:
    return (step.operator.name for step in body_of(node))
