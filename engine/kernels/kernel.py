"""The interface of kernels, which compute nodes into memory planned for them."""

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
"""For each float dtype, the integer dtype to view its bits as."""


def _none(node: Node) -> tuple[()]:
    return ()


def every_input(node: Node) -> range:
    """Indices of the inputs that an elementwise node's result may overwrite: all."""
    return range(len(node.inputs))


@dataclass(frozen=True)
class Kernel:
    """One way to compute one operator.

    Attributes:
        name: shown in reports.
        prepare: ``(node, out, inputs, workspaces) -> run``. The tensors are the final ones, so
            views are made here, once; ``run()`` writes all of ``out`` and allocates nothing.
        workspace: the specs of the scratch tensors it needs, which are contiguous with undefined
            content.
        overwrites: indices of the inputs whose memory ``out`` may share if their layouts match: the
            kernel reads their elements for the last time before it writes those of ``out``.
        supports: whether it can compute this node.
        traffic: bytes written to scratch memory and read from it, for the cost rule; None if each
            workspace is written once and read once.
        keeps: whether the first scratch tensor persists between runs: the kernel fills it once,
            from constants.
        products: the fraction of the node's products that it executes; all other operations are
            negligible beside them.
    """

    name: str
    prepare: Prepare
    workspace: Callable[[Node], Sequence[Spec]] = _none
    overwrites: Callable[[Node], Collection[int]] = _none
    supports: Callable[[Node], bool] = lambda node: True
    traffic: Callable[[Node], int] | None = None
    keeps: Callable[[Node], bool] = lambda node: False
    products: Callable[[Node], float] = lambda node: 1.0

    def scratch_traffic(self, node: Node) -> int:
        """Bytes written to scratch memory plus bytes read from it."""
        if self.traffic is not None:
            return self.traffic(node)
        return 2 * sum(spec.nbytes for spec in self.workspace(node))


def channels_last(tensor: torch.Tensor) -> torch.Tensor:
    """An NHWC view of an NCHW tensor."""
    return tensor.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Series:
    """Several runs, called one after the other."""

    runs: tuple[Run, ...]

    def __call__(self) -> None:
        """Call all runs in order."""
        for run in self.runs:
            run()


def in_sequence(runs: Iterable[Run]) -> Run:
    """Combine runs into one. Nested series are flattened, so that calling it is a flat loop."""
    flat: list[Run] = []
    for run in runs:
        flat += run.runs if isinstance(run, Series) else (run,)
    return flat[0] if len(flat) == 1 else Series(tuple(flat))


def laid_like(tensor: torch.Tensor, scratch: torch.Tensor) -> torch.Tensor:
    """A scratch tensor, viewed with another tensor's shape and strides."""
    return scratch.as_strided(tensor.shape, tensor.stride())
