"""``where`` by masks of bits: torch's own is not vectorised on CPUs, bitwise operations are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch

from engine.kernels.kernel import BITS, Kernel, Run, in_sequence, laid_like
from ops import Node
from ops.leaves import full
from ops.spec import Spec

Tensors = Sequence[torch.Tensor]


def _is_zero(node: Node) -> bool:
    value = node.attributes.get("value") if node.operator is full else None
    # Not -0.0, which has a bit set.
    return value == 0 and math.copysign(1, value) > 0


def _workspace(node: Node) -> Sequence[Spec]:
    mask = Spec(node.shape, BITS[node.dtype])
    return (mask,) if any(map(_is_zero, node.inputs[1:])) else (mask, mask)


def _select(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    integer = BITS[node.dtype]
    condition = inputs[0]
    a, b = (x.expand(out.shape).view(integer) for x in inputs[1:])
    mask, *scratch = (laid_like(out, space) for space in workspaces)
    result = out.view(integer)
    runs: list[Run] = [partial(mask.copy_, condition), mask.neg_]  # 0 or -1: no bit or all
    if _is_zero(node.inputs[2]):
        runs.append(partial(torch.bitwise_and, a, mask, out=result))
    elif _is_zero(node.inputs[1]):
        runs += [mask.bitwise_not_, partial(torch.bitwise_and, b, mask, out=result)]
    else:  # b ^ ((a ^ b) & mask)
        (difference,) = scratch
        runs.append(partial(torch.bitwise_xor, a, b, out=difference))
        runs.append(partial(torch.bitwise_and, difference, mask, out=difference))
        runs.append(partial(torch.bitwise_xor, b, difference, out=result))
    return in_sequence(runs)


KERNELS: dict[str, list[Kernel]] = {
    "where": [
        Kernel(
            "bit mask",
            _select,
            _workspace,
            elementwise=True,
            supports=lambda node: node.dtype in BITS,
        )
    ]
}
