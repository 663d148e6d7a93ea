"""Sums of elementwise expressions over some of the axes in C; one thread sums each result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack

from engine.layout import memory_order
from engine.native.code.elements import Elements, compute, declare
from engine.native.code.loops import Nest, added_up
from engine.native.code.operand import SUFFIX, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.kernel import Emitter
from engine.native.sums.reduction import division, is_reduction
from engine.native.toolchain.target import Machine
from engine.summation import kept_axes, summed
from ops import Node
from ops.fused import body_of

FEW = 16
"""Terms per result up to which it does not matter whether they are contiguous."""


def pays_off(node: Node) -> bool:
    """Whether a reduction is of few terms, or keeps the contiguous axis."""
    sizes, kept = summed(node).sizes, kept_axes(node)
    few = math.prod(sizes) <= FEW * math.prod(node.sizes)
    return few or memory_order(sizes)[-1] in kept


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, (*body, _), spec = Text(), body_of(node), summed(node)
    kept, s, dtype = kept_axes(node), SUFFIX[node.dtype], node.dtype
    out = [step for n, step in zip(node.sizes, operands.out.strides, strict=True) if n != 1]
    inputs = [x.broadcast_strides(spec.sizes) for x in operands.inputs]
    sizes = [spec.sizes[axis] for axis in kept]
    nest = Nest.over(sizes, [out, *([steps[axis] for axis in kept] for steps in inputs)])
    added = [axis for axis in memory_order(spec.sizes) if axis not in kept]
    elements = [
        Elements.of(_start(f"x{i}", steps, added), x, nest, i + 1)
        for i, (x, steps) in enumerate(zip(operands.inputs, inputs, strict=True))
    ]
    result = Elements.of("y", operands.out, nest, 0)
    declare(text, operands)
    with nest.outer(text):
        for lanes in nest.vectors(text, machine.target.lanes(dtype)):
            text(f"v{s} total = {{}};")
            with ExitStack() as loops:
                into = "total"
                for axis in added:
                    loop = added_up(text, f"v{s}", into, f"r{axis}", spec.sizes[axis])
                    into = loops.enter_context(loop)
                text(f"{into} += {compute(text, body, elements, dtype, lanes)};")
            text(result.store(f"total{division(node)}", dtype, lanes))
    return Code(text)


def _start(pointer: str, steps: Sequence[int], added: Sequence[int]) -> str:
    """A pointer at the current term, as a C expression."""
    return " + ".join([pointer, *(f"r{axis} * {steps[axis]}" for axis in added if steps[axis])])


EMITTER = Emitter(name="C: sums over axes", supports=is_reduction, pays_off=pays_off, emit=emit)
