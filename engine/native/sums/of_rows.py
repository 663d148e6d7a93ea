"""Sums of elementwise expressions over contiguous elements in C: over channels, or over images.

Each thread sums rows of its own, as many at once as a vector has lanes, so that their lanes are
added up together.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from engine.layout import memory_order, strides
from engine.native.code.elements import Elements, compute, declare
from engine.native.code.loops import Nest, added_up, shares
from engine.native.code.operand import SUFFIX, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.kernel import Emitter
from engine.native.sums.reduction import division, is_reduction
from engine.native.toolchain.target import Machine
from engine.summation import kept_axes, summed
from ops import Node
from ops.fused import body_of


def supports(node: Node) -> bool:
    """Whether a node is a reduction of contiguous elements to several numbers."""
    if not is_reduction(node):
        return False
    kept, order = kept_axes(node), memory_order(summed(node).sizes)
    return 0 < len(kept) < len(order) and set(order[: len(kept)]) == set(kept)


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, s, lanes = Text(), SUFFIX[node.dtype], machine.target.lanes(node.dtype)
    rows, terms = _nests(node, operands)
    count, blocks = rows.inner, -(-rows.inner // lanes)
    declare(text, operands)
    with rows.outer(text):
        begin, end = shares(blocks) if len(rows.sizes) == 1 else ("0", str(blocks))
        with text.block(f"for (long block = {begin}; block < {end}; block++)"):
            text(f"const long first = block * {lanes};")
            text(f"const int rows = least({lanes}, {count} - first);")
            text(f"v{s} sums[{lanes}] = {{}};")
            with text.block("for (int p = 0; p < rows; p++)"):
                text("const long i = first + p;", f"v{s} total = {{}};")
                _add_row(text, node, _elements(operands, rows, terms), terms, lanes)
                text("sums[p] = total;")
            text(f"const v{s} result = totals_{s}(sums, {lanes}){division(node)};")
            text(f"memcpy(y + {rows.offset(0)} + first, &result, rows * sizeof *y);")
    return Code(text)


def _nests(node: Node, operands: Operands) -> tuple[Nest, Nest]:
    """Loops over rows, whose operand 0 is the result, and over a row's terms, as they lie."""
    spec, kept = summed(node), kept_axes(node)
    added, order = memory_order(spec.sizes)[len(kept) :], strides(spec.sizes)
    inputs = [x.broadcast_strides(spec.sizes) for x in operands.inputs]
    out = [step for n, step in zip(node.sizes, operands.out.strides, strict=True) if n != 1]

    def nest(axes: Sequence[int], first: Sequence[int]) -> Nest:
        steps = [first, *([each[axis] for axis in axes] for each in inputs)]
        return Nest.over([spec.sizes[axis] for axis in axes], steps)

    return nest(kept, out), nest(added, [order[axis] for axis in added])


def _elements(operands: Operands, rows: Nest, terms: Nest) -> list[Elements]:
    """Where the inputs are at index ``j`` of the terms' innermost loop, in row ``i``."""
    elements = []
    for n, x in enumerate(operands.inputs):
        *outer, step = terms.strides[n + 1]
        at = [f"x{n}", rows.offset(n + 1), f"i * {rows.strides[n + 1][-1]}", f"j * {step}"]
        at += [f"t{axis} * {each}" for axis, each in enumerate(outer) if each]
        elements.append(Elements(" + ".join(at), step, x.dtype))
    return elements


def _add_row(text: Text, node: Node, elements: list[Elements], terms: Nest, lanes: int) -> None:
    """Write code that adds a row to ``total``, vector by vector along the innermost loop."""
    (*body, _), s = body_of(node), SUFFIX[node.dtype]
    whole, rest = divmod(terms.inner, lanes)
    with ExitStack() as loops:
        into = "total"
        for axis, size in enumerate(terms.sizes[:-1]):
            into = loops.enter_context(added_up(text, f"v{s}", into, f"t{axis}", size))
        if whole:
            with added_up(text, f"v{s}", into, "k", whole) as sums:
                text(f"const long j = k * {lanes};")
                text(f"{sums} += {compute(text, body, elements, node.dtype, None)};")
        if rest:
            text(f"const long j = {whole * lanes};")
            name = compute(text, body, elements, node.dtype, rest)
            text(f"{into} += first_{s}({name}, {rest});")


EMITTER = Emitter(name="C: sums of rows", supports=supports, emit=emit)
