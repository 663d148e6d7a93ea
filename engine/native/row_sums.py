"""Sums of elementwise expressions over contiguous elements in C: over channels, or over images.

Each thread sums rows of its own, as many at once as a vector has lanes, so that their lanes are
added up together.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from engine.layout import strides
from engine.native.elements import Place, compute, declare
from engine.native.loops import Nest, shares
from engine.native.machine import Machine
from engine.native.operand import SUFFIX, Operands
from engine.native.reduction import BLOCK, division, is_reduction
from engine.native.source import Code
from engine.native.text import Text
from engine.summation import kept_axes, summed
from ops import Node, Spec
from ops.fused import body_of


def supports(node: Node) -> bool:
    """Whether a node is a reduction of contiguous elements to several numbers."""
    if not is_reduction(node):
        return False
    kept, inwards = kept_axes(node), _inwards(summed(node))
    return 0 < len(kept) < len(inwards) and set(inwards[: len(kept)]) == set(kept)


def _inwards(spec: Spec) -> list[int]:
    """The axes of more than one element, from the outermost to the innermost."""
    steps = strides(spec.sizes)
    axes = [axis for axis, size in enumerate(spec.sizes) if size > 1]
    return sorted(axes, key=lambda axis: -steps[axis])


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, spec, kept, s = Text(), summed(node), kept_axes(node), SUFFIX[node.dtype]
    added, lanes = _inwards(spec)[len(kept) :], machine.target.lanes(node.dtype)
    steps = [x.broadcast_strides(spec.sizes) for x in operands.inputs]
    out = [step for n, step in zip(node.sizes, operands.out.strides, strict=True) if n != 1]
    sizes = [spec.sizes[axis] for axis in kept]
    nest = Nest.over(sizes, [out, *([each[axis] for axis in kept] for each in steps)])
    rows, alone = nest.inner, len(nest.sizes) == 1
    declare(text, operands)
    with nest.outer(text):
        blocks = -(-rows // lanes)
        begin, end = shares(blocks) if alone else ("0", str(blocks))
        with text.block(f"for (long block = {begin}; block < {end}; block++)"):
            text(f"const long first = block * {lanes};")
            text(f"const int rows = first + {lanes} < {rows} ? {lanes} : {rows} - first;")
            text(f"v{s} sums[{lanes}] = {{}};")
            with text.block("for (int p = 0; p < rows; p++)"):
                text("const long i = first + p;", f"v{s} total = {{}};")
                _add_row(text, node, operands, nest, steps, added, lanes)
                text("sums[p] = total;")
            text(f"const v{s} result = totals_{s}(sums, {lanes}){division(node)};")
            at = f"y + {nest.offset(0)} + first"
            text(f"memcpy({at}, &result, rows * sizeof *y);")
    return Code(text)


def _add_row(
    text: Text, node: Node, operands: Operands, nest: Nest, steps: Sequence[Sequence[int]],
    added: Sequence[int], lanes: int,
) -> None:  # fmt: skip
    """Write code that adds row ``i`` to ``total``, vector by vector along the innermost axis."""
    (*body, _), s, sizes = body_of(node), SUFFIX[node.dtype], summed(node).sizes
    *outer, inner = added
    places = []
    for number, x in enumerate(operands.inputs):
        along = [f"r{axis} * {steps[number][axis]}" for axis in outer if steps[number][axis]]
        row = f"i * {nest.strides[number + 1][-1]}"
        step = steps[number][inner]
        address = " + ".join([f"x{number}", nest.offset(number + 1), row, *along, f"j * {step}"])
        places.append(Place(address, step, x))

    whole, rest = divmod(sizes[inner], lanes)
    with ExitStack() as loops:
        for axis in outer:
            head = f"for (long r{axis} = 0; r{axis} < {sizes[axis]}; r{axis}++)"
            loops.enter_context(text.block(head))
        # Two levels of sums, so that rounding errors grow only slowly with their number.
        with text.block(f"for (long k = 0; k < {whole};)"):
            text(f"const long end = k + {BLOCK} < {whole} ? k + {BLOCK} : {whole};")
            text(f"v{s} sum = {{}};")
            with text.block("for (; k < end; k++)"):
                text(f"const long j = k * {lanes};")
                text(f"sum += {compute(text, body, places, node.dtype, None)};")
            text("total += sum;")
        if rest:
            text(f"const long j = {whole * lanes};")
            name = compute(text, body, places, node.dtype, rest)
            text(f"total += first_{s}({name}, {rest});")
