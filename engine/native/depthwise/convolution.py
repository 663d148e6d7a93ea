"""Depthwise convolutions and their input gradients: sums of taps, channel by channel."""

from __future__ import annotations

from engine.native.code.blocking import ranges
from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text, table
from engine.native.kernel import Emitter
from engine.native.taps import anchor, epilogue, packing
from engine.native.taps.canvas import Canvas
from engine.native.taps.geometry import PositionClass
from engine.native.taps.tapsum import TapSum
from engine.native.toolchain.target import Machine
from ops import Node, Spec

PIXELS = 8
"""Neighbouring pixels whose sums are in registers: enough to keep a core busy, and for each vector
of the weight to be used several times."""


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for the packed weight, and for the canvases."""
    tapsum = TapSum.of(node, tuple(Operand.stored(x.spec) for x in node.inputs), machine)
    packed = Spec((sum(len(c.taps) for c in tapsum.positions) * _row(tapsum),), node.dtype)
    image = node.inputs[tapsum.anchor.image]
    return [packed, *_canvas(tapsum).scratch(image, machine.threads)]


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, before, tapsum = Text(), Text(), TapSum.of(node, operands.inputs, machine)
    canvas = _canvas(tapsum)
    epilogue.declare(before, tapsum)
    epilogue.write_store(before, tapsum, operands.inputs)
    for pixels in sorted({p for c in tapsum.positions for p in _tiles(c).values()}):
        _tile(before, tapsum, pixels)
    packed, *canvases = operands.scratch
    weight = operands.inputs[tapsum.anchor.weight]
    once = packing.before(text, node, packed, lambda into: _pack(into, tapsum, weight))
    text(tapsum.image.pointer("x"))
    epilogue.fill(text, tapsum, operands)
    with text.block(canvas.bands_loop()):
        canvas.emit(text, tapsum.image, canvases[0] if canvases else None)
        packed_at = 0
        for number, position in enumerate(tapsum.positions):
            _class(text, tapsum, number, position, packed_at)
            packed_at += len(position.taps) * _row(tapsum)
    return Code(text, before, once)


def _canvas(tapsum: TapSum) -> Canvas:
    threads = tapsum.machine.threads
    return Canvas.of(
        tapsum.taps, tapsum.image, tapsum.lanes, threads, vectors_of=tapsum.taps.in_channels
    )


def _row(tapsum: TapSum) -> int:
    """Elements of the packed weight for one tap: whole vectors."""
    return -(-tapsum.taps.out_channels // tapsum.lanes) * tapsum.lanes


def _tiles(position: PositionClass) -> dict[int, int]:
    """How a row of positions is cut: the first pixel of each tile -> how many."""
    return ranges(position.columns, PIXELS)


def _pack(text: Text, tapsum: TapSum, weight: Operand) -> None:
    """Write code that copies the weight tap by tap; the threads share the taps."""
    places = [tap.weight for position in tapsum.positions for tap in position.taps]
    row, channels, stride = _row(tapsum), tapsum.taps.out_channels, weight.strides[0]
    text(weight.pointer("w"))
    text(table("taps", places or [0]))
    first, last = shares(len(places))
    with text.block(f"for (long t = {first}; t < {last}; t++)"):
        with text.block(f"for (long c = 0; c < {channels}; c++)"):
            text(f"packed[t * {row} + c] = w[taps[t] + c * {stride}];")
        with text.block(f"for (long c = {channels}; c < {row}; c++)"):
            text(f"packed[t * {row} + c] = 0;")


def _class(
    text: Text, tapsum: TapSum, number: int, position: PositionClass, packed_at: int
) -> None:
    """Write a class's positions within a band: tile by tile of a row, and in each all channels."""
    canvas, count = _canvas(tapsum), len(position.taps)
    last = f"first + {canvas.rows}"
    text(table(f"at{number}", [canvas.at(tap) for tap in position.taps] or [0]))
    text(f"const long last{number} = least({last}, {position.rows});")

    with text.block(f"for (long i = first; i < last{number}; i++)"):
        tapsum.row(text, canvas, position)
        reads = f"at{number}, {count}, packed + {packed_at}"
        tapsum.tiles(text, position.columns, PIXELS, "tile@", reads)


def _tile(text: Text, tapsum: TapSum, pixels: int) -> None:
    """Write the function that sums for some pixels, vector by vector of channels."""
    kind, s, lanes, taps = TYPES[tapsum.dtype], SUFFIX[tapsum.dtype], tapsum.lanes, tapsum.taps
    head = (
        f"NOINLINE void tile@x{pixels}(const Sides@ *sides, const {kind} *in, "
        f"const long *at, int taps, const {kind} *w, long to)"
    )
    row = _row(tapsum)
    with (
        text.block(head),
        text.block(f"for (long channel = 0; channel < {row}; channel += {lanes})"),
    ):
        text(f"v{s} " + ", ".join(f"s{p} = {{}}" for p in range(pixels)) + ";")
        with text.block("for (int t = 0; t < taps; t++)"):
            text(
                f"const {kind} *x = in + at[t] + channel;",
                f"v{s} v = load_{s}(w + t * {row} + channel);",
                "HOLD(v);",
                *(f"s{p} += load_{s}(x + {p * taps.in_pixel}) * v;" for p in range(pixels)),
            )
        for p in range(pixels):
            text(f"store@(sides, s{p}, to + {p * taps.out_pixel} + channel, channel);")
    text("")


EMITTER = Emitter(
    name="C: depthwise",
    supports=anchor.is_depthwise,
    emit=emit,
    scratch=scratch,
    overwrites=anchor.overwritten,
    keeps=anchor.keeps,
)
