"""The weights of phases in C: each tap is a sum of the weight's taps. Also the adjoint."""

from __future__ import annotations

import torch

from engine.native.code.elements import Elements, float_type
from engine.native.code.expression import number
from engine.native.code.loops import Nest
from engine.native.code.operand import SUFFIX, Operand, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.kernel import Emitter
from engine.native.toolchain.target import Machine
from ops import Node
from ops.leaves import constant


def supports(node: Node) -> bool:
    """Whether a node is either direction, with constant sums."""
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
    taps = [_tap_offsets(small, 3, 1), _tap_offsets(large, 2, 4)]
    source, result = (taps[1], taps[0]) if adjoint else (taps[0], taps[1])
    nest = Nest(small.shape[:2], (out.strides[:2], weight.strides[:2]))
    text, dtype, s = Text(), node.dtype, SUFFIX[node.dtype]
    text(weight.pointer("x"), out.pointer("y", writable=True))
    with nest.outer(text):
        for count in nest.vectors(text, machine.target.lanes(dtype)):
            for i, at in enumerate(source):
                tap = Elements.of(f"x + {at}", weight, nest, 1)
                text(f"const v{s} t{i} = {tap.load(dtype, count)};")
            for at, row in zip(result, (sums.T if adjoint else sums).tolist(), strict=True):
                to = Elements.of(f"y + {at}", out, nest, 0)
                text(to.store(_sum(row, dtype), dtype, count))
    return Code(text)


def _sum(factors: list[float], dtype: torch.dtype) -> str:
    """The sum of the taps, each times its factor, as a C expression."""
    terms = [
        f"t{i}" if factor == 1 else f"{number(factor, dtype)} * t{i}"
        for i, factor in enumerate(factors)
        if factor
    ]
    return " + ".join(terms) or f"splat_{SUFFIX[dtype]}(0)"


def _tap_offsets(weight: Operand, side: int, phases: int) -> list[int]:
    """The offset of each tap of each phase from the first tap of the same channels."""
    channels = weight.shape[0] // phases
    return [
        q * channels * weight.strides[0] + r * weight.strides[2] + c * weight.strides[3]
        for q in range(phases)
        for r in range(side)
        for c in range(side)
    ]


EMITTER = Emitter(name="C: sums of taps", supports=supports, emit=emit)
