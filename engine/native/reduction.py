"""Sums of elementwise expressions in C, over all elements or over all but the channels.

Each thread adds up its share in vectors; then the threads' sums are added up.
"""

from __future__ import annotations

import math

from engine.layout import memory_order, strides
from engine.native.blocking import CHAINS
from engine.native.elements import Place, compute, float_type, vectors
from engine.native.expression import CHEAP, is_elementwise, number
from engine.native.flat import Flat
from engine.native.loops import ADDITIONS, Nest, shares
from engine.native.machine import Machine
from engine.native.operand import SUFFIX, TYPES, Operands
from engine.native.source import Code
from engine.native.text import Text
from engine.summation import REDUCTIONS, kept_axes, summed
from ops import Node, Spec
from ops.fused import body_of
from ops.spec import FLOATS

MOST = 16
"""Most vectors that are added up side by side, in registers."""

MOST_UNROLLED = 64
"""Most operators in the code for all of these, which would take long to compile otherwise."""


def is_reduction(node: Node) -> bool:
    """Whether a node is a sum or mean, of one float type, perhaps after elementwise operators."""
    *before, last = body_of(node)
    if last.operator.name not in REDUCTIONS or not all(map(is_elementwise, before)):
        return False
    if float_type(node) is None or node.dtype not in FLOATS:
        return False
    return summed(node).ndim > 0 and 0 not in summed(node).sizes


def division(node: Node) -> str:
    """A mean's division of the sum by the number of terms, as C text; empty for a sum."""
    if body_of(node)[-1].operator.name != "mean":
        return ""
    return f" / {number(math.prod(summed(node).sizes) // math.prod(node.sizes), node.dtype)}"


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
    nest, channels = _nest(node, operands), bool(kept_axes(node))
    flat, lanes = _flat(nest, channels), machine.target.lanes(node.dtype)
    if flat is not None and _at_once(flat, lanes) <= MOST:
        _crossing_rows(text, flat, node, operands, lanes)
    elif channels:
        _to_channels(text, nest, node, operands, lanes, row)
    else:
        _to_number(text, nest, node, operands, lanes)
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


def _flat(nest: Nest, channels: bool) -> Flat | None:
    """What to add up as one loop: all rows or, for a number, each; None if they have gaps."""
    *inputs, result = range(1, len(nest.strides))
    if channels:
        return Flat.of(nest, [*inputs, result])
    within = all(nest.strides[i][-1] in (0, 1) for i in inputs)
    return Flat.of(nest, inputs) or (Flat.as_is(nest) if within else None)


def _at_once(flat: Flat, lanes: int) -> int:
    """Vectors that are added up side by side: all that begin at different channels, or more."""
    period = flat.channels // math.gcd(flat.channels, lanes)
    return period * -(-CHAINS // period)


def _crossing_rows(text: Text, flat: Flat, node: Node, operands: Operands, lanes: int) -> None:
    """Add up flat rows: in each lane the elements of one channel, whichever rows they are from."""
    (*body, _), s, at_once = body_of(node), SUFFIX[node.dtype], _at_once(flat, lanes)
    places = flat.places(operands.inputs, f"p * {lanes} % {flat.channels}")
    turns, rest = divmod(flat.nest.inner, at_once * lanes)
    alone = len(flat.nest.sizes) == 1

    heavy = at_once * len(body) > MOST_UNROLLED or any(c.operator.name not in CHEAP for c in body)
    each = f"{'' if heavy else f'UNROLL({MOST}) '}for (int p = 0; p < {{}}; p++)"

    def carry() -> None:
        with text.block(each.format(at_once)):
            text("total[p] += sum[p];", f"sum[p] = (v{s}){{}};")
        text("added = 0;")

    def add(vectors: int, first: str) -> None:
        with text.block(each.format(vectors)):
            text(f"const long j = {first} + p * {lanes};")
            text(f"sum[p] += {compute(text, body, places, node.dtype, None)};")

    text(f"v{s} sum[{at_once}] = {{}}, total[{at_once}] = {{}};", "int added = 0;")
    with flat.nest.outer(text):
        flat.fill(text, operands.inputs, lanes)
        begin, end = shares(turns) if alone else ("0", str(turns))
        with text.block(f"for (long turn = {begin}; turn < {end}; turn++)"):
            add(at_once, f"turn * {at_once * lanes}")
            with text.block(f"if (++added >= {ADDITIONS})"):
                carry()
        with text.block("if (me == team->threads - 1)" if alone else ""):
            whole, part = divmod(rest, lanes)
            first = turns * at_once * lanes
            if whole:
                add(whole, str(first))
            if part:
                text(f"const int p = {whole};", f"const long j = {first + whole * lanes};")
                name = compute(text, body, places, node.dtype, part)
                text(f"sum[p] += first_{s}({name}, {part});")
            with text.block(f"if (++added >= {ADDITIONS})"):
                carry()
    carry()
    kept = math.prod(node.sizes)
    text(f"const {TYPES[node.dtype]} *each = (const {TYPES[node.dtype]} *)total;")
    text(f"for (int i = 0; i < {at_once * lanes}; i++) sums[i % {kept}] += each[i];")


def _to_channels(
    text: Text, nest: Nest, node: Node, operands: Operands, lanes: int, row: int
) -> None:
    """Add up rows of channels in any layout, in memory."""
    (*body, _), s = body_of(node), SUFFIX[node.dtype]
    places = [Place.of(f"x{i}", x, nest, i + 1) for i, x in enumerate(operands.inputs)]
    text(f"{TYPES[node.dtype]} *recent = sums + {row};", "int added = 0;")
    with nest.outer(text):
        for count in vectors(text, nest, lanes):
            name = compute(text, body, places, node.dtype, count)
            term = name if count is None else f"first_{s}({name}, {count})"
            text(f"store_{s}(recent + j, load_{s}(recent + j) + {term});")
        with text.block(f"if (++added == {ADDITIONS})"):
            text(f"add_{s}(sums, recent, {row});")
            text(f"memset(recent, 0, {row} * sizeof *recent);", "added = 0;")
    text(f"add_{s}(sums, recent, {row});")


def _to_number(text: Text, nest: Nest, node: Node, operands: Operands, lanes: int) -> None:
    """Add up everything in any layout."""
    (*body, _), s = body_of(node), SUFFIX[node.dtype]
    places = [Place.of(f"x{i}", x, nest, i + 1) for i, x in enumerate(operands.inputs)]
    text(f"v{s} sum = {{}}, total = {{}};", "int added = 0;")
    with nest.outer(text):
        for count in vectors(text, nest, lanes):
            name = compute(text, body, places, node.dtype, count)
            text(f"sum += {name if count is None else f'first_{s}({name}, {count})'};")
            with text.block(f"if (++added == {ADDITIONS})"):
                text("total += sum;", f"sum = (v{s}){{}};", "added = 0;")
    text(f"sums[0] = sum_{s}(total + sum);")
