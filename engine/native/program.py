"""The native steps of a plan as one library, with copies of feeds in and results out."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import torch

from engine.kernels.kernel import Run
from engine.native.code.operand import Operand, Operands
from engine.native.code.source import Addresses, Code, StepSource, program_source
from engine.native.copying import can_transfer, deliver, fetch
from engine.native.kernel import NativeKernel
from engine.native.toolchain.library import load
from engine.native.toolchain.target import Machine
from engine.native.toolchain.thread_pool import runner, thread_pool
from engine.plan import Owner, Plan, Stage, Step
from ops import Node, Parameter, Spec
from ops.fused import body_of


class NativeCopy(NamedTuple):
    """A copy between a value and the caller's tensor: its number, and the slot of the address."""

    number: int
    slot: int


class NativeSteps:
    """The native code of a plan: its native steps, and copies of feeds before and results after.

    Steps and copies are numbered in the order in which they run.

    Attributes:
        number: the number of each native step, by its node.
        feeds, results: each stage's copies, by the name of the feed or result.
        outside: addresses of tensors outside of the arena: of parameters, and of the caller's
            tensors, to be set before each run. A feed or result whose address is null is not
            copied.

    Raises:
        NativeError: the compiler fails.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parameters = {p: i for i, p in enumerate(plan.parameters)}
        self._slots = len(self._parameters)
        self._sources: list[StepSource] = []
        self.number: dict[Node, int] = {}
        self.feeds: list[dict[str, NativeCopy]] = []
        self.results: list[dict[str, NativeCopy]] = []
        for stage in plan.stages:
            self._write(stage)
        self._once = [once for source in self._sources for once in source.once]
        self.outside = (ctypes.c_void_p * max(1, self._slots))()
        self.source, self._library = "", None
        if self._sources:
            source = program_source([*self._sources, *self._once])
            target, threads = self._machine.target, self._machine.threads
            self.source, self._library = source.text, load(source, target)
            thread_pool(target, threads)  # now, when torch's kernels can still take over

    def _write(self, stage: Stage) -> None:
        native = [step for step in stage.steps if isinstance(step.kernel, NativeKernel)]
        self.feeds.append(self._transfers("feed", stage.inputs if native else {}, fetch))
        for step in native:
            self.number[step.node] = self._add(self._source(step))
        self.results.append(self._transfers("result", stage.outputs if native else {}, deliver))

    def _add(self, source: StepSource) -> int:
        self._sources.append(source)
        return len(self._sources) - 1

    def _transfers(
        self, kind: str, nodes: Mapping[str, Node], copy: Callable[[str, Operand, Machine], Code]
    ) -> dict[str, NativeCopy]:
        transfers = {}
        for name, node in nodes.items():
            if can_transfer(node.spec):
                at = Addresses()
                slot = at.name(f"OUTSIDE({self._slots}, 0)")
                code = copy(slot, self._operand(node, at), self._machine)
                number = self._add(StepSource(f"{kind} {name}: {node.spec}", code, at.all))
                transfers[name] = NativeCopy(number, self._slots)
                self._slots += 1
        return transfers

    def bind(self, arena: torch.Tensor) -> Callable[[int, int], Run]:
        """Bind the code to an arena; the result makes a run from a first and a last number.

        The last is included. Parameters are bound at their current addresses. Code that runs once
        runs here, so the constants must already be in the arena.
        """
        assert self._library is not None, "the plan has no native steps"
        for parameter, slot in self._parameters.items():
            self.outside[slot] = parameter.tensor.data_ptr()
        target, threads = self._machine.target, self._machine.threads
        steps = runner(self._library, target, threads, arena.data_ptr(), self.outside)
        first = len(self._sources)
        if self._once:
            steps(first, first + len(self._once))()
        return lambda first, last: steps(first, last + 1)

    @cached_property
    def _machine(self) -> Machine:
        steps = (step.kernel for stage in self._plan.stages for step in stage.steps)
        return next(kernel.machine for kernel in steps if isinstance(kernel, NativeKernel))

    def _source(self, step: Step) -> StepSource:
        kernel = step.kernel
        assert isinstance(kernel, NativeKernel)
        at = Addresses()
        out, *inputs = (self._operand(node, at) for node in (step.node, *step.node.inputs))
        scratch = [self._scratch(index, spec, at) for index, spec in step.workspaces]
        operands = Operands(out, tuple(inputs), tuple(scratch))
        code = kernel.emitter.emit(step.node, operands, kernel.machine)
        names = ", ".join(_names(step.node))
        return StepSource(f"{names}: {step.node.spec}", code, at.all)

    def _operand(self, node: Node, at: Addresses) -> Operand:
        # The address is that of a view's first element, so that all views of a kind are alike.
        layout = self._plan.layouts[node]
        offset = int(layout.storage_offset()) * layout.dtype.itemsize
        address = at.name(self._address(self._plan.owners[node], offset))
        return Operand(address, tuple(layout.shape), layout.stride(), layout.dtype)

    def _scratch(self, index: int, spec: Spec, at: Addresses) -> Operand:
        row_major = torch.empty(spec.sizes, dtype=spec.dtype, device="meta")
        return Operand.of(at.name(self._address(index)), row_major)

    def _address(self, owner: Owner, offset: int = 0) -> str:
        if isinstance(owner, Parameter):
            return f"OUTSIDE({self._parameters[owner]}, {offset})"
        return f"ARENA({self._plan.placement.offsets[owner] + offset})"


def _names(node: Node) -> Iterable[str]:
    return (step.operator.name for step in body_of(node))
