"""Elementwise operators as Triton kernels, whose source is written for each node's shapes.

One pass whatever the operator and wherever its inputs lie: broadcast, sliced or permuted. float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from engine.cuda.launch import kernel_from, launch
from engine.kernels.kernel import Kernel, Run
from ops import Node
from ops.leaves import full

BLOCK = 1024
"""Elements that one program of a kernel computes."""

# exp, log and the quotient are within a few roundings; NaN passes through comparisons as in torch.
EXPRESSIONS: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "exp": "tl.exp({0})",
    "log": "tl.log({0})",
    "sqrt": "tl.sqrt_rn({0})",
    "square": "{0} * {0}",
    "sign": "tl.where({0} > 0, 1.0, tl.where({0} < 0, -1.0, 0.0))",
    "abs": "tl.abs({0})",
    "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "where": "tl.where({0}, {1}, {2})",
    "relu": "tl.where({0} < 0, 0.0, {0})",
    "leaky_relu": "tl.where({0} > 0, {0}, {0} * {negative_slope})",
    "sigmoid": "1.0 / (1.0 + tl.exp(-{0}))",
    "tanh": "tanh({0})",
    "softplus": "softplus({0}, {beta}, {threshold})",
}
"""What each operator computes of its inputs {0}, {1}, ... and its attributes."""


def source(out: torch.Tensor, inputs: Sequence[torch.Tensor], body: Sequence[str]) -> str:
    """A kernel that loads every input as x0, x1, ..., computes and stores ``y``.

    Args:
        out: where ``y`` is stored; its elements lie densely.
        inputs: broadcast to the result.
        body: lines that make ``y``.
    """
    order = sorted(range(out.ndim), key=out.stride, reverse=True)
    sizes = [out.shape[axis] for axis in order]
    names = [f"x{i}" for i in range(len(inputs))]
    loads = []
    wide = out.numel() >= 1 << 31
    for name, tensor in zip(names, inputs, strict=True):
        strides = tensor.expand(out.shape).stride()
        offset = _offset(sizes, [strides[axis] for axis in order])
        wide |= (
            sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)) >= 1 << 31
        )
        loads.append(f"{name} = tl.load({name} + {offset}, mask=inside)")
    program = "tl.program_id(0)" + ".to(tl.int64)" * wide
    lines = [
        f"i = {program} * {BLOCK} + tl.arange(0, {BLOCK})",
        f"inside = i < {out.numel()}",
        *loads,
        *body,
        "tl.store(out + i, y, mask=inside)",
    ]
    return _HEADER.format(parameters=", ".join([*names, "out"]), lines="\n    ".join(lines))


_HEADER = """\
import triton
import triton.language as tl

from engine.cuda.triton_functions import softplus, tanh


@triton.jit
def kernel({parameters}):
    {lines}
"""


def _offset(sizes: Sequence[int], strides: Sequence[int]) -> str:
    """Where element ``i``, counted through axes from outermost to innermost, lies by strides."""
    axes: list[list[int]] = []  # [size, stride], those that are one in memory merged
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if axes and axes[-1][1] == stride * size:
            axes[-1] = [axes[-1][0] * size, stride]
        else:
            axes.append([size, stride])
    terms, inner = [], 1
    for position, (size, stride) in reversed(list(enumerate(axes))):
        index = "i" if inner == 1 else f"i // {inner}"
        index += f" % {size}" if position else ""
        if stride:
            terms.append(index if stride == 1 else f"{index} * {stride}")
        inner *= size
    return " + ".join(terms) or "i * 0"


def expression(operator: str, arguments: Iterable[str], attributes: Mapping[str, Any]) -> str:
    """An operator applied to named values."""
    numbers = {name: repr(float(value)) for name, value in attributes.items()}
    return EXPRESSIONS[operator].format(*arguments, **numbers)


def _literal(node: Node) -> str | None:
    """A number that is the same everywhere, if Triton takes it for float32 and as it is."""
    if node.operator is not full or node.dtype != torch.float32:
        return None
    value = float(node.attributes["value"])
    # Triton makes 0 of -0, and float64 of what is not in float32's range.
    positive_zero = value == 0 and math.copysign(1, value) > 0
    return repr(value) if positive_zero or 1e-37 < abs(value) < 1e38 else None


def _prepare(
    node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], _: Sequence[torch.Tensor]
) -> Run:
    if not out.numel():
        return lambda: None
    literals = [_literal(value) for value in node.inputs]
    loaded = [x for x, literal in zip(inputs, literals, strict=True) if literal is None]
    names = iter(f"x{i}" for i in range(len(loaded)))
    arguments = [next(names) if literal is None else literal for literal in literals]
    body = [f"y = {expression(node.operator.name, arguments, node.attributes)}"]
    kernel = kernel_from(source(out, loaded, body))
    return launch(kernel, [-(-out.numel() // BLOCK)], [*loaded, out])


def _supports(node: Node) -> bool:
    return all(value.dtype in (torch.float32, torch.bool) for value in (node, *node.inputs))


KERNELS: dict[str, Kernel] = {
    name: Kernel("Triton, elementwise", _prepare, elementwise=True, supports=_supports)
    for name in EXPRESSIONS
}
