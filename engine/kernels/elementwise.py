"""Elementwise kernels: one torch call each, written with ``out=``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, every_input, in_sequence, laid_like
from engine.kernels.pieces import piece_shape, piecewise
from ops import Node, Spec


def _direct(function: Callable[..., torch.Tensor]) -> Kernel:
    def prepare(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
        return partial(function, *inputs, out=out)

    return Kernel(f"torch.{function.__name__}", prepare, overwrites=every_input)


def _square(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    (x,) = inputs
    return partial(torch.mul, x, x, out=out)


def _relu(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    return partial(torch.clamp_min, *inputs, 0, out=out)


def _leaky_relu(
    node: Node,
    out: torch.Tensor,
    inputs: Tensors,
    workspaces: Tensors,
) -> Run:
    # max(x, 0) + slope * min(x, 0), because torch.where is not vectorised on CPUs.
    (x,), below = inputs, laid_like(out, workspaces[0])
    return in_sequence(
        [
            partial(torch.clamp_max, x, 0, out=below),
            partial(torch.clamp_min, x, 0, out=out),
            partial(out.add_, below, alpha=node.attributes["negative_slope"]),
        ]
    )


def _softplus_workspace(node: Node) -> Sequence[Spec]:
    piece = node.spec.with_shape(piece_shape(node))
    return Spec(piece.shape, torch.bool), piece, node.spec.with_shape(())


def _softplus(
    node: Node,
    out: torch.Tensor,
    inputs: Tensors,
    workspaces: Tensors,
) -> Run:
    (x,), (large, soft, number) = inputs, workspaces
    large, soft = laid_like(out, large), laid_like(out, soft)
    beta, threshold = node.attributes["beta"], node.attributes["threshold"]
    # Except in clamp and fill, torch would allocate a tensor for a Python number in each run.
    return in_sequence(
        [
            partial(number.fill_, beta),
            partial(torch.mul, x, number, out=soft),
            partial(number.fill_, threshold),
            partial(torch.gt, soft, number, out=large),
            partial(torch.clamp_max, soft, threshold, out=soft),
            partial(torch.exp, soft, out=soft),
            partial(torch.log1p, soft, out=soft),
            partial(number.fill_, beta),
            partial(torch.div, soft, number, out=soft),
            partial(torch.where, large, x, soft, out=out),
        ]
    )


def _comparison(function: Callable[..., torch.Tensor]) -> Kernel:
    """Writes floats first: on CPUs torch does not vectorise comparisons that write bools."""

    def prepare(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
        truth = laid_like(out, workspaces[0])
        return in_sequence([partial(function, *inputs, out=truth), partial(out.copy_, truth)])

    def workspace(node: Node) -> Sequence[Spec]:
        return (Spec(piece_shape(node), node.inputs[0].dtype),)

    return Kernel(
        f"torch.{function.__name__}", piecewise(prepare), workspace, overwrites=every_input
    )


_DIRECT: dict[str, Callable[..., torch.Tensor]] = {
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
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}

_COMPARISONS: dict[str, Callable[..., torch.Tensor]] = {
    "equal": torch.eq,
    "not_equal": torch.ne,
    "less": torch.lt,
    "less_equal": torch.le,
    "greater": torch.gt,
    "greater_equal": torch.ge,
}

KERNELS: dict[str, list[Kernel]] = {
    **{name: [_direct(function)] for name, function in _DIRECT.items()},
    **{name: [_comparison(function)] for name, function in _COMPARISONS.items()},
    "square": [Kernel("torch.mul", _square, overwrites=every_input)],
    "relu": [Kernel("torch.clamp_min", _relu, overwrites=every_input)],
    "leaky_relu": [
        Kernel(
            "torch.clamp",
            piecewise(_leaky_relu),
            lambda node: (node.spec.with_shape(piece_shape(node)),),
            overwrites=every_input,
            # slope * 0 must be 0.
            supports=lambda node: math.isfinite(node.attributes["negative_slope"]),
        )
    ],
    "softplus": [
        Kernel("torch.log1p", piecewise(_softplus), _softplus_workspace, overwrites=every_input)
    ],
}
