"""Sums and means over axes."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ops.arguments import as_nodes, named_in_errors
from ops.dimension import Shape, product
from ops.node import Node
from ops.operator import operator
from ops.shape import Axes, expand, normalize_axes, reshape
from ops.spec import Spec, require_float


def _kept(shape: Shape, axes: Axes) -> Shape:
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def _infer_reduction(spec: Spec, *, dim: Axes, keepdim: bool) -> Spec:
    require_float(spec)
    normalize_axes(dim, spec.ndim)
    if keepdim:
        return spec.with_shape(_kept(spec.shape, dim))
    return spec.with_shape(size for axis, size in enumerate(spec.shape) if axis not in dim)


def _spread(gradient: Node, x: Node, dim: Axes) -> Node:
    """A reduction's gradient, repeated over the reduced axes."""
    return expand(reshape(gradient, _kept(x.shape, dim)), x.shape)


def _sum_forward(input: torch.Tensor, *, dim: Axes, keepdim: bool) -> torch.Tensor:
    # torch takes an empty tuple to mean all axes.
    return input.sum(dim, keepdim) if dim else input.clone()


def _axes(dim: int | Iterable[int] | None, ndim: int) -> Axes:
    """Axes counted from the front; as in PyTorch, an empty sequence means all of them."""
    return normalize_axes(dim, ndim) or normalize_axes(None, ndim)


def _mean_vjp(gradient: Node, y: Node, x: Node, *, dim: Axes, keepdim: bool) -> Node:
    count = product([x.shape[axis] for axis in dim])
    return _spread(gradient / count, x, dim)


_sum = operator(
    "sum",
    infer=_infer_reduction,
    forward=_sum_forward,
    vjp=lambda gradient, y, x, *, dim, keepdim: _spread(gradient, x, dim),
)

_mean = operator(
    "mean",
    infer=_infer_reduction,
    forward=lambda input, *, dim, keepdim: input.mean(dim, keepdim) if dim else input.clone(),
    vjp=_mean_vjp,
)


@named_in_errors
def sum(input: Node, dim: int | Iterable[int] | None = None, keepdim: bool = False) -> Node:
    """Sum over axes: ``y = sum of x over dim``.

    Args:
        input: float value of any shape.
        dim: the axis or axes to sum over; None or an empty sequence means all.
        keepdim: keep each summed axis with size 1.
    """
    (node,) = as_nodes([input])
    return _sum(node, dim=_axes(dim, node.ndim), keepdim=keepdim)


@named_in_errors
def mean(input: Node, dim: int | Iterable[int] | None = None, keepdim: bool = False) -> Node:
    """Mean over axes: :func:`sum` divided by the number of elements summed; NaN if there are none.

    Args:
        input: float value of any shape.
        dim: the axis or axes to average over; None or an empty sequence means all.
        keepdim: keep each averaged axis with size 1.
    """
    (node,) = as_nodes([input])
    return _mean(node, dim=_axes(dim, node.ndim), keepdim=keepdim)
