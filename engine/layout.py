"""How values lie in memory: with four axes (images, weights) channels-last, others row-major."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.kernels import VIEWS
from ops import Node
from ops.leaves import full


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, in which a value of this shape is stored."""
    order = (0, 2, 3, 1) if len(shape) == 4 else range(len(shape))
    result = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        result[axis] = step
        step *= max(1, shape[axis])
    return tuple(result)


def stored(node: Node) -> torch.Tensor:
    """A tensor without data (on torch's ``meta`` device) that lies as the node's value does."""
    if node.operator is full:
        return torch.empty((), dtype=node.dtype, device="meta").expand(node.sizes)
    return torch.empty_strided(node.sizes, strides(node.sizes), dtype=node.dtype, device="meta")


def view_of(node: Node, source: torch.Tensor) -> torch.Tensor | None:
    """The node's value as a view of its input's memory; None where it cannot be one."""
    view = VIEWS.get(node.operator.name)
    if view is None:
        return None
    try:
        return view(source, **node.attributes)
    except RuntimeError:  # torch's word that the strides do not allow it
        return None
