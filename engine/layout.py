"""Memory layout of values: channels-last with four axes (images, weights), else row-major."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.kernels import VIEWS
from ops import Node
from ops.leaves import full


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, with which a value of this shape is stored."""
    order = (0, 2, 3, 1) if len(shape) == 4 else range(len(shape))
    result = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        result[axis] = step
        step *= max(1, shape[axis])
    return tuple(result)


def memory_order(shape: Sequence[int]) -> tuple[int, ...]:
    """The axes of more than one element as a value of this shape is stored, the outermost first."""
    steps = strides(shape)
    axes = (axis for axis, size in enumerate(shape) if size != 1)
    return tuple(sorted(axes, key=lambda axis: -steps[axis]))


def stored(node: Node) -> torch.Tensor:
    """A tensor without data (on torch's ``meta`` device) with the layout of the node's value."""
    if node.operator is full:
        return torch.empty((), dtype=node.dtype, device="meta").expand(node.sizes)
    return torch.empty_strided(node.sizes, strides(node.sizes), dtype=node.dtype, device="meta")


def view_of(node: Node, source: torch.Tensor) -> torch.Tensor | None:
    """The node's value as a view of its input's memory; None if it cannot be one."""
    view = VIEWS.get(node.operator.name)
    if view is None:
        return None
    try:
        return view(source, **node.attributes)
    except RuntimeError:  # raised by torch if the strides do not allow a view
        return None
