"""Elementwise kernels: one torch call each, written with ``out=``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch

from engine.kernels.kernel import Kernel, Run, in_sequence
from ops import Node, Spec


def _direct(function: Callable[..., torch.Tensor]) -> Kernel:
    def prepare(
        node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], _: Sequence[torch.Tensor]
    ) -> Run:
        return partial(function, *inputs, out=out)

    return Kernel(f"torch.{function.__name__}", prepare, elementwise=True)


def _square(
    node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], _: Sequence[torch.Tensor]
) -> Run:
    (x,) = inputs
    return partial(torch.mul, x, x, out=out)


def _relu(
    node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], _: Sequence[torch.Tensor]
) -> Run:
    return partial(torch.clamp_min, *inputs, 0, out=out)


def _leaky_relu(
    node: Node,
    out: torch.Tensor,
    inputs: Sequence[torch.Tensor],
    workspaces: Sequence[torch.Tensor],
) -> Run:
    (x,), (positive, scaled) = inputs, workspaces
    positive, scaled = positive.as_strided(x.shape, out.stride()), scaled.as_strided(x.shape, out.stride())
    slope = node.attributes["negative_slope"]
    return in_sequence(
        [
            partial(torch.gt, x, 0, out=positive),
            partial(torch.mul, x, slope, out=scaled),
            partial(torch.where, positive, x, scaled, out=out),
        ]
    )


def _leaky_workspace(node: Node) -> Sequence[Spec]:
    return Spec(node.shape, torch.bool), node.spec


def _softplus(
    node: Node,
    out: torch.Tensor,
    inputs: Sequence[torch.Tensor],
    workspaces: Sequence[torch.Tensor],
) -> Run:
    (x,), (large, soft) = inputs, workspaces
    large, soft = large.as_strided(x.shape, out.stride()), soft.as_strided(x.shape, out.stride())
    beta, threshold = node.attributes["beta"], node.attributes["threshold"]
    return in_sequence(
        [
            partial(torch.mul, x, beta, out=soft),
            partial(torch.gt, soft, threshold, out=large),
            partial(torch.clamp_max, soft, threshold, out=soft),
            partial(torch.exp, soft, out=soft),
            partial(torch.log1p, soft, out=soft),
            partial(torch.div, soft, beta, out=soft),
            partial(torch.where, large, x, soft, out=out),
        ]
    )


KERNELS: dict[str, list[Kernel]] = {
    name: [_direct(function)]
    for name, function in {
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "div": torch.div,
        "neg": torch.neg,
        "pow": torch.pow,
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "sign": torch.sign,
        "abs": torch.abs,
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "equal": torch.eq,
        "not_equal": torch.ne,
        "less": torch.lt,
        "less_equal": torch.le,
        "greater": torch.gt,
        "greater_equal": torch.ge,
        "where": torch.where,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
    }.items()
} | {
    "square": [Kernel("torch.mul", _square, elementwise=True)],
    "relu": [Kernel("torch.clamp_min", _relu, elementwise=True)],
    "leaky_relu": [Kernel("torch.where", _leaky_relu, _leaky_workspace, elementwise=True)],
    "softplus": [Kernel("torch.log1p", _softplus, _leaky_workspace, elementwise=True)],
}
