"""Laws of derivatives: correct, linear, and correct when differentiated again."""

from __future__ import annotations

import torch

from engine.gradient import gradient
from engine.testing.case import Case
from engine.testing.closeness import ROUNDINGS
from engine.testing.pullback import (
    Pullback,
    Tensors,
    central_difference,
    complex_step,
    inner,
    size,
)
from engine.testing.subject import Law, Subject, require
from ops import GradientError, Node, add, mul, sum
from ops.spec import FLOATS

RELATIVE = 1e-6
"""Tolerated error of a difference, relative to the bound of <gradient, direction>."""

ABSOLUTE = 1e-9
"""Tolerated error of a difference, relative to the values subtracted, for slopes near zero."""

ROUNDING = ROUNDINGS * torch.finfo(torch.float64).eps


def _vjp_is_right(subject: Subject, case: Case) -> None:
    """The gradient by each input is what differences, and the complex step, measure."""
    case = case.smooth()
    tensors = case.tensors()
    output = subject.operator(*tensors, **case.attributes)
    if output.dtype not in FLOATS:
        _require_refused(output)
        return
    pull = Pullback(subject.operator, case)
    seed = case.noise(output.shape, "seed")

    def forward(values: Tensors) -> torch.Tensor:
        return subject.operator.forward(*values, **case.attributes)

    floor = ABSOLUTE * (1 + size(seed, forward(tensors)))
    for position, slope in zip(pull.wrt, pull(tensors, seed), strict=True):
        direction = case.noise(slope.shape, f"direction {position}")
        most = size(slope, direction)
        measured = inner(seed, central_difference(forward, tensors, position, direction))
        what = f"the gradient by {_name(subject, position)} along a direction"
        _require_equal(inner(slope, direction), measured, RELATIVE * most + floor, what)
        if subject.analytic:
            derivative = complex_step(forward, tensors, position, direction)
            allowed = ROUNDING * (most + size(seed, derivative))
            measured = inner(seed, derivative)
            _require_equal(inner(slope, direction), measured, allowed, f"{what} (complex step)")


def _require_refused(output: Node) -> None:
    try:
        gradient(output, [])
    except GradientError:
        return
    raise AssertionError(f"the gradient of {output.spec} is not refused")


def _vjp_is_linear(subject: Subject, case: Case) -> None:
    """The gradient is linear in the upstream one; of a linear operator it is the adjoint."""
    case = case.smooth()
    pull, tensors = Pullback(subject.operator, case), case.tensors()
    a, b = (case.noise(pull.output.shape, key) for key in "ab")
    slopes = zip(
        pull.wrt, pull(tensors, a), pull(tensors, b), pull(tensors, a - 3 * b), strict=True
    )
    for position, of_a, of_b, of_both in slopes:
        name = _name(subject, position)
        error = size(of_a - 3 * of_b - of_both)
        allowed = ROUNDING * (size(of_a) + 3 * size(of_b))
        require(error <= allowed, f"the gradient by {name} is not linear in the upstream one")
        if name in subject.linear:
            _require_adjoint(subject, case, position, a, of_a)


def _require_adjoint(
    subject: Subject, case: Case, position: int, y: torch.Tensor, adjoint: torch.Tensor
) -> None:
    tensors, forward = case.tensors(), subject.operator.forward
    x = tensors[position]
    at_zero = [*tensors[:position], torch.zeros_like(x), *tensors[position + 1 :]]
    value = forward(*tensors, **case.attributes) - forward(*at_zero, **case.attributes)
    allowed = ROUNDING * (size(value, y) + size(adjoint, x))
    what = f"<x, A* y> for {_name(subject, position)} and its <A x, y>"
    _require_equal(inner(adjoint, x), inner(value, y), allowed, what)


def _second_order_is_right(subject: Subject, case: Case) -> None:
    """The gradient of the gradient is what differences of the gradient measure."""
    case = case.smooth()
    pull, tensors = Pullback(subject.operator, case), case.tensors()
    seed = case.noise(pull.output.shape, "seed")
    weights = [case.noise(node.shape, f"weight {i}") for i, node in enumerate(pull.gradients)]
    # A scalar that depends on every element of every gradient.
    total = sum(pull.seed * 0.0)
    for node, weight in zip(pull.gradients, weights, strict=True):
        total = add(total, sum(mul(node, weight)))

    def slopes(values: Tensors) -> torch.Tensor:
        *inputs, upstream = values
        each = zip(pull(inputs, upstream), weights, strict=True)
        return torch.stack([(slope * weight).sum() for slope, weight in each]).sum()

    sources = [*(pull.inputs[i] for i in pull.wrt), pull.seed]
    seconds = pull.evaluate(gradient(total, sources), tensors, seed)
    each = zip(pull(tensors, seed), weights, strict=True)
    floor = ABSOLUTE * (1 + max(size(slope, weight) for slope, weight in each))
    for position, second in zip([*pull.wrt, len(tensors)], seconds, strict=True):
        direction = case.noise(second.shape, f"direction {position}")
        measured = float(central_difference(slopes, [*tensors, seed], position, direction))
        name = _name(subject, position) if position < len(tensors) else "the upstream gradient"
        allowed = RELATIVE * size(second, direction) + floor
        what = f"the gradient of the gradient by {name} along a direction"
        _require_equal(inner(second, direction), measured, allowed, what)


def _require_equal(given: float, measured: float, allowed: float, what: str) -> None:
    require(abs(given - measured) <= allowed, f"{what} is {given!r}, measured {measured!r}")


def _name(subject: Subject, position: int) -> str:
    names = subject.operator.inputs
    return names[0] if subject.operator.variadic else names[position]


def without_gradient(subject: Subject) -> str | None:
    """Why a subject has no gradient; None if it has one."""
    operator = subject.operator
    if not operator.inputs:
        return "it has no inputs"
    if operator.vjp is not None:
        return None
    declared = operator.no_gradient == set(operator.inputs)
    return "no input carries a gradient" if declared else "it has no derivative rule"


def _untestable(subject: Subject) -> str | None:
    # For inputs declared to carry no gradient, the VJP law tests that differences vanish.
    reason = without_gradient(subject)
    return None if reason == "no input carries a gradient" else reason


VJP = Law("vjp", _vjp_is_right, _untestable)
LINEARITY = Law("linearity", _vjp_is_linear, without_gradient)
SECOND_ORDER = Law("second order", _second_order_is_right, without_gradient)
