"""Joining, slicing and padding values, and the adjoints."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import torch

from ops.arguments import as_nodes, named_in_errors
from ops.dimension import Dim, Size, surely_differ
from ops.errors import SpecError
from ops.node import Node
from ops.operator import Operator, operator
from ops.shape import normalize_axes
from ops.spec import Spec, dtype_name, require_float


def _infer_concat(*specs: Spec, dim: int) -> Spec:
    first = specs[0]
    (axis,) = normalize_axes(dim, first.ndim)
    total: Size = 0
    for spec in specs:
        if spec.dtype != first.dtype:
            raise SpecError(f"expected one dtype, got {dtype_name(spec.dtype)} beside {first}")
        if spec.ndim != first.ndim or any(
            i != axis and surely_differ(a, b)
            for i, (a, b) in enumerate(zip(first.shape, spec.shape, strict=True))
        ):
            raise SpecError(f"expected shapes equal but for axis {axis}, got {first} and {spec}")
        total = total + spec.shape[axis]
    return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _concat_vjp(gradient: Node, y: Node, *inputs: Node, dim: int) -> tuple[Node, ...]:
    gradients = []
    start: Size = 0
    for x in inputs:
        end = start + x.shape[dim]
        gradients.append(_slice(gradient, dim=dim % y.ndim, start=start, end=end, step=1))
        start = end
    return tuple(gradients)


_concat = operator(
    "concat",
    infer=_infer_concat,
    forward=lambda *tensors, dim: torch.concat(tensors, dim),
    vjp=_concat_vjp,
)


@named_in_errors
def concat(tensors: Sequence[Node], dim: int = 0) -> Node:
    """Join values along an axis; all other axes must agree.

    Args:
        tensors: at least one value, of one dtype.
        dim: the axis to join along.
    """
    if isinstance(tensors, Node):
        raise SpecError("expected a sequence of nodes, as concat([a, b]), got one node")
    return _concat(*tensors, dim=dim)


def _infer_slice(spec: Spec, *, dim: int, start: Size, end: Size, step: int) -> Spec:
    (axis,) = normalize_axes(dim, spec.ndim)
    whole = spec.shape[axis]
    if any(isinstance(gap, int) and gap < 0 for gap in (start, end - start, whole - end)):
        raise SpecError(f"expected 0 <= start <= end <= {whole}, got {start} and {end}")
    size = (end - start + step - 1) // step
    return spec.with_shape((*spec.shape[:axis], size, *spec.shape[axis + 1 :]))


def _window(dim: int, start: int, end: int, step: int) -> tuple[builtins.slice, ...]:
    return (builtins.slice(None),) * dim + (builtins.slice(start, end, step),)


_slice: Operator = operator(
    "slice",
    infer=_infer_slice,
    forward=lambda input, *, dim, start, end, step: input[_window(dim, start, end, step)].clone(),
    vjp=lambda gradient, y, x, *, dim, start, end, step: unslice(
        gradient, size=x.shape[dim], dim=dim, start=start, end=end, step=step
    ),
)


@named_in_errors
def slice(
    input: Node, dim: int, start: Size | None = None, end: Size | None = None, step: int = 1
) -> Node:
    """Every ``step``-th element from ``start`` up to, but not including, ``end`` along one axis.

    Args:
        input: value of any shape and dtype.
        dim: the axis.
        start, end: as in Python: negative values count from the end, None means from the start or
            to the end, out-of-range values are clipped (unless the axis has unknown size).
        step: at least 1.
    """
    (node,) = as_nodes([input])
    (axis,) = normalize_axes(dim, node.ndim)
    for name, value in {"start": start, "end": end}.items():
        if not isinstance(value, int | Dim | None):
            raise SpecError(f"expected an integer or None as {name}, got {value!r}")
    if not isinstance(step, int) or step < 1:
        raise SpecError(f"expected a step of at least 1, got {step!r}")
    size = node.shape[axis]
    first, last = (_bound(value, size, default) for value, default in ((start, 0), (end, size)))
    if isinstance(first, int) and isinstance(last, int):
        last = max(first, last)
    return _slice(node, dim=axis, start=first, end=last, step=step)


def _bound(value: Size | None, size: Size, default: Size) -> Size:
    if value is None:
        return default
    if isinstance(value, int) and value < 0:
        value = value + size
    if isinstance(value, int) and isinstance(size, int):
        return min(max(value, 0), size)
    return value


def _place(
    input: torch.Tensor, *, size: int, dim: int, start: int, end: int, step: int
) -> torch.Tensor:
    """Place x at every ``step``-th position of an axis of zeros: the adjoint of ``slice``."""
    result = input.new_zeros((*input.shape[:dim], size, *input.shape[dim + 1 :]))
    result[_window(dim, start, end, step)] = input
    return result


def _infer_unslice(spec: Spec, *, size: Size, dim: int, start: Size, end: Size, step: int) -> Spec:
    require_float(spec)
    if not 0 <= dim < spec.ndim:
        raise SpecError(f"expected an axis from 0 to {spec.ndim - 1}, got {dim!r}")
    whole = spec.with_shape((*spec.shape[:dim], size, *spec.shape[dim + 1 :]))
    taken = _infer_slice(whole, dim=dim, start=start, end=end, step=step)
    if surely_differ(taken.shape[dim], spec.shape[dim]):
        raise SpecError(f"expected {taken.shape[dim]} elements along axis {dim}, got {spec}")
    return whole


unslice: Operator = operator(
    "unslice",
    infer=_infer_unslice,
    forward=_place,
    vjp=lambda gradient, y, x, *, size, dim, start, end, step: _slice(
        gradient, dim=dim, start=start, end=end, step=step
    ),
)


def _infer_pad(spec: Spec, *, padding: Sequence[int], value: float) -> Spec:
    require_float(spec)
    whole = isinstance(padding, Sequence) and all(isinstance(amount, int) for amount in padding)
    if not whole or len(padding) % 2 or len(padding) > 2 * spec.ndim:
        raise SpecError(
            f"expected a pair of integers for each of at most {spec.ndim} axes, got {padding!r}"
        )
    shape = list(spec.shape)
    for i in range(len(padding) // 2):
        shape[-1 - i] = shape[-1 - i] + padding[2 * i] + padding[2 * i + 1]
    if any(isinstance(size, int) and size < 0 for size in shape):
        raise SpecError(f"expected to crop no more than there is, got {padding} for {spec}")
    return spec.with_shape(shape)


def _pad(input: torch.Tensor, *, padding: Sequence[int], value: float = 0.0) -> torch.Tensor:
    """Extend axes by a constant, or crop them where the amount is negative.

    ``padding`` is (before, after) for the last axis, then for the one before it, and so on, as in
    PyTorch: ``pad(x, (left, right, top, bottom))``.
    """
    sizes = _infer_pad(Spec(tuple(input.shape), input.dtype), padding=padding, value=value).sizes
    result = input.new_full(sizes, value)
    inner, source = overlap(tuple(input.shape), padding)
    result[inner] = input[source]
    return result


def overlap(
    shape: Sequence[int], padding: Sequence[int]
) -> tuple[tuple[builtins.slice, ...], tuple[builtins.slice, ...]]:
    """The region of ``pad``'s result that is copied from its input, and its region in the input."""
    inner, source = [], []
    for axis, size in enumerate(shape):
        from_last = len(shape) - 1 - axis
        before, after = padding[2 * from_last : 2 * from_last + 2] or (0, 0)
        first, last = max(0, -before), size - max(0, -after)
        source.append(builtins.slice(first, max(first, last)))
        inner.append(builtins.slice(first + before, max(first, last) + before))
    return tuple(inner), tuple(source)


pad: Operator = operator(
    "pad",
    infer=_infer_pad,
    forward=_pad,
    vjp=lambda gradient, y, x, *, padding, value: pad(
        gradient, padding=[-amount for amount in padding]
    ),
)
