"""Shape changes, without arithmetic except for the sums that undo a broadcast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ops.arguments import as_nodes, named_in_errors
from ops.dimension import Shape, Size, product, surely_differ, to_shape
from ops.errors import SpecError
from ops.node import Node
from ops.operator import Operator, operator
from ops.spec import Spec, format_shape, require_float

Axes = tuple[int, ...]


def normalize_axes(dim: int | Iterable[int] | None, ndim: int) -> Axes:
    """Axes counted from the front, sorted; None means all.

    Raises:
        SpecError: an axis is out of range, named twice or not an integer.
    """
    given = range(ndim) if dim is None else tuple(dim) if isinstance(dim, Iterable) else (dim,)
    for axis in given:
        if not isinstance(axis, int) or not -ndim <= axis < ndim:
            raise SpecError(f"expected axes from {-ndim} to {ndim - 1}, got {axis!r}")
    axes = tuple(sorted(axis % ndim for axis in given))
    if len(set(axes)) < len(axes):
        raise SpecError(f"expected distinct axes, got {dim!r}")
    return axes


def _infer_reshape(spec: Spec, *, shape: Shape) -> Spec:
    if surely_differ(spec.numel, product(shape)):
        raise SpecError(
            f"expected a shape of {spec.numel} elements, got {format_shape(shape)}"
            f" of {product(shape)}"
        )
    return spec.with_shape(shape)


_reshape: Operator = operator(
    "reshape",
    infer=_infer_reshape,
    forward=lambda input, *, shape: input.clone().reshape(shape),
    vjp=lambda gradient, y, x, *, shape: _reshape(gradient, shape=x.shape),
)


@named_in_errors
def reshape(input: Node, shape: Iterable[Size]) -> Node:
    """The same elements, in row-major order, in another shape.

    Args:
        input: value of any shape and dtype.
        shape: sizes whose product is the number of elements; one may be -1, to be inferred.
    """
    (node,) = as_nodes([input])
    return _reshape(node, shape=_fill_in(shape, node.shape))


def _fill_in(shape: Iterable[Size], given: Shape) -> Shape:
    wanted = tuple(shape) if isinstance(shape, Iterable) else shape
    if not isinstance(wanted, tuple) or -1 not in wanted:
        return to_shape(wanted)
    position = wanted.index(-1)
    before, after = to_shape(wanted[:position]), to_shape(wanted[position + 1 :])
    # Sizes on both sides cancel, so that names need no division.
    left, right = list(given), []
    for size in before + after:
        left.remove(size) if size in left else right.append(size)
    total, known = product(left), product(right)
    if not isinstance(known, int) or known == 0:
        raise SpecError(f"cannot work out -1 in {format_shape(wanted)} for {format_shape(given)}")
    return (*before, total // known, *after)


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


@named_in_errors
def expand(input: Node, shape: Iterable[Size]) -> Node:
    """Broadcast to a shape: new leading axes, and axes of size 1 repeated.

    Args:
        input: value of any shape and dtype.
        shape: the broadcast shape; -1 keeps the size of that axis.
    """
    (node,) = as_nodes([input])
    wanted = tuple(shape) if isinstance(shape, Iterable) else shape
    if isinstance(wanted, tuple):
        new = len(wanted) - node.ndim
        wanted = tuple(
            node.shape[i - new] if s == -1 and i >= new else s for i, s in enumerate(wanted)
        )
    return _expand(node, shape=to_shape(wanted))


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
    if (
        not isinstance(dims, Sequence)
        or len(dims) != spec.ndim
        or normalize_axes(dims, spec.ndim) != tuple(range(spec.ndim))
    ):
        raise SpecError(f"expected an order of {spec.ndim} axes, got {dims!r}")
    return dims


def _inverse(dims: Sequence[int]) -> Axes:
    positive = [d % len(dims) for d in dims]
    return tuple(positive.index(axis) for axis in range(len(dims)))


copy = operator(
    "copy",
    infer=lambda spec: spec,
    forward=lambda input: input.clone(),
    vjp=lambda gradient, y, x: gradient,
    doc="""The same value in memory of its own.""",
)
