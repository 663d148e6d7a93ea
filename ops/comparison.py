"""Comparisons, which return bool values and carry no gradient, and ``where``."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ops.errors import SpecError
from ops.operator import Operator, operator
from ops.spec import Spec, broadcast_shapes, dtype_name, require_float


def _infer_comparison(a: Spec, b: Spec) -> Spec:
    require_float(a, b)
    return Spec(broadcast_shapes(a.shape, b.shape), torch.bool)


def _comparison(name: str, forward: Callable[..., torch.Tensor], sign: str) -> Operator:
    return operator(
        name,
        infer=_infer_comparison,
        forward=forward,
        no_gradient=("input", "other"),
        doc=f"""Whether ``a {sign} b``, elementwise: floats in, bool out. Shapes broadcast.""",
    )


equal = _comparison("equal", lambda input, other: input == other, "==")
not_equal = _comparison("not_equal", lambda input, other: input != other, "!=")
less = _comparison("less", lambda input, other: input < other, "<")
less_equal = _comparison("less_equal", lambda input, other: input <= other, "<=")
greater = _comparison("greater", lambda input, other: input > other, ">")
greater_equal = _comparison("greater_equal", lambda input, other: input >= other, ">=")


def _infer_where(condition: Spec, a: Spec, b: Spec) -> Spec:
    if condition.dtype != torch.bool:
        raise SpecError(f"expected a bool condition, got {dtype_name(condition.dtype)}")
    if a.dtype != b.dtype:
        given = f"{dtype_name(a.dtype)} and {dtype_name(b.dtype)}"
        raise SpecError(f"expected two values of one dtype, got {given}")
    return a.with_shape(broadcast_shapes(condition.shape, a.shape, b.shape))


where: Operator = operator(
    "where",
    infer=_infer_where,
    forward=lambda condition, input, other: torch.where(condition, input, other),
    vjp=lambda gradient, y, condition, a, b: (
        None,
        where(condition, gradient, 0.0),
        where(condition, 0.0, gradient),
    ),
    no_gradient=("condition",),
    doc="""Choice, elementwise: ``input`` where ``condition`` (bool) holds, else ``other``.

    Shapes broadcast; the two values share a dtype.""",
)
