"""Kernels: how a node is computed into memory that was planned for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ops import Node, Spec

Run = Callable[[], Any]
Tensors = Sequence[torch.Tensor]
Prepare = Callable[[Node, torch.Tensor, Tensors, Tensors], Run]

BITS = {torch.float32: torch.int32, torch.float64: torch.int64}
"""The integers as which the bits of floats are seen."""


def _none(node: Node) -> tuple[()]:
    return ()


def every_input(node: Node) -> range:
    """The inputs of an elementwise node that its result may overwrite, by number."""
    return range(len(node.inputs))


@dataclass(frozen=True)
class Kernel:
    """One way to compute one operator.

    Attributes:
        name: shown in reports.
        prepare: ``(node, out, inputs, workspaces) -> run``. The tensors are the final ones, so
            views are made here, once; ``run()`` writes all of ``out`` and allocates nothing.
        workspace: the scratch tensors it needs, contiguous; their content is undefined.
        overwrites: the inputs, by number, whose memory ``out`` may be if they lie as it does: of
            them the kernel reads an element for the last time before it writes that of ``out``.
        supports: whether it can compute this node.
        passes: bytes written to scratch memory and read from it, for the cost rule; None if each
            workspace is written once and read once.
        keeps: whether the first scratch tensor is its own from run to run: the kernel fills it
            once, from constants.
        products: the share of a node's products, its other operations being few beside them, that
            it carries out.
    """

    name: str
    prepare: Prepare
    workspace: Callable[[Node], Sequence[Spec]] = _none
    overwrites: Callable[[Node], Collection[int]] = _none
    supports: Callable[[Node], bool] = lambda node: True
    passes: Callable[[Node], int] | None = None
    keeps: Callable[[Node], bool] = lambda node: False
    products: Callable[[Node], float] = lambda node: 1.0

    def scratch_traffic(self, node: Node) -> int:
        """Bytes written to scratch memory and read from it."""
        if self.passes is not None:
            return self.passes(node)
        return 2 * sum(spec.nbytes for spec in self.workspace(node))


def channels_last(tensor: torch.Tensor) -> torch.Tensor:
    """An NCHW tensor seen as NHWC."""
    return tensor.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Series:
    """Runs, one after the other."""

    runs: tuple[Run, ...]

    def __call__(self) -> None:
        """Run all."""
        for run in self.runs:
            run()


def in_sequence(runs: Iterable[Run]) -> Run:
    """Several runs as one. Series within are taken apart, so that calling is one flat loop."""
    flat: list[Run] = []
    for run in runs:
        flat += run.runs if isinstance(run, Series) else (run,)
    return flat[0] if len(flat) == 1 else Series(tuple(flat))


def laid_like(tensor: torch.Tensor, scratch: torch.Tensor) -> torch.Tensor:
    """Scratch of a tensor's shape with the tensor's strides."""
    return scratch.as_strided(tensor.shape, tensor.stride())
