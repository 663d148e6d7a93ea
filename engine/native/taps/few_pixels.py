"""Sums of taps for so few pixels that to turn the weight costs more than to use it.

Where the weight lies, the terms of each result stand side by side: vectors run over them, and each
result is a dot product, as in :mod:`.dots`. Nothing is packed; what it costs is to add up lanes.
"""

from __future__ import annotations

from dataclasses import replace

from engine.kernels.patches import lies_channels_last
from engine.native.loops import shares
from engine.native.machine import Machine
from engine.native.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.source import Code
from engine.native.taps import anchor, epilogue
from engine.native.taps.canvas import Canvas, runs_of
from engine.native.taps.geometry import PositionClass
from engine.native.taps.tapsum import TapSum
from engine.native.text import Text, table
from engine.rewrites.constants import is_constant
from ops import Node, Spec

TERMS_OF_A_PIXEL = 12
"""Terms that are turned in the time in which the lanes of one pixel's results are added up."""

FEW = 16
"""Pixels for each of which the weight is read again; where it does not fit the nearest cache, that
costs as much as to turn it once."""


def supports(node: Node) -> bool:
    """A convolution of few pixels by a weight that is stored as such, and may change."""
    if not anchor.supports(node):
        return False
    found = anchor.find_anchor(node)
    assert found is not None
    weight = node.inputs[found.weight]
    if not lies_channels_last(weight) or is_constant(weight):
        return False
    taps = anchor.taps_of(node, found, Operand.stored(weight.spec))
    pixels = node.sizes[0] * max(c.rows * c.columns for c in taps.classes)
    terms = max(len(c.taps) for c in taps.classes) * taps.terms
    few = pixels <= min(FEW, terms // TERMS_OF_A_PIXEL)
    return taps.in_whole_vectors and taps.term_stride == 1 and few


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """The canvases."""
    tapsum = TapSum.of(node, tuple(Operand.stored(x.spec) for x in node.inputs), machine)
    return _canvas(tapsum).scratch(node.inputs[tapsum.anchor.image], machine.threads)


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, before, tapsum = Text(), Text(), TapSum.of(node, operands.inputs, machine)
    epilogue.declare(before, tapsum)
    epilogue.write_store(before, tapsum, operands.inputs)
    _write_pixel(before, tapsum)
    text(operands.inputs[tapsum.anchor.weight].pointer("w"), tapsum.image.pointer("x"))
    epilogue.fill(text, tapsum, operands)
    canvas = _canvas(tapsum)
    with text.block(f"for (long u = 0; u < {canvas.batch}; u++)"):
        canvas.emit(text, tapsum.image, operands.scratch[0] if operands.scratch else None)
        for number, position in enumerate(tapsum.taps.classes):
            _class(text, tapsum, canvas, number, position)
    return Code(text, before)


def _canvas(tapsum: TapSum) -> Canvas:
    """Whole images: the threads share the results, not the rows."""
    return replace(tapsum.canvas, rows=tapsum.taps.grid[0])


def _class(
    text: Text, tapsum: TapSum, canvas: Canvas, number: int, position: PositionClass
) -> None:
    """The positions of a class within an image."""
    taps, (a, b), lanes = tapsum.taps, position.offset, tapsum.lanes
    runs = runs_of([(canvas.at(tap), tap.weight) for tap in sorted(position.taps)], taps.terms)
    for name, values in zip(("at", "from", "length"), zip(*runs, strict=True), strict=True):
        text(table(f"{name}{number}", list(values)))
    in_row = taps.in_step[0] * canvas.width * taps.terms
    first, last = (f"{share} * {lanes}" for share in shares(taps.results // lanes))
    with (
        text.block(f"for (long m = {first}; m < {last}; m += {lanes})"),
        text.block(f"for (long i = 0; i < {position.rows}; i++)"),
        text.block(f"for (long j = 0; j < {position.columns}; j++)"),
    ):
        text(
            f"const long to = n * {taps.out_image} + (i * {taps.out_step[0]} + {a})"
            f" * {taps.out_row} + {b * taps.results} + j * {taps.out_pixel} + m;",
            f"pixel@(&sides, in + i * {in_row} + j * {taps.in_pixel}, at{number}, from{number}, "
            f"length{number}, {len(runs)}, w + m * {taps.result_stride}, to, m);",
        )


def _write_pixel(text: Text, tapsum: TapSum) -> None:
    """The function that sums for one pixel and a vector of its channels, all in registers."""
    kind, s, lanes = TYPES[tapsum.dtype], SUFFIX[tapsum.dtype], tapsum.lanes
    with text.block(
        f"NOINLINE void pixel@(const Sides@ *sides, const {kind} *in, const long *at, "
        f"const long *from, const long *length, int runs, const {kind} *w, long to, long channel)"
    ):
        text(f"v{s} sums[{lanes}] = {{}};")
        with (
            text.block("for (int r = 0; r < runs; r++)"),
            text.block(f"for (long k = 0; k < length[r]; k += {lanes})"),
        ):
            text(f"const v{s} x = load_{s}(in + at[r] + k);")
            for m in range(lanes):
                place = f"w + from[r] + k + {m * tapsum.taps.result_stride}"
                text(f"sums[{m}] += x * load_{s}({place});")
        text(f"store@(sides, totals_{s}(sums, {lanes}), to, channel);")
    text("")
