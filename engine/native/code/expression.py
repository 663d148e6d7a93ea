"""Elementwise operators as C expressions on vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from engine.native.code.operand import SUFFIX
from ops.fused import Computation
from ops.spec import FLOATS

Expression = Callable[..., str]


def number(value: float, dtype: torch.dtype) -> str:
    """A number as a C literal, exact in its type."""
    value = float(torch.tensor(value, dtype=dtype))
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return value.hex() + ("f" if dtype == torch.float32 else "")


def _infix(sign: str) -> Expression:
    return lambda s, a, b: f"{a} {sign} {b}"


def _call(name: str) -> Expression:
    return lambda s, *arguments: f"{name}_{s}({', '.join(arguments)})"


def _leaky_relu(s: str, x: str, *, negative_slope: float) -> str:
    return f"leaky_{s}({x}, {_literal(negative_slope, s)})"


def _softplus(s: str, x: str, *, beta: float, threshold: float) -> str:
    b, t = _literal(beta, s), _literal(threshold, s)
    scaled = f"({x} * {b})"
    soft = f"log1p_{s}(exp_{s}(minimum_{s}({scaled}, splat_{s}({t})))) / {b}"
    return f"select_{s}({scaled} > {t}, {x}, {soft})"


def _literal(value: float, suffix: str) -> str:
    return number(value, torch.float32 if suffix == "f" else torch.float64)


EXPRESSIONS: Mapping[str, Expression] = {
    "add": _infix("+"),
    "sub": _infix("-"),
    "mul": _infix("*"),
    "div": _infix("/"),
    "neg": lambda s, x: f"-{x}",
    "square": lambda s, x: f"{x} * {x}",
    "copy": lambda s, x: x,
    "equal": _infix("=="),
    "not_equal": _infix("!="),
    "less": _infix("<"),
    "less_equal": _infix("<="),
    "greater": _infix(">"),
    "greater_equal": _infix(">="),
    "where": _call("select"),
    "maximum": _call("maximum"),
    "minimum": _call("minimum"),
    "relu": _call("relu"),
    "leaky_relu": _leaky_relu,
    "abs": _call("abs"),
    "sign": _call("sign"),
    "sqrt": _call("sqrt"),
    "exp": _call("exp"),
    "log": _call("log"),
    "pow": _call("pow"),
    "sigmoid": _call("sigmoid"),
    "tanh": _call("tanh"),
    "softplus": _softplus,
}
"""By operator name: ``(suffix of the float type, *inputs, **attributes) -> C expression``."""

CHEAP = frozenset(EXPRESSIONS) - {"exp", "log", "pow", "sigmoid", "tanh", "softplus"}
"""Operators that cost less to recompute than to read back from memory."""


def is_elementwise(instruction: Computation) -> bool:
    """Whether an instruction can be part of an expression."""
    return instruction.operator.name in EXPRESSIONS


def statements(
    body: Sequence[Computation], values: Sequence[str], dtype: torch.dtype
) -> tuple[list[str], str]:
    """A declaration for each instruction of a body, and the name that the last one declares.

    Args:
        body: elementwise instructions.
        values: C names of the values numbered before theirs.
        dtype: the float type of the body.
    """
    suffix, names, lines = SUFFIX[dtype], list(values), []
    for instruction in body:
        name = f"t{len(names)}"
        kind = "v" if instruction.spec.dtype in FLOATS else "m"
        text = _expression(instruction, suffix, [names[i] for i in instruction.sources])
        lines.append(f"const {kind}{suffix} {name} = {text};")
        names.append(name)
    return lines, names[-1]


def _expression(instruction: Computation, suffix: str, inputs: list[str]) -> str:
    attributes: Mapping[str, Any] = instruction.attributes
    if instruction.operator.name == "where" and instruction.spec.dtype == torch.bool:
        condition, a, b = inputs
        return f"({condition} & {a}) | (~{condition} & {b})"
    return EXPRESSIONS[instruction.operator.name](suffix, *inputs, **attributes)
