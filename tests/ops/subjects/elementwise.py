"""Elementwise operators under test."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from engine.testing import Case, Subject, bools, broadcasting, cases, floats, samples, shapes
from ops import REGISTRY
from ops.fused import Instruction

POSITIVE = {"low": 0.1, "high": 3.0}


@st.composite
def _pairs(draw: st.DrawFn, first: dict[str, Any], second: dict[str, Any]) -> Case:
    """Two inputs that broadcast together, in either direction."""
    shape = draw(shapes())
    a, b = draw(st.permutations([shape, draw(broadcasting(shape))]))
    return draw(cases(samples(a, **first), samples(b, **second)))


@st.composite
def _choices(draw: st.DrawFn) -> Case:
    shape = draw(shapes())
    condition, a, b = draw(
        st.permutations([shape, draw(broadcasting(shape)), draw(broadcasting(shape))])
    )
    return draw(cases(bools(condition), samples(a, nonfinite=True), samples(b, nonfinite=True)))


def _unary(name: str, oracle: Any, analytic: bool = True, **values: Any) -> Subject:
    cases = floats(nonfinite=True, **values)
    linear = ("input",) if name in ("neg", "copy") else ()
    return Subject(REGISTRY[name], cases, oracle, linear, analytic)


def _binary(
    name: str,
    oracle: Any,
    linear: tuple[str, ...] = (),
    first: dict[str, Any] | None = None,
    second: dict[str, Any] | None = None,
    analytic: bool = True,
) -> Subject:
    pairs = _pairs({"nonfinite": True, **(first or {})}, {"nonfinite": True, **(second or {})})
    return Subject(REGISTRY[name], pairs, oracle, linear, analytic)


def _ordered(name: str, oracle: Any) -> Subject:
    return _binary(name, oracle, first={"ties": 0}, second={"ties": 1}, analytic=False)


def _power(input: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    return torch.pow(input, exponent)


def _instruction(name: str, *sources: int, **attributes: Any) -> Instruction:
    return Instruction(REGISTRY[name], sources, attributes)


@st.composite
def _fusions(draw: st.DrawFn) -> Case:
    """Some elementwise operators fused into one, with or without a sum at the end."""
    shape = draw(shapes(min_ndim=1))
    a, b = draw(st.permutations([shape, draw(broadcasting(shape))]))
    body = [
        _instruction("mul", 0, 1),
        _instruction("greater", 2, 1),
        _instruction("where", 3, 2, 0),
    ]
    if draw(st.booleans()):
        axes = tuple(range(len(shape)))
        body.append(_instruction("mean", 4, dim=axes, keepdim=False))
    return draw(cases(samples(a), samples(b), body=tuple(body)))


SUBJECTS = [
    Subject(REGISTRY["fused"], _fusions()),
    _unary("neg", torch.negative),
    _unary("exp", torch.exp),
    _unary("log", torch.log, **POSITIVE),
    _unary("sqrt", torch.sqrt, **POSITIVE),
    _unary("square", lambda input: input**2),
    _unary("sigmoid", lambda input: 1 / (1 + torch.exp(-input)), analytic=False),
    _unary("tanh", torch.tanh),
    _unary("sign", torch.sgn, analytic=False, kinks=(0.0,)),
    _unary("abs", torch.abs, analytic=False, kinks=(0.0,)),
    _unary("relu", F.relu, analytic=False, kinks=(0.0,)),
    _unary("copy", torch.clone),
    _unary(
        "leaky_relu",
        lambda input, *, negative_slope: F.leaky_relu(input, negative_slope),
        analytic=False,
        kinks=(0.0,),
        attributes={"negative_slope": st.sampled_from((0.01, 0.2, 1.5, 0.0, -0.5))},
    ),
    _unary(
        "softplus",
        lambda input, *, beta, threshold: F.softplus(input, beta, threshold),
        analytic=False,
        low=-8.0,
        high=8.0,
        attributes={"beta": st.sampled_from((1.0, 0.5, 2.0)), "threshold": 20.0},
    ),
    _binary("add", torch.add, ("input", "other")),
    _binary("sub", torch.sub, ("input", "other")),
    _binary("mul", torch.mul, ("input", "other")),
    _binary("div", torch.div, ("input",), second=POSITIVE),
    _binary("pow", _power, first=POSITIVE),
    _ordered("maximum", torch.maximum),
    _ordered("minimum", torch.minimum),
    _ordered("equal", torch.eq),
    _ordered("not_equal", torch.ne),
    _ordered("less", torch.lt),
    _ordered("less_equal", torch.le),
    _ordered("greater", torch.gt),
    _ordered("greater_equal", torch.ge),
    Subject(REGISTRY["where"], _choices(), torch.where, ("input", "other")),
]
