"""Sums of elementwise expressions in C, over all elements or over all but the channels.

Each thread adds up its share in vectors; then the threads' sums are added up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.layout import strides
from engine.native.elementwise import Place, compute, float_type, vectors
from engine.native.expression import is_elementwise, number
from engine.native.loops import Nest
from engine.native.machine import Machine
from engine.native.operand import SUFFIX, TYPES, Operands
from engine.native.source import Code
from engine.native.text import Text
from engine.summation import REDUCTIONS, kept_axes, summed
from ops import Node, Spec
from ops.fused import Computation, body_of
from ops.spec import FLOATS


def innermost(spec: Spec) -> int:
    """The axis whose elements are contiguous."""
    return min(range(spec.ndim), key=lambda axis: (strides(spec.sizes)[axis], -axis))


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
    return is_reduction(node) and kept_axes(node) in ((), (innermost(summed(node)),))


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for every thread's sums."""
    return [Spec((machine.threads, _row(node, machine)), node.dtype)]


def _row(node: Node, machine: Machine) -> int:
    lanes = machine.target.lanes(node.dtype)
    return -(-math.prod(node.sizes) // lanes) * lanes


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, (*body, _) = Text(), body_of(node)
    kind, s, row = TYPES[node.dtype], SUFFIX[node.dtype], _row(node, machine)
    nest = _nest(node, operands)
    text(*(x.pointer(f"x{i}") for i, x in enumerate(operands.inputs)))
    text(
        operands.out.pointer("y", writable=True), operands.scratch[0].pointer("all", writable=True)
    )
    text(f"{kind} *sums = all + me * {row};", f"memset(sums, 0, {row} * sizeof *sums);")
    places = [Place(f"x{i}", x, nest, i + 1) for i, x in enumerate(operands.inputs)]
    if kept_axes(node):
        _channels(text, nest, body, places, node, machine)
    else:
        _number(text, nest, body, places, node, machine)
    text("barrier(team);")
    size = math.prod(node.sizes)
    with text.block(
        f"for (long c = share(team, {size}, me); c < share(team, {size}, me + 1); c++)"
    ):
        first = f"sum_{s}(load_{s}(all{{}}))" if not kept_axes(node) else "all[c{}]"
        text(f"{kind} sum = {first.format('')};")
        with text.block("for (int t = 1; t < team->threads; t++)"):
            text(f"sum += {first.format(f' + t * {row}')};")
        text(f"y[c] = sum{division(node)};")
    return Code(text)


def _nest(node: Node, operands: Operands) -> Nest:
    """Loops over what is summed: operand 0 is its default layout, the last one is the result."""
    sizes, kept = summed(node).sizes, kept_axes(node)
    order = strides(sizes)
    result = [order[axis] if axis in kept else 0 for axis in range(len(sizes))]
    inputs = [x.broadcast_strides(sizes) for x in operands.inputs]
    return Nest.over(sizes, [order, *inputs, result])


def _number(
    text: Text, nest: Nest, body: Sequence[Computation], places: Sequence[Place], node: Node,
    machine: Machine,
) -> None:  # fmt: skip
    s = SUFFIX[node.dtype]
    text(f"v{s} total = {{}};")
    with nest.outer(text):
        # Two levels of sums, so that rounding errors grow only slowly with the number of elements.
        text(f"v{s} sum = {{}};", "int added = 0;")
        for count in vectors(text, nest, machine.target.lanes(node.dtype)):
            name = compute(text, body, places, node.dtype, count)
            if count is None:
                text(f"sum += {name};")
                text(f"if (++added == 256) {{ total += sum; sum = (v{s}){{}}; added = 0; }}")
            else:
                text(f"for (int l = 0; l < {count}; l++) sum[l] += {name}[l];")
        text("total += sum;")
    text(f"store_{s}(sums, total);")


def _channels(
    text: Text, nest: Nest, body: Sequence[Computation], places: Sequence[Place], node: Node,
    machine: Machine,
) -> None:  # fmt: skip
    s = SUFFIX[node.dtype]
    if len(nest.sizes) == 1:  # a single row: there is nothing to add
        nest = Nest((1, *nest.sizes), tuple((0, *steps) for steps in nest.strides))
        places = [Place(p.pointer, p.operand, nest, i + 1) for i, p in enumerate(places)]
    with nest.outer(text):
        for count in vectors(text, nest, machine.target.lanes(node.dtype)):
            name = compute(text, body, places, node.dtype, count)
            if count is None:
                text(f"store_{s}(sums + j, load_{s}(sums + j) + {name});")
            else:
                text(f"for (int l = 0; l < {count}; l++) sums[j + l] += {name}[l];")
