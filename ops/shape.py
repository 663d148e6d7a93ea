"""Changes of shape: no arithmetic but the sums that undo a repetition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ops.dimension import Shape, Size, product, surely_differ
from ops.errors import SpecError
from ops.node import Node
from ops.operator import Operator, as_nodes, located, operator
from ops.spec import Spec, format_shape, require_float

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
    forward=lambda input, *, shape: input.clone().reshape(shape),
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


copy = operator(
    "copy",
    infer=lambda spec: spec,
    forward=lambda input: input.clone(),
    vjp=lambda gradient, y, x: gradient,
    doc="""The same value in memory of its own.""",
)
