"""Faults planted in kernels, which the law of kernels must catch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from engine.kernels import KERNELS, Kernel
from engine.kernels.kernel import Run
from ops import Node

Tensors = Sequence[torch.Tensor]
Wrap = Callable[[Node, torch.Tensor, Tensors, Tensors, Run], Run]


@dataclass(frozen=True)
class KernelFault:
    """A faulty kernel.

    Attributes:
        name: what is wrong.
        operator: whose kernel it is.
        kernel: in place of the right ones.
    """

    name: str
    operator: str
    kernel: Kernel

    def __str__(self) -> str:
        return f"kernel of {self.operator}: {self.name}"


def _changed(operator: str, fault: str, wrap: Wrap, **changes: Any) -> KernelFault:
    """The first kernel of an operator, with ``wrap`` inserted between preparation and runs."""
    right = KERNELS[operator][0]

    def prepare(node: Node, out: torch.Tensor, inputs: Tensors, scratch: Tensors) -> Run:
        return wrap(node, out, inputs, scratch, right.prepare(node, out, inputs, scratch))

    return KernelFault(fault, operator, replace(right, prepare=prepare, **changes))


def _then(action: Callable[[torch.Tensor, Tensors], object]) -> Wrap:
    def wrap(node: Node, out: torch.Tensor, inputs: Tensors, scratch: Tensors, run: Run) -> Run:
        def both() -> None:
            run()
            action(out, inputs)

        return both

    return wrap


def _once(node: Node, out: torch.Tensor, inputs: Tensors, scratch: Tensors, run: Run) -> Run:
    """Returns the first run's result forever."""
    kept: list[torch.Tensor] = []

    def stale() -> None:
        if not kept:
            run()
            kept.append(out.clone())

    return stale


def _last_row_kept(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, run: Run) -> Run:
    def partly() -> None:
        before = out.clone()
        run()
        if out.ndim:
            out[-1:].copy_(before[-1:])

    return partly


def _without_zeroing(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, run: Run) -> Run:
    """Adds to what was there before."""

    def accumulate() -> None:
        before = out.clone()
        run()
        out.add_(before)

    return accumulate


def _row_major(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, run: Run) -> Run:
    """Treats every input as row-major."""
    x = inputs[0]
    there = x.untyped_storage().nbytes() // x.itemsize - x.storage_offset()
    if there < out.numel() or out.ndim == 4:
        return run
    flat = x.as_strided((out.numel(),), (1,))
    return partial(torch.exp, flat.view(out.shape), out=out)


def _beyond(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, run: Run) -> Run:
    """Writes one element too many."""
    past = out.as_strided((1,), (1,), out.storage_offset() + out.numel())

    def write() -> None:
        run()
        past.fill_(1.0)

    return write


def _write_first(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, run: Run) -> Run:
    """Must not write into an input's memory: it writes before it has read everything."""
    a, b = inputs

    def write() -> None:
        out.fill_(0.0)
        out.add_(a)
        out.sub_(b)

    return write


KERNEL_FAULTS = [
    _changed("add", "stale result of the first run", _once),
    _changed("mul", "last row not written", _last_row_kept),
    _changed("pad", "result not cleared before it is added to", _without_zeroing),
    _changed("sum", "adds to what the last run has left", _without_zeroing),
    _changed("exp", "takes a view for row-major memory", _row_major),
    _changed("sigmoid", "writes beyond its result", _beyond),
    _changed("sub", "writes before it has read, and claims to work in place", _write_first),
    _changed("matmul", "overwrites an input", _then(lambda out, inputs: inputs[0].zero_())),
    _changed("max_pool2d", "0.05 % too large", _then(lambda out, inputs: out.mul_(1.0005))),
    _changed("conv2d", "last column negated", _then(lambda out, _: out[..., -1:].neg_())),
]
