"""Sums and means over axes."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ops.dimension import Shape, product
from ops.errors import SpecError
from ops.node import Node
from ops.operator import as_nodes, located, operator
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
    # torch takes an empty tuple of axes for all of them.
    return input.sum(dim, keepdim) if dim else input.clone()


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


def sum(input: Node, dim: int | Iterable[int] | None = None, keepdim: bool = False) -> Node:
    """Sum over axes: ``y = sum of x over dim``.

    Args:
        input: float value of any shape.
        dim: the axis or axes to sum over; None means all of them.
        keepdim: keep each summed axis with size 1.
    """
    return _sum(*as_nodes([input]), dim=_axes("sum", input, dim), keepdim=keepdim)


def mean(input: Node, dim: int | Iterable[int] | None = None, keepdim: bool = False) -> Node:
    """Mean over axes: :func:`sum` divided by the number of elements summed; NaN for none.

    Args:
        input: float value of any shape.
        dim: the axis or axes to average over; None means all of them.
        keepdim: keep each averaged axis with size 1.
    """
    return _mean(*as_nodes([input]), dim=_axes("mean", input, dim), keepdim=keepdim)


def _axes(name: str, input: Node, dim: int | Iterable[int] | None) -> Axes:
    try:
        return normalize_axes(dim, len(input.shape))
    except SpecError as error:
        raise located(error, name, [input], {"dim": dim}) from None
