"""Matrix products."""

from __future__ import annotations

import torch

from ops.arguments import as_nodes, named_in_errors
from ops.dimension import surely_differ
from ops.errors import SpecError
from ops.node import Node
from ops.operator import Operator, operator
from ops.shape import permute, reshape
from ops.spec import Spec, broadcast_shapes, require_float


def _infer_matmul(a: Spec, b: Spec) -> Spec:
    require_float(a, b)
    if a.ndim < 2 or b.ndim < 2:
        raise SpecError(f"expected two matrices or batches of them, got {a} and {b}")
    if surely_differ(a.shape[-1], b.shape[-2]):
        raise SpecError(
            f"expected as many columns in the first as rows in the second, got {a} and {b}"
        )
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return a.with_shape((*batch, a.shape[-2], b.shape[-1]))


_matmul: Operator = operator(
    "matmul",
    infer=_infer_matmul,
    forward=lambda input, other: torch.matmul(input, other),
    vjp=lambda gradient, y, a, b: (
        _matmul(gradient, transpose(b)),
        _matmul(transpose(a), gradient),
    ),
)


@named_in_errors
def matmul(input: Node, other: Node) -> Node:
    """Matrix product over the last two axes: ``y[i, j] = sum over k of a[i, k] b[k, j]``.

    Leading axes broadcast. A vector counts as a row on the left and a column on the right, and its
    axis is dropped from the result, as in ``torch.matmul``.
    """
    a, b = as_nodes([input, other])
    if not a.ndim or not b.ndim:
        raise SpecError("expected values with axes")
    left = reshape(a, (1, *a.shape)) if a.ndim == 1 else a
    right = reshape(b, (*b.shape, 1)) if b.ndim == 1 else b
    y = _matmul(left, right)
    rows = y.shape[-2:-1] if a.ndim > 1 else ()
    columns = y.shape[-1:] if b.ndim > 1 else ()
    shape = (*y.shape[:-2], *rows, *columns)
    return y if shape == y.shape else reshape(y, shape)


def transpose(matrix: Node) -> Node:
    """Swap the last two axes."""
    axes = range(matrix.ndim)
    return permute(matrix, dims=(*axes[:-2], axes[-1], axes[-2]))
