"""Kernels whose code is C, generated for one node's exact shapes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from engine.kernels.kernel import Kernel, Run
from engine.native.code.operand import Operand, Operands
from engine.native.code.source import Code, StepSource, program_source
from engine.native.toolchain.library import load
from engine.native.toolchain.target import Machine
from engine.native.toolchain.thread_pool import runner
from ops import Node, Spec


def _no_scratch(node: Node, machine: Machine) -> Sequence[Spec]:
    return ()


def _overwrites_nothing(node: Node) -> Collection[int]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Emitter:
    """How one family of nodes becomes C.

    Attributes:
        name: shown in reports.
        supports: whether it can compute a node.
        pays_off: whether, unmeasured, to prefer it to the emitters after it and to torch's kernels.
        emit: writes the code of the step.
        scratch: the scratch tensors it needs.
        overwrites, keeps, products: as in :class:`engine.kernels.Kernel`.
    """

    name: str
    supports: Callable[[Node], bool]
    emit: Callable[[Node, Operands, Machine], Code]
    pays_off: Callable[[Node], bool] = lambda node: True
    scratch: Callable[[Node, Machine], Sequence[Spec]] = _no_scratch
    overwrites: Callable[[Node], Collection[int]] = _overwrites_nothing
    keeps: Callable[[Node], bool] = lambda node: False
    products: Callable[[Node], float] = lambda node: 1.0


@dataclass(frozen=True, kw_only=True)
class NativeKernel(Kernel):
    """A kernel with C code. A program has them in one library and runs consecutive ones as one."""

    emitter: Emitter
    machine: Machine

    @staticmethod
    def of(emitter: Emitter, machine: Machine) -> NativeKernel:
        """The kernel of an emitter on a machine."""
        return NativeKernel(
            emitter.name,
            partial(_alone, emitter, machine),
            lambda node: emitter.scratch(node, machine),
            emitter.overwrites,
            emitter.supports,
            keeps=emitter.keeps,
            products=emitter.products,
            emitter=emitter,
            machine=machine,
        )


def _alone(
    emitter: Emitter,
    machine: Machine,
    node: Node,
    out: torch.Tensor,
    inputs: Sequence[torch.Tensor],
    workspaces: Sequence[torch.Tensor],
) -> Run:
    """Compile one step by itself, with all of its operands outside of any arena."""
    tensors = [out, *inputs, *workspaces]
    # Addresses are those of whole storages: the operands hold the offsets of views.
    operands = [Operand.of(f"O[{i}]", tensor) for i, tensor in enumerate(tensors)]
    inside = Operands(
        operands[0], tuple(operands[1 : len(inputs) + 1]), tuple(operands[len(inputs) + 1 :])
    )
    outside = (ctypes.c_void_p * len(tensors))(*(t.untyped_storage().data_ptr() for t in tensors))
    addresses = tuple(f"OUTSIDE({i}, 0)" for i in range(len(tensors)))
    step = StepSource(emitter.name, emitter.emit(node, inside, machine), addresses)
    steps = [*step.once, step]
    library = load(program_source(steps), machine.target)
    run = runner(library, machine.target, machine.threads, 0, outside)(0, len(steps))
    # The code has only the tensors' addresses: keep them alive for as long as it can run.
    return partial(_run_beside, tensors, run)


def _run_beside(tensors: Sequence[torch.Tensor], run: Run) -> None:
    run()
