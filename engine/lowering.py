"""Lowering: choosing a kernel for every node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from engine.cost import seconds
from engine.kernels import KERNELS, Kernel
from engine.kernels.kernel import Run
from engine.rewrites import Rewrite
from ops import Node, Spec, SpecError

Choose = Callable[[Node], Kernel]
"""A function that chooses a node's kernel."""


@dataclass(frozen=True)
class Backend:
    """A way to compute graphs.

    Attributes:
        choose: chooses the kernel for a node.
        rewrites: prepare a graph for these kernels; they run after all others.
    """

    choose: Choose
    rewrites: tuple[Rewrite, ...] = ()


def candidates(node: Node) -> list[Kernel]:
    """The kernels that support a node, the cheapest first; its operator's ``forward`` if none."""
    found = [kernel for kernel in KERNELS.get(node.operator.name, ()) if kernel.supports(node)]
    if len(found) > 1:
        found.sort(key=lambda kernel: seconds(node, kernel))
    return found or [REFERENCE]


def choose_kernel(node: Node) -> Kernel:
    """The cheapest kernel that supports a node; its operator's ``forward`` if none does."""
    return candidates(node)[0]


def evaluate(node: Node, arguments: Sequence[torch.Tensor]) -> torch.Tensor:
    """The node's value by its operator's ``forward`` alone.

    Raises:
        SpecError: ``forward`` returned no tensor, or another shape or dtype than ``infer``
            predicted.
    """
    try:
        value = node.operator.forward(*arguments, **node.attributes)
    except Exception as error:
        error.add_note(f"in the forward of {node.operator.name!r}, used at {node.provenance}")
        raise
    if not isinstance(value, torch.Tensor):
        raise SpecError(
            f"{node.operator.name}: its forward gives no tensor but {value!r}\n"
            f"  at {node.provenance}"
        )
    if value.shape != node.shape or value.dtype != node.dtype:
        given = Spec(tuple(value.shape), value.dtype)
        raise SpecError(
            f"{node.operator.name}: its infer tells {node.spec}, its forward gives {given}\n"
            f"  at {node.provenance}"
        )
    return value


def _reference(
    node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], _: Sequence[torch.Tensor]
) -> Run:
    return lambda: out.copy_(evaluate(node, inputs))


REFERENCE = Kernel("reference forward", _reference)
"""For operators without kernels, such as a user's own. Allocates whatever ``forward`` allocates."""
