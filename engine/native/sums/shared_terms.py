"""Sums in C over all elements or over all but the channels.

Each thread adds up its share of the terms in vectors; then the threads' sums are added up.
"""

from __future__ import annotations

import math

from engine.layout import memory_order, strides
from engine.native.code.elements import Elements, compute
from engine.native.code.flat import Flat
from engine.native.code.loops import ADDITIONS, Nest, shares
from engine.native.code.operand import SUFFIX, TYPES, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.kernel import Emitter
from engine.native.sums.reduction import division, is_reduction
from engine.native.sums.side_by_side import MOST, SideBySide
from engine.native.toolchain.target import Machine
from engine.summation import kept_axes, summed
from ops import Node, Spec
from ops.fused import body_of


def supports(node: Node) -> bool:
    """Whether a node is a reduction to a number or to a row of channels."""
    if not is_reduction(node):
        return False
    kept = kept_axes(node)
    return not kept or kept == memory_order(summed(node).sizes)[-1:]


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for every thread's sums, and for recent rows that are not yet added to them."""
    return [Spec((machine.threads, 2 * _row(node, machine)), node.dtype)]


def _row(node: Node, machine: Machine) -> int:
    lanes = machine.target.lanes(node.dtype)
    return -(-math.prod(node.sizes) // lanes) * lanes


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, count = Text(), math.prod(node.sizes)
    kind, row = TYPES[node.dtype], _row(node, machine)
    text(*(x.pointer(f"x{i}") for i, x in enumerate(operands.inputs)))
    text(
        operands.out.pointer("y", writable=True), operands.scratch[0].pointer("all", writable=True)
    )
    text(f"{kind} *sums = all + me * {2 * row};", f"memset(sums, 0, {2 * row} * sizeof *sums);")
    nest, lanes = _nest(node, operands), machine.target.lanes(node.dtype)
    side_by_side = _side_by_side(node, operands, nest, lanes)
    if side_by_side is not None:
        side_by_side.write(text)
    else:
        _to_channels(text, nest, node, operands, lanes, row)
    text("barrier(team);")
    first, last = shares(count)
    with text.block(f"for (long c = {first}; c < {last}; c++)"):
        text(f"{kind} sum = all[c];")
        with text.block("for (int t = 1; t < team->threads; t++)"):
            text(f"sum += all[t * {2 * row} + c];")
        text(f"y[c] = sum{division(node)};")
    return Code(text)


def _nest(node: Node, operands: Operands) -> Nest:
    """Loops over what is summed: operand 0 is its default layout, the last one is the result."""
    sizes, kept = summed(node).sizes, kept_axes(node)
    order = strides(sizes)
    result = [order[axis] if axis in kept else 0 for axis in range(len(sizes))]
    inputs = [x.broadcast_strides(sizes) for x in operands.inputs]
    nest = Nest.over(sizes, [order, *inputs, result])
    if kept and len(nest.sizes) == 1:  # a single row of channels
        nest = Nest((1, *nest.sizes), tuple((0, *steps) for steps in nest.strides))
    return nest


def _side_by_side(node: Node, operands: Operands, nest: Nest, lanes: int) -> SideBySide | None:
    """The sums in registers; None for channels that are too many, or whose rows have gaps."""
    *inputs, result = range(1, len(nest.strides))
    if kept_axes(node):
        loops = [Flat.of(nest, [*inputs, result])]
    else:
        loops = [Flat.of(nest, inputs), Flat.as_is(nest)]
    found = (SideBySide(node, operands, flat, lanes) for flat in loops if flat is not None)
    return next((sums for sums in found if sums.count <= MOST), None)


def _to_channels(
    text: Text, nest: Nest, node: Node, operands: Operands, lanes: int, row: int
) -> None:
    """Add up rows of channels in any layout, in memory."""
    (*body, _), s = body_of(node), SUFFIX[node.dtype]
    elements = [Elements.of(f"x{i}", x, nest, i + 1) for i, x in enumerate(operands.inputs)]
    text(f"{TYPES[node.dtype]} *recent = sums + {row};", "int added = 0;")
    with nest.outer(text):
        for count in nest.vectors(text, lanes):
            name = compute(text, body, elements, node.dtype, count)
            term = name if count is None else f"first_{s}({name}, {count})"
            text(f"store_{s}(recent + j, load_{s}(recent + j) + {term});")
        with text.block(f"if (++added == {ADDITIONS})"):
            text(f"add_{s}(sums, recent, {row});")
            text(f"memset(recent, 0, {row} * sizeof *recent);", "added = 0;")
    text(f"add_{s}(sums, recent, {row});")


EMITTER = Emitter(name="C: sum", supports=supports, emit=emit, scratch=scratch)
