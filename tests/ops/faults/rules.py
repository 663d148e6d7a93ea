"""Wrong derivative rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from engine.testing import Law
from engine.testing.laws import LINEARITY, SECOND_ORDER, VJP
from ops import (
    REGISTRY,
    Node,
    Operator,
    abs,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    permute,
    square,
)
from tests.ops.faults.fault import Fault, planted
from tests.ops.subjects import SUBJECTS

Vjp = Callable[..., Any]
TOO_LARGE = "0.05 % too large"


def _vjp(name: str, fault: str, vjp: Vjp, law: Law = VJP) -> Fault:
    return planted(name, fault, law, vjp=vjp)


def _gradients(operator: Operator, arguments: tuple[Any, ...], attributes: Any) -> list[Any]:
    assert operator.vjp is not None
    parts = operator.vjp(*arguments, **attributes)
    return [parts] if isinstance(parts, Node) else list(parts)


def scaled_gradients() -> Iterator[Fault]:
    """A fault for every gradient of every operator: that one alone is 0.05 % too large."""
    for name, subject in SUBJECTS.items():
        operator = subject.operator
        if operator.vjp is None:
            continue
        for position, source in enumerate(operator.inputs):
            if operator.carries_gradient(position):
                fault = f"gradient by {source} {TOO_LARGE}"
                yield _vjp(name, fault, _scaled(operator, position))


def _scaled(operator: Operator, position: int) -> Vjp:
    def vjp(*arguments: Any, **attributes: Any) -> Any:
        parts = _gradients(operator, arguments, attributes)
        parts[position] = parts[position] * 1.0005
        return tuple(parts)

    return vjp


def _crossed_strides(
    gradient: Node, y: Node, x: Node, w: Node, *, stride: Any, **rest: Any
) -> tuple[Node, Node]:
    crossed = {"stride": stride[::-1], **rest}
    return (
        conv2d_input_gradient(gradient, w, size=x.shape[2:], **crossed),
        conv2d_weight_gradient(gradient, x, kernel_size=w.shape[2:], **crossed),
    )


def _swapped_stride_and_padding(
    gradient: Node, y: Node, x: Node, *, stride: Any, padding: Any, **rest: Any
) -> Node:
    swapped = {"stride": tuple(max(1, p) for p in padding), "padding": stride, **rest}
    return REGISTRY["fold"](gradient, output_size=x.shape[2:], **swapped)


def _transposed_square_weight(
    gradient: Node, y: Node, x: Node, w: Node, **window: Any
) -> tuple[Node, Node]:
    square_kernel = w.shape[2] == w.shape[3]
    turned = permute(w, dims=(0, 1, 3, 2)) if square_kernel else w
    return (
        conv2d_input_gradient(gradient, turned, size=x.shape[2:], **window),
        conv2d_weight_gradient(gradient, x, kernel_size=w.shape[2:], **window),
    )


def _only_if(name: str, condition: Callable[..., bool]) -> Vjp:
    """The gradient by the first input doubled where a condition on the call holds."""
    operator = REGISTRY[name]

    def vjp(gradient: Node, y: Node, *inputs: Node, **attributes: Any) -> Any:
        parts = _gradients(operator, (gradient, y, *inputs), attributes)
        if condition(*inputs, **attributes):
            parts[0] = parts[0] * 2.0
        return tuple(parts)

    return vjp


_HELD = replace(REGISTRY["sign"], name="held", forward=lambda input: input.clone())

VJP_FAULTS = [
    _vjp("sub", "wrong sign", lambda g, y, a, b: (g, g)),
    _vjp("sigmoid", "missing factor", lambda g, y, x: g * y),
    _vjp("div", "missing term", lambda g, y, a, b: (g / b, -(g * y))),
    _vjp("square", "missing factor of 2", lambda g, y, x: g * x),
    _vjp("mul", "gradients in the wrong order", lambda g, y, a, b: (g * a, g * b)),
    _vjp("abs", "zero gradient", lambda g, y, x: g * 0.0),
    _vjp("neg", "not linear in the upstream gradient", lambda g, y, x: -abs(g), LINEARITY),
    _vjp(
        "tanh",
        "right, but wrong when differentiated",
        lambda g, y, x: g * (1 - square(_HELD(y))),
        SECOND_ORDER,
    ),
    _vjp("conv2d", "strides of the two axes crossed", _crossed_strides),
    _vjp("unfold", "stride and padding swapped", _swapped_stride_and_padding),
    _vjp("conv2d", "weight transposed where the kernel is square", _transposed_square_weight),
    _vjp(
        "conv2d",
        "wrong only for groups > 1",
        _only_if("conv2d", lambda *_, groups, **__: groups > 1),
    ),
    _vjp(
        "conv2d",
        "wrong only for dilation > 1",
        _only_if("conv2d", lambda *_, dilation, **__: max(dilation) > 1),
    ),
    _vjp(
        "conv2d",
        "wrong only for odd sizes",
        _only_if("conv2d", lambda x, *_, **__: x.shape[2] % 2 == 1 and x.shape[3] % 2 == 1),
    ),
    _vjp(
        "max_pool2d",
        "wrong only with ceil_mode",
        _only_if("max_pool2d", lambda *_, ceil_mode, **__: ceil_mode),
    ),
    _vjp(
        "matmul",
        "wrong only for batches that broadcast",
        _only_if("matmul", lambda a, b: a.shape[:-2] != b.shape[:-2]),
    ),
    planted(
        "maximum",
        "declared to have no gradient",
        VJP,
        vjp=None,
        no_gradient=frozenset({"input", "other"}),
    ),
]
