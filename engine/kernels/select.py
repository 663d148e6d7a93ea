"""``where`` by integer arithmetic on bits, because torch.where is not vectorised on CPUs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch

from engine.kernels.kernel import BITS, Kernel, Run, Tensors, every_input, in_sequence, laid_like
from engine.kernels.pieces import piece_shape, piecewise
from ops import Node
from ops.leaves import full
from ops.spec import Spec


def _is_zero(node: Node) -> bool:
    value = node.attributes.get("value") if node.operator is full else None
    # Not -0.0, which has a bit set.
    return value == 0 and math.copysign(1, value) > 0


def _workspace(node: Node) -> Sequence[Spec]:
    mask = Spec(piece_shape(node), BITS[node.dtype])
    return (mask,) if any(map(_is_zero, node.inputs[1:])) else (mask, mask)


def _select(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    integer = BITS[node.dtype]
    condition = inputs[0]
    a, b = (x.expand(out.shape).view(integer) for x in inputs[1:])
    mask, *scratch = (laid_like(out, space) for space in workspaces)
    result = out.view(integer)
    runs: list[Run] = [partial(mask.copy_, condition)]
    # The bits of a number, as an integer, times 1 or 0 are its bits or all zero.
    if _is_zero(node.inputs[2]):
        runs.append(partial(torch.mul, a, mask, out=result))
    elif _is_zero(node.inputs[1]):
        runs.append(partial(torch.mul, b, mask, out=mask))
        runs.append(partial(torch.bitwise_xor, b, mask, out=result))
    else:  # b ^ (a ^ b) * mask
        (difference,) = scratch
        runs.append(partial(torch.bitwise_xor, a, b, out=difference))
        runs.append(partial(torch.mul, difference, mask, out=difference))
        runs.append(partial(torch.bitwise_xor, b, difference, out=result))
    return in_sequence(runs)


def _where(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    return partial(torch.where, *inputs, out=out)


def _is_float(node: Node) -> bool:
    return node.dtype in BITS


KERNELS: dict[str, list[Kernel]] = {
    "where": [
        Kernel(
            "select bits",
            piecewise(_select),
            _workspace,
            overwrites=every_input,
            supports=_is_float,
        ),
        Kernel(
            "torch.where", _where, overwrites=every_input, supports=lambda node: not _is_float(node)
        ),
    ]
}
