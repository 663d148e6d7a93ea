"""Changes of shape: no arithmetic but the sums that undo a repetition."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence

import torch

from ops.dimension import Shape, Size, product, surely_differ
from ops.errors import SpecError
from ops.node import Node
from ops.operator import Operator, as_nodes, located, operator
from ops.spec import Spec, dtype_name, format_shape, require_float

Axes = tuple[int, ...]


def normalize_axes(dim: int | Iterable[int] | None, ndim: int) -> Axes:
    """Axes counted from the front, sorted; None means all.

    Raises:
        SpecError: an axis is out of range, named twice or not an integer.
    """
    given = range(ndim) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    for axis in given:
        if not isinstance(axis, int) or not -ndim <= axis < ndim:
            raise SpecError(f"expected axes from {-ndim} to {ndim - 1}, got {axis!r}")
    axes = tuple(sorted(axis % ndim for axis in given))
    if len(set(axes)) < len(axes):
        raise SpecError(f"expected distinct axes, got {dim!r}")
    return axes


def _infer_reshape(spec: Spec, *, shape: Shape) -> Spec:
    if surely_differ(spec.size, product(shape)):
        raise SpecError(
            f"expected a shape of {spec.size} elements, got {format_shape(shape)}"
            f" of {product(shape)}"
        )
    return spec.with_shape(shape)


_reshape: Operator = operator(
    "reshape",
    infer=_infer_reshape,
    forward=lambda input, *, shape: input.reshape(shape),
    vjp=lambda gradient, y, x, *, shape: _reshape(gradient, shape=x.shape),
)


def reshape(input: Node, shape: Iterable[Size]) -> Node:
    """The same elements, in row-major order, in another shape.

    Args:
        input: value of any shape and dtype.
        shape: sizes whose product is the number of elements; one may be -1, to be worked out.
    """
    (node,) = as_nodes([input])
    shape = tuple(shape)
    try:
        return _reshape(node, shape=_fill_in(shape, node.spec.size))
    except SpecError as error:
        if "\n" in str(error):
            raise
        raise located(error, "reshape", [input], {"shape": shape}) from None


def _fill_in(shape: Shape, size: Size) -> Shape:
    if shape.count(-1) == 0:
        return shape
    known = product([s for s in shape if s != -1])
    if shape.count(-1) > 1 or not isinstance(known, int) or known == 0:
        raise SpecError("expected at most one -1, beside fixed sizes other than 0")
    return tuple(size // known if s == -1 else s for s in shape)


def _infer_expand(spec: Spec, *, shape: Shape) -> Spec:
    _require_expandable(spec.shape, shape)
    return spec.with_shape(shape)


def _require_expandable(small: Shape, large: Shape) -> None:
    aligned = large[len(large) - len(small) :]
    if len(small) > len(large) or any(
        a != 1 and surely_differ(a, b) for a, b in zip(small, aligned, strict=True)
    ):
        raise SpecError(f"{format_shape(small)} does not broadcast to {format_shape(large)}")


_expand: Operator = operator(
    "expand",
    infer=_infer_expand,
    forward=lambda input, *, shape: input.expand(shape).clone(),
    vjp=lambda gradient, y, x, *, shape: sum_to(gradient, shape=x.shape),
)


def expand(input: Node, shape: Iterable[Size]) -> Node:
    """Broadcast to a shape: new leading axes, and axes of size 1 repeated.

    Args:
        input: value of any shape and dtype.
        shape: the broadcast shape; -1 keeps the size of that axis.
    """
    (node,) = as_nodes([input])
    shape = tuple(shape)
    offset = len(shape) - node.ndim
    filled = (node.shape[i - offset] if s == -1 and i >= offset else s for i, s in enumerate(shape))
    return _expand(node, shape=tuple(filled))


def _infer_sum_to(spec: Spec, *, shape: Shape) -> Spec:
    require_float(spec)
    _require_expandable(shape, spec.shape)
    return spec.with_shape(shape)


sum_to: Operator = operator(
    "sum_to",
    infer=_infer_sum_to,
    forward=lambda input, *, shape: input.sum_to_size(shape).clone(),
    vjp=lambda gradient, y, x, *, shape: _expand(gradient, shape=x.shape),
    doc="""Undo a broadcast: sum over the axes that broadcasting ``shape`` to x would repeat.

    ``sum_to(x, shape)`` is the adjoint of ``expand``.""",
)


permute: Operator = operator(
    "permute",
    infer=lambda spec, *, dims: spec.with_shape(spec.shape[d] for d in _permutation(dims, spec)),
    forward=lambda input, *, dims: input.permute(dims).clone(),
    vjp=lambda gradient, y, x, *, dims: permute(gradient, dims=_inverse(dims)),
    doc="""Reorder the axes: axis i of the result is axis ``dims[i]`` of the input.""",
)


def _permutation(dims: Sequence[int], spec: Spec) -> Sequence[int]:
    if len(dims) != spec.ndim or normalize_axes(dims, spec.ndim) != tuple(range(spec.ndim)):
        raise SpecError(f"expected an order of {spec.ndim} axes, got {tuple(dims)}")
    return dims


def _inverse(dims: Sequence[int]) -> Axes:
    positive = [d % len(dims) for d in dims]
    return tuple(positive.index(axis) for axis in range(len(dims)))


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


def concat(tensors: Sequence[Node], dim: int = 0) -> Node:
    """Join values along an axis; all other axes must agree.

    Args:
        tensors: at least one value, of one dtype.
        dim: the axis to join along.
    """
    return _concat(*tensors, dim=dim)


def _infer_slice(spec: Spec, *, dim: int, start: Size, end: Size, step: int) -> Spec:
    size = (end - start + step - 1) // step
    return spec.with_shape((*spec.shape[:dim], size, *spec.shape[dim + 1 :]))


def _window(ndim: int, dim: int, start: int, end: int, step: int) -> tuple[builtins.slice, ...]:
    return (builtins.slice(None),) * dim + (builtins.slice(start, end, step),)


_slice: Operator = operator(
    "slice",
    infer=_infer_slice,
    forward=lambda input, *, dim, start, end, step: input[
        _window(input.ndim, dim, start, end, step)
    ].clone(),
    vjp=lambda gradient, y, x, *, dim, start, end, step: unslice(
        gradient, size=x.shape[dim], dim=dim, start=start, end=end, step=step
    ),
)


def slice(
    input: Node, dim: int, start: Size | None = None, end: Size | None = None, step: int = 1
) -> Node:
    """Every ``step``-th element from ``start`` up to but without ``end`` along one axis.

    Args:
        input: value of any shape and dtype.
        dim: the axis.
        start, end: as in Python; negative values count from the end, None means the whole, and
            what lies outside is cut to the axis. On one of unknown size they are taken as given.
        step: at least 1.
    """
    (node,) = as_nodes([input])
    try:
        (axis,) = normalize_axes(dim, node.ndim)
        if step < 1:
            raise SpecError(f"expected a step of at least 1, got {step}")
    except SpecError as error:
        given = {"dim": dim, "start": start, "end": end, "step": step}
        raise located(error, "slice", [input], given) from None
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
    result[_window(input.ndim, dim, start, end, step)] = input
    return result


def _infer_unslice(spec: Spec, *, size: Size, dim: int, start: Size, end: Size, step: int) -> Spec:
    require_float(spec)
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
    if len(padding) % 2 or len(padding) > 2 * spec.ndim:
        raise SpecError(
            f"expected a pair of amounts for each of at most {spec.ndim} axes, got {padding}"
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
    """Where ``pad`` puts its input: the windows of the result and of the input that are equal."""
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


copy = operator(
    "copy",
    infer=lambda spec: spec,
    forward=lambda input: input.clone(),
    vjp=lambda gradient, y, x: gradient,
    doc="""The same value in memory of its own.""",
)
