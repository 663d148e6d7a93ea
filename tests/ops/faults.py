"""Faults planted in operators, each with the operator that has it: what the laws must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from engine.testing import Law, Subject
from engine.testing.laws import (
    INFER,
    LINEARITY,
    NO_SIDE_EFFECTS,
    ORACLE,
    SAME_BITS,
    SECOND_ORDER,
    VJP,
)
from ops import (
    REGISTRY,
    Node,
    Operator,
    abs,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    permute,
    same_as_input,
    square,
)
from tests.ops.subjects import SUBJECTS

Vjp = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """An operator with a fault.

    Attributes:
        name: what is wrong.
        law: which law it breaks.
        subject: the faulty operator, tried on the right one's cases against its oracle.
    """

    name: str
    law: Law
    subject: Subject

    def __str__(self) -> str:
        return f"{self.subject.operator.name}: {self.name}"


def _planted(name: str, fault: str, law: Law, **changes: Any) -> Fault:
    operator = replace(REGISTRY[name], **changes)
    return Fault(fault, law, replace(SUBJECTS[name], operator=operator))


def _vjp(name: str, fault: str, vjp: Vjp, law: Law = VJP) -> Fault:
    return _planted(name, fault, law, vjp=vjp)


def _gradients(operator: Operator, arguments: tuple[Any, ...], attributes: Any) -> list[Any]:
    assert operator.vjp is not None
    parts = operator.vjp(*arguments, **attributes)
    return [parts] if isinstance(parts, Node) else list(parts)


def scaled_gradients() -> Iterator[Fault]:
    """For every gradient of every operator: that one alone 0.05 % too large."""
    for name, subject in SUBJECTS.items():
        operator = subject.operator
        if operator.vjp is None:
            continue
        for position, source in enumerate(operator.inputs):
            if operator.carries_gradient(position):
                fault = f"gradient by {source} 0.05 % too large"
                yield _vjp(name, fault, _scaled(operator, position))


def _scaled(operator: Operator, position: int) -> Vjp:
    def vjp(*arguments: Any, **attributes: Any) -> Any:
        parts = _gradients(operator, arguments, attributes)
        parts[position] = parts[position] * 1.0005
        return tuple(parts)

    return vjp


# Wrong rules


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


_HELD = Operator(
    "held",
    infer=same_as_input,
    forward=lambda input: input.clone(),
    vjp=None,
    no_gradient=frozenset({"input"}),
    declared_in=__file__,
)

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
    _planted(
        "maximum",
        "declared to have no gradient",
        VJP,
        vjp=None,
        no_gradient=frozenset({"input", "other"}),
    ),
]


# Wrong forwards


def _without_last_tap(input: torch.Tensor, *, kernel_size: Any, **window: Any) -> torch.Tensor:
    smaller = (kernel_size[0], max(1, kernel_size[1] - 1))
    whole = REGISTRY["sum_pool2d"].forward(input, kernel_size=kernel_size, **window)
    window["padding"] = tuple(
        min(p, k // 2) for p, k in zip(window["padding"], smaller, strict=True)
    )
    part = REGISTRY["sum_pool2d"].forward(input, kernel_size=smaller, **window)
    return part[..., : whole.shape[3]] if part.shape[2] == whole.shape[2] else whole


def _last_batch_dropped(gradient: torch.Tensor, input: torch.Tensor, **window: Any) -> torch.Tensor:
    keep = max(1, len(input) - 1)
    return REGISTRY["conv2d_weight_gradient"].forward(gradient[:keep], input[:keep], **window)


def _without_accumulation(input: torch.Tensor, *, output_size: Any, **window: Any) -> torch.Tensor:
    counts = REGISTRY["fold"].forward(torch.ones_like(input), output_size=output_size, **window)
    total = REGISTRY["fold"].forward(input, output_size=output_size, **window)
    return total / counts.clamp(min=1)


def _in_place(input: torch.Tensor) -> torch.Tensor:
    return input.clamp_(min=0).clone()


def _noisy(input: torch.Tensor) -> torch.Tensor:
    return input.exp() * (1 + torch.finfo(input.dtype).eps * torch.rand(input.shape).round())


def _flattened(input: torch.Tensor, *, dims: Any) -> torch.Tensor:
    """Right in number, wrong in order: it forgets to move the memory."""
    return input.reshape([input.shape[d] for d in dims]).clone()


FORWARD_FAULTS = [
    _planted("sum_pool2d", "windows one column short", ORACLE, forward=_without_last_tap),
    _planted("conv2d_weight_gradient", "last image dropped", ORACLE, forward=_last_batch_dropped),
    _planted("fold", "overlaps averaged, not added", ORACLE, forward=_without_accumulation),
    _planted("relu", "overwrites its input", NO_SIDE_EFFECTS, forward=_in_place),
    _planted("copy", "gives its input itself", NO_SIDE_EFFECTS, forward=lambda input: input),
    _planted("exp", "last bit at random", SAME_BITS, forward=_noisy),
    _planted("permute", "memory not moved", ORACLE, forward=_flattened),
    _planted("greater", "greater or equal", ORACLE, forward=lambda input, other: input >= other),
]


# Wrong inference


def _accepts_anything(spec: Any, *, shape: Any) -> Any:
    return spec.with_shape(shape)


def _one_row_more(spec: Any, **window: Any) -> Any:
    n, channels, height, width = REGISTRY["max_pool2d"].infer(spec, **window).shape
    odd = isinstance(spec.shape[2], int) and spec.shape[2] % 2
    return spec.with_shape((n, channels, height + bool(odd), width))


def _refuses_late(a: Any, b: Any) -> Any:
    return a.with_shape((*a.shape[:-1], b.shape[-1]))


def _plain_refusal(spec: Any) -> Any:
    if not spec.ndim:
        raise ValueError("no axes")
    return same_as_input(spec)


INFER_FAULTS = [
    _planted("reshape", "infer takes any shape", INFER, infer=_accepts_anything),
    _planted("max_pool2d", "infer gives a row too many for odd sizes", INFER, infer=_one_row_more),
    _planted("matmul", "infer leaves the check to torch", INFER, infer=_refuses_late),
    _planted("exp", "infer raises an error of another kind", INFER, infer=_plain_refusal),
    _planted(
        "less",
        "infer gives the dtype of the input",
        INFER,
        infer=lambda a, b: REGISTRY["add"].infer(a, b),
    ),
]

FAULTS = [*VJP_FAULTS, *FORWARD_FAULTS, *INFER_FAULTS, *scaled_gradients()]
