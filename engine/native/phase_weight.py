"""The weights of phases in C: each tap a sum of taps, and back."""

from __future__ import annotations

import torch

from engine.native.elementwise import float_type
from engine.native.expression import number
from engine.native.machine import Machine
from engine.native.operand import Operand, Operands
from engine.native.source import Code
from engine.native.text import Text
from ops import Node
from ops.leaves import constant


def supports(node: Node) -> bool:
    """Either direction, for sums that are known."""
    return (
        node.operator.name in ("phase_weight", "phase_weight_adjoint")
        and node.inputs[1].operator is constant
        and float_type(node) is not None
        and 0 not in node.sizes
    )


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    weight, out = operands.inputs[0], operands.out
    sums: torch.Tensor = node.inputs[1].attributes["value"]
    adjoint = node.operator.name == "phase_weight_adjoint"
    large, small = (weight, out) if adjoint else (out, weight)
    taps = [_places(small, 3, 1), _places(large, 2, 4)]
    source, result = (taps[1], taps[0]) if adjoint else (taps[0], taps[1])
    rows = sums.T if adjoint else sums
    text, count = Text(), small.shape[0]
    text(weight.pointer("x"), out.pointer("y", writable=True))
    bounds = f"long o = share(team, {count}, me); o < share(team, {count}, me + 1); o++"
    with text.block(f"for ({bounds})"), text.block(f"for (long c = 0; c < {small.shape[1]}; c++)"):
        text(
            f"const long from = o * {weight.strides[0]} + c * {weight.strides[1]};",
            f"const long to = o * {out.strides[0]} + c * {out.strides[1]};",
        )
        for place, row in zip(result, rows.tolist(), strict=True):
            terms = [
                f"x[from + {at}]"
                if factor == 1
                else f"{number(factor, node.dtype)} * x[from + {at}]"
                for at, factor in zip(source, row, strict=True)
                if factor
            ]
            text(f"y[to + {place}] = {' + '.join(terms) or '0'};")
    return Code(text)


def _places(weight: Operand, side: int, phases: int) -> list[int]:
    """Where each tap of each phase stands, from the first tap of the same channels."""
    channels = weight.shape[0] // phases
    return [
        q * channels * weight.strides[0] + r * weight.strides[2] + c * weight.strides[3]
        for q in range(phases)
        for r in range(side)
        for c in range(side)
    ]
