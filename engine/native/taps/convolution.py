"""Sums of taps in C: convolutions, their input gradients and their phases.

Each thread takes its share of bands. For a few neighbouring pixels and a few vectors of channels,
the sums stay in registers while all taps and terms are added; then the elementwise operators that
follow are applied and the result is stored. Source: Georganas et al., "Anatomy of High-Performance
Deep Learning Convolutions on SIMD Architectures", 2018.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from engine.native.code.blocking import ranges
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.registers import Registers
from engine.native.code.source import Code
from engine.native.code.text import Text, table
from engine.native.kernel import Emitter
from engine.native.taps import anchor, dots, epilogue, packing
from engine.native.taps.canvas import runs_of
from engine.native.taps.geometry import PositionClass
from engine.native.taps.tapsum import TapSum
from engine.native.toolchain.target import Machine
from ops import Node, Spec


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for the packed weight, and for the canvases."""
    tapsum = TapSum.of(node, tuple(Operand.stored(x.spec) for x in node.inputs), machine)
    packed = Spec((tapsum.taps.groups * _packed_size(tapsum),), node.dtype)
    image = node.inputs[tapsum.anchor.image]
    return [packed, *tapsum.canvas.scratch(image, machine.threads)]


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, before, tapsum = Text(), Text(), TapSum.of(node, operands.inputs, machine)
    epilogue.declare(before, tapsum)
    epilogue.write_store(before, tapsum, operands.inputs)
    _write_tiles(before, tapsum)
    packed, *canvases = operands.scratch
    once = packing.before(text, node, packed, lambda into: _pack(into, tapsum, operands))
    text(tapsum.image.pointer("x"))
    epilogue.fill(text, tapsum, operands)
    with text.block(tapsum.canvas.bands_loop()):
        tapsum.canvas.emit(text, tapsum.image, canvases[0] if canvases else None)
        with _groups(text, tapsum):
            packed_at = 0
            for number, position in enumerate(tapsum.positions):
                _class(text, tapsum, number, position, packed_at)
                packed_at += tapsum.packed_size(number)
    return Code(text, before, once)


def _packed_size(tapsum: TapSum) -> int:
    """Elements of a group's packed weight."""
    return sum(map(tapsum.packed_size, range(len(tapsum.positions))))


def _groups(text: Text, tapsum: TapSum) -> AbstractContextManager[None]:
    """A loop over the groups, ``q``, if there are several."""
    count = tapsum.taps.groups
    return text.block(f"for (long q = 0; q < {count}; q++)") if count > 1 else nullcontext()


def _at_group(tapsum: TapSum, apart: int) -> str:
    """What to add to an offset for the current group, as C text."""
    return f" + q * {apart}" if tapsum.taps.groups > 1 else ""


def _pack(text: Text, tapsum: TapSum, operands: Operands) -> None:
    pack = dots.pack if tapsum.dotted else packing.pack
    pack(text, tapsum, operands.inputs[tapsum.anchor.weight])


def _write_tiles(text: Text, tapsum: TapSum) -> None:
    if tapsum.dotted:
        for number, position in enumerate(tapsum.positions):
            for pixels in sorted(set(_pixels(tapsum, position))):
                dots.write_tile(text, tapsum, number, pixels)
        return
    for pixels in sorted({p for c in tapsum.positions for p in _pixels(tapsum, c)}):
        for vectors in sorted(set(ranges(tapsum.vectors, tapsum.block.vectors).values())):
            _tile(text, tapsum, pixels, vectors)


def _pixels(tapsum: TapSum, position: PositionClass) -> list[int]:
    """How a row of positions is cut: the pixels of each tile."""
    return list(ranges(position.columns, tapsum.block.scalars).values())


def _class(
    text: Text, tapsum: TapSum, number: int, position: PositionClass, packed_at: int
) -> None:
    """Write a class's positions within a band."""
    runs = runs_of([(tapsum.canvas.at(tap),) for tap in position.taps], tapsum.taps.terms)
    if not tapsum.dotted:
        text(table(f"at{number}", [at for at, _ in runs] or [0]))
        text(table(f"length{number}", [length for _, length in runs] or [0]))
    last = f"first + {tapsum.canvas.rows}"
    text(f"const long last{number} = least({last}, {position.rows});")
    # All rows for some channels before the next channels, so that their weights stay in the cache.
    for v, vectors in ranges(tapsum.vectors, tapsum.block.vectors).items():
        channel = f"{v * tapsum.lanes}{_at_group(tapsum, tapsum.taps.results)}"
        image = f"in{_at_group(tapsum, tapsum.taps.terms)}"
        weight = f"packed + {packed_at + v * tapsum.lanes}"
        with text.block(f"for (long i = first; i < last{number}; i++)"):
            tapsum.row(text, tapsum.canvas, position, channel, image)
            function, reads = f"tile@_{vectors}", weight + _at_group(tapsum, _packed_size(tapsum))
            if tapsum.dotted:
                function = f"dots@_{number}"
            else:
                reads = f"at{number}, length{number}, {len(runs)}, {reads}"
            size = tapsum.block.scalars
            tapsum.tiles(text, position.columns, size, function, reads, f", {channel}")


def _tile(text: Text, tapsum: TapSum, pixels: int, vectors: int) -> None:
    """Write the function that sums for some pixels and vectors of channels, all in registers."""
    kind, s, lanes, taps = TYPES[tapsum.dtype], SUFFIX[tapsum.dtype], tapsum.lanes, tapsum.taps
    sums = Registers(pixels, vectors, tapsum.dtype)
    head = (
        f"NOINLINE void tile@_{vectors}x{pixels}(const Sides@ *sides, const {kind} *in, "
        f"const long *at, const long *length, int runs, const {kind} *w, long to, long channel)"
    )
    with text.block(head):
        sums.declare(text)
        with text.block("for (int r = 0; r < runs; r++)"):
            text(f"const {kind} *x = in + at[r];")
            with text.block(f"for (long k = 0; k < length[r]; k++, w += {tapsum.vectors * lanes})"):
                sums.add_products(
                    text,
                    lambda p: f"x[k + {p * taps.in_pixel}]",
                    lambda v: f"load_{s}(w + {v * lanes})",
                )
        for name, p, v in sums.each():
            place = f"to + {p * taps.out_pixel + v * lanes}, channel + {v * lanes}"
            text(f"store@(sides, {name}, {place});")
    text("")


EMITTER = Emitter(
    name="C: taps",
    supports=anchor.supports,
    pays_off=anchor.stays_in_cache,
    emit=emit,
    scratch=scratch,
    overwrites=anchor.overwritten,
    keeps=anchor.keeps,
)
