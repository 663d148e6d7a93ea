"""An operator call's arguments: converting them to nodes, checking them, showing them in errors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec

import torch

from ops.dimension import Dim
from ops.errors import SpecError
from ops.node import Node
from ops.provenance import user_line
from ops.registry import REGISTRY
from ops.spec import DTYPES, FLOATS, Spec, dtype_name

P = ParamSpec("P")


def as_nodes(values: Iterable[Any]) -> tuple[Node, ...]:
    """Convert inputs to nodes; numbers take the float dtype of the others.

    Raises:
        SpecError: a value is not a node, number or tensor, or none is a node or tensor.
    """
    values = tuple(values)
    dtypes = [v.dtype for v in values if isinstance(v, Node | torch.Tensor)]
    if values and not dtypes:
        raise SpecError("expected at least one node or tensor among the inputs")
    dtype = next((d for d in dtypes if d in FLOATS), torch.float32)
    return tuple(_as_node(value, dtype) for value in values)


def _as_node(value: Any, dtype: torch.dtype) -> Node:
    if isinstance(value, Node):
        return value
    if isinstance(value, torch.Tensor):
        return REGISTRY["constant"](value=value)
    if isinstance(value, int | float | Dim):
        return REGISTRY["full"](value=value, shape=(), dtype=dtype)
    raise SpecError(f"expected a node, a number or a tensor, got {type(value).__name__}")


def require_one_dtype(inputs: Iterable[Node]) -> None:
    """Refuse a mix of float32 and float64, and dtypes that the engine does not support."""
    inputs = tuple(inputs)
    for node in inputs:
        if node.dtype not in DTYPES:
            raise SpecError(f"expected float32, float64 or bool, got {dtype_name(node.dtype)}")
    floats = sorted({dtype_name(node.dtype) for node in inputs if node.dtype in FLOATS})
    if len(floats) > 1:
        raise SpecError(f"mixed dtypes {' and '.join(floats)}: convert one to the other's dtype")


def located(
    error: SpecError, name: str, arguments: Iterable[Any], attributes: Mapping[str, Any]
) -> SpecError:
    """The error, its message extended by the operator, its arguments and the user's source line."""
    given = ", ".join(
        [_describe(a) for a in arguments]
        + [f"{key}={value!r}" for key, value in attributes.items() if value is not None]
    )
    filename, line = user_line()
    message = f"{name}: {error.reason}\n  given: {name}({given})\n  at {filename}:{line}"
    return SpecError(message, error.reason)


def named_in_errors(function: Callable[P, Node]) -> Callable[P, Node]:
    """Report errors raised inside a function as errors of the call the user made."""

    @functools.wraps(function)
    def called(*arguments: P.args, **attributes: P.kwargs) -> Node:
        try:
            return function(*arguments, **attributes)
        except SpecError as error:
            raise located(error, function.__name__, arguments, attributes) from None

    return called


def _describe(argument: Any) -> str:
    if isinstance(argument, Node):
        return str(argument.spec) if argument.name is None else f"{argument.name}: {argument.spec}"
    if isinstance(argument, torch.Tensor):
        return f"tensor {Spec(tuple(argument.shape), argument.dtype)}"
    return repr(argument)
