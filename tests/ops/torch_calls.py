"""PyTorch's operators in terms of ours: for each of them, the same call with nodes for tensors.

The keys are names in ``op_db``, with ``.variant`` where it has one. A call that our operators have
no counterpart for raises :class:`NotCovered`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

import ops
from ops import Node
from ops.linear_algebra import transpose

Call = Callable[..., Node]


class NotCovered(Exception):
    """Raised for what our operators do not cover; says what."""


def need(holds: object, what: str) -> None:
    """Refuse a call that uses something we have no counterpart for."""
    if not holds:
        raise NotCovered(what)


def _scaled(function: Call) -> Call:
    def call(input: Node, other: Any, *, alpha: float = 1) -> Node:
        need(alpha == 1, "alpha")
        return function(input, other)

    return call


def _reduction(function: Call) -> Call:
    def call(input: Node, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Node:
        need(dtype is None, "dtype=")
        need(input.ndim or dim is None, "an axis of a value without axes")
        # For torch an empty tuple of axes is all of them.
        return function(input, None if dim in ((), []) else dim, keepdim)

    return call


def _loss(function: Call) -> Call:
    def call(input: Node, target: Node, *, reduction: str = "mean") -> Node:
        need(reduction == "mean", "reduction other than the mean")
        need(input.shape == target.shape, "targets that broadcast")
        return function(input, target)

    return call


def _where(input: Any, condition: Any, other: Any) -> Node:
    return ops.where(condition, input, other)


def _batched(function: Call) -> Call:
    """A function of batches of images that also takes one image."""

    def call(input: Node, *arguments: Any, **named: Any) -> Node:
        if input.ndim != 3:
            return function(input, *arguments, **named)
        y = function(ops.reshape(input, (1, *input.shape)), *arguments, **named)
        return ops.reshape(y, y.shape[1:])

    return call


def _max_pool2d(input: Node, *arguments: Any, return_indices: bool = False, **named: Any) -> Node:
    need(not return_indices, "return_indices, on the same images and windows again")
    return ops.max_pool2d(input, *arguments, **named)


def _avg_pool2d(input: Node, *arguments: Any, **named: Any) -> Node:
    need(all(len(a) == 2 for a in arguments if isinstance(a, tuple)), "tuples of one number")
    return ops.avg_pool2d(input, *arguments, **named)


def _nearest(
    input: Node, size: Any = None, scale_factor: Any = None, mode: str = "nearest", **named: Any
) -> Node:
    need(input.ndim == 4, "images of another dimension than two")
    if size is not None:
        sides = size if isinstance(size, Sequence) else (size, size)
        scale_factor = tuple(a / b for a, b in zip(sides, input.sizes[2:], strict=True))
    if not isinstance(scale_factor, Sequence):
        scale_factor = (scale_factor, scale_factor)
    need(all(s == int(s) for s in scale_factor), "scales that are no whole numbers")
    need(not named.get("recompute_scale_factor"), "recompute_scale_factor")
    return ops.upsample_nearest(input, tuple(map(int, scale_factor)))


def _pad(input: Node, padding: Any, mode: str = "constant", value: float = 0.0) -> Node:
    return ops.pad(input, padding=tuple(padding), value=value or 0.0)


def _constant_pad(input: Node, padding: Any, value: float = 0.0) -> Node:
    return _pad(input, padding, value=value)


def _narrow(input: Node, dim: Any, start: Any, length: int) -> Node:
    need(isinstance(start, int), "a start that is a tensor")
    size = input.sizes[dim] if -input.ndim <= dim < input.ndim else 0
    # Ours cuts to the axis what torch refuses.
    inside = length >= 0 and -size <= start <= size - length
    need(inside or not size, "spans that reach out of the axis")
    first = start + size if start < 0 else start
    return ops.slice(input, dim, first, first + length)


def _slice(input: Node, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Node:
    return ops.slice(input, dim, start, end, step)


def _flexible(function: Call) -> Call:
    """Sizes as one sequence or as many arguments."""

    def call(input: Node, *sizes: Any) -> Node:
        first = sizes[0] if sizes else ()
        return function(input, tuple(first) if isinstance(first, Sequence) else sizes)

    return call


def _reshape(input: Node, shape: tuple[int, ...]) -> Node:
    need(not {0, -1} <= set(shape), "-1 beside 0, which ours cancels with a size of 0")
    return ops.reshape(input, shape)


def _expand_as(input: Node, other: Any) -> Node:
    return ops.expand(input, other.shape)


def _cat(tensors: Any, dim: Any = 0) -> Node:
    empty = any(isinstance(x, Node) and x.shape == (0,) for x in tensors)
    need(not empty or all(x.ndim == 1 for x in tensors), "an empty vector beside other ranks")
    return ops.concat(list(tensors), dim)


def _clone(input: Node, **named: Any) -> Node:
    need(not named, "memory_format")
    return ops.copy(input)


def _relu(input: Node, inplace: bool = False) -> Node:
    return ops.relu(input)


def _full(size: Any, value: Any, *, dtype: Any = None, device: Any = None) -> Node:
    need(dtype in (torch.float32, torch.float64), "dtypes other than float32 and float64")
    return ops.full(value=value, shape=tuple(size), dtype=dtype)


def _reversed(function: Call) -> Call:
    return lambda input, other: function(other, input)


def _transposed(input: Node) -> Node:
    return transpose(input) if input.ndim > 1 else ops.copy(input)


CALLS: dict[str, Call] = {
    "add": _scaled(ops.add),
    "sub": _scaled(ops.sub),
    "rsub": _scaled(_reversed(ops.sub)),
    "mul": ops.mul,
    "div.no_rounding_mode": ops.div,
    "true_divide": ops.div,
    "pow": ops.pow,
    "neg": ops.neg,
    "exp": ops.exp,
    "log": ops.log,
    "sqrt": ops.sqrt,
    "square": ops.square,
    "sign": ops.sign,
    "abs": ops.abs,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "max.binary": ops.maximum,
    "min.binary": ops.minimum,
    "clamp_min": ops.maximum,
    "eq": ops.equal,
    "ne": ops.not_equal,
    "lt": ops.less,
    "le": ops.less_equal,
    "gt": ops.greater,
    "ge": ops.greater_equal,
    "where": _where,
    "__radd__": _reversed(ops.add),
    "__rsub__": _reversed(ops.sub),
    "__rmul__": _reversed(ops.mul),
    "__rdiv__": _reversed(ops.div),
    "__rpow__": _reversed(ops.pow),
    "__rmatmul__": _reversed(ops.matmul),
    "nn.functional.relu": _relu,
    "nn.functional.leaky_relu": ops.leaky_relu,
    "nn.functional.softplus": ops.softplus,
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "matmul": ops.matmul,
    "mm": ops.matmul,
    "bmm": ops.matmul,
    "mv": ops.matmul,
    "dot": ops.matmul,
    "sum": _reduction(ops.sum),
    "mean": _reduction(ops.mean),
    "sum_to_size": _flexible(lambda input, shape: ops.sum_to(input, shape=shape)),
    "reshape": _flexible(_reshape),
    "view": _flexible(_reshape),
    "expand": _flexible(ops.expand),
    "broadcast_to": _flexible(ops.expand),
    "expand_as": _expand_as,
    "permute": _flexible(lambda input, dims: ops.permute(input, dims=dims)),
    "mT": _transposed,
    "cat": _cat,
    "narrow": _narrow,
    "slice": _slice,
    "nn.functional.pad.constant": _pad,
    "constant_pad_nd": _constant_pad,
    "clone": _clone,
    "full": _full,
    "nn.functional.unfold": ops.unfold,
    "nn.functional.conv2d": _batched(ops.conv2d),
    "nn.functional.conv_transpose2d": _batched(ops.conv_transpose2d),
    "nn.functional.max_pool2d": _batched(_max_pool2d),
    "nn.functional.avg_pool2d": _batched(_avg_pool2d),
    "nn.functional.interpolate.nearest": _nearest,
    "nn.functional.upsample_nearest": _nearest,
    "nn.functional.mse_loss": _loss(ops.mse),
    "nn.functional.l1_loss": _loss(ops.l1),
}
