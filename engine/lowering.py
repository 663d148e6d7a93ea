"""Choosing a kernel for every node."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from engine.kernels import KERNELS, Kernel
from engine.kernels.kernel import Run
from ops import Node


def choose_kernel(node: Node) -> Kernel:
    """The kernel of least cost that supports a node; its operator's ``forward`` if none does."""
    candidates = [k for k in KERNELS.get(node.operator.name, ()) if k.supports(node)]
    return min(candidates, key=lambda kernel: kernel.cost(node), default=REFERENCE)


def _reference(
    node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], _: Sequence[torch.Tensor]
) -> Run:
    forward = partial(node.operator.forward, *inputs, **node.attributes)
    return lambda: out.copy_(forward())


REFERENCE = Kernel("reference forward", _reference)
"""For an operator without kernels, as a user's own: it allocates what ``forward`` allocates."""
