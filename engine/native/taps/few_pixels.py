"""Sums of taps for so few pixels that packing the weight would cost more than using it.

In the weight as stored, the terms of each result are contiguous: vectors run over them, and each
result is a dot product, as in :mod:`.dots`. Nothing is packed; the cost is adding up lanes. Nor are
taps summed for phases beforehand: those that read the same pixel are summed when they are used.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, product
from operator import attrgetter

from engine.kernels.patches import lies_channels_last
from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text, table
from engine.native.kernel import Emitter
from engine.native.taps import anchor, epilogue
from engine.native.taps.canvas import Canvas, runs_of
from engine.native.taps.geometry import PositionClass, Tap, Taps
from engine.native.taps.tapsum import TapSum
from engine.native.toolchain.target import Machine
from ops import Node, Spec
from ops.leaves import is_constant

TERMS_OF_A_PIXEL = 5
"""Terms that can be packed in the time it takes to add up the lanes of one pixel's results."""

FEW = 32
"""Most pixels: the weight is read again for every few of them, and with more pixels that costs as
much as packing it once."""

MOST = 4096
"""Most pixels for which there is code at all: it has a table of them."""

TILES = (4, 2, 1)
"""Pixels per tile: those for which a vector of the weight, once read, is used."""


def supports(node: Node) -> bool:
    """Whether a node is a convolution by a weight whose terms are contiguous, in whole vectors."""
    if not anchor.is_sum_of_taps(node):
        return False
    found, taps = _taps(node)
    stored = lies_channels_last(node.inputs[found.weight]) and taps.term_stride == 1
    return stored and taps.groups == 1 and taps.in_whole_vectors and _pixels(node, taps) <= MOST


def pays_off(node: Node) -> bool:
    """Whether pixels are few, and the weight is no constant, which would be packed only once."""
    found, taps = _taps(node)
    terms = max(len(_summed(c)) for c in taps.classes) * taps.terms
    few = _pixels(node, taps) <= min(FEW, terms // TERMS_OF_A_PIXEL)
    return few and not is_constant(node.inputs[found.weight])


def _pixels(node: Node, taps: Taps) -> int:
    """Positions of the largest class, in all images."""
    return node.sizes[0] * max(c.rows * c.columns for c in taps.classes)


def _taps(node: Node) -> tuple[anchor.Anchor, Taps]:
    found = anchor.find_anchor(node)
    assert found is not None
    weight = node.inputs[found.weight]
    return found, anchor.taps_of(node, found, Operand.stored(weight.spec))


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for the canvases."""
    tapsum = TapSum.of(node, tuple(Operand.stored(x.spec) for x in node.inputs), machine)
    return _canvas(tapsum).scratch(node.inputs[tapsum.anchor.image], machine.threads)


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, before, tapsum = Text(), Text(), TapSum.of(node, operands.inputs, machine)
    epilogue.declare(before, tapsum)
    epilogue.write_store(before, tapsum, operands.inputs)
    _write_tiles(before, tapsum)
    text(operands.inputs[tapsum.anchor.weight].pointer("w"), tapsum.image.pointer("x"))
    epilogue.fill(text, tapsum, operands)
    canvas = _canvas(tapsum)
    with text.block(f"for (long u = 0; u < {canvas.batch}; u++)"):
        canvas.emit(text, tapsum.image, operands.scratch[0] if operands.scratch else None)
        for number, position in enumerate(tapsum.taps.classes):
            _class(text, tapsum, canvas, number, position)
    return Code(text, before)


def _canvas(tapsum: TapSum) -> Canvas:
    """A canvas of whole images: the threads share the results, not the rows."""
    return replace(tapsum.canvas, rows=tapsum.taps.grid[0])


def _class(
    text: Text, tapsum: TapSum, canvas: Canvas, number: int, position: PositionClass
) -> None:
    """Write a class's positions within an image."""
    taps, lanes = tapsum.taps, tapsum.lanes
    places = _places(tapsum, canvas, position)
    text(
        table(f"from{number}", [at for at, _ in places]),
        table(f"to{number}", [at for _, at in places]),
        table(f"runs{number}", _runs(tapsum, canvas, position)),
    )
    first, last = (f"{share} * {lanes}" for share in shares(taps.results // lanes))
    with text.block(f"for (long m = {first}; m < {last}; m += {lanes})"):
        for pixels, (begin, end) in _cut(len(places), lanes).items():
            with text.block(f"for (int p = {begin}; p < {end}; p += {pixels})"):
                text(
                    f"tile@x{pixels}(&sides, in, from{number} + p, runs{number}, "
                    f"w + m * {taps.result_stride}, n * {taps.out_image} + m, to{number} + p, m);"
                )


def _places(tapsum: TapSum, canvas: Canvas, position: PositionClass) -> list[tuple[int, int]]:
    """Offsets of each position of a class in the canvas, and in an image of the result."""
    taps, (a, b) = tapsum.taps, position.offset
    in_row = taps.in_step[0] * canvas.width * taps.in_channels
    return [
        (
            i * in_row + j * taps.in_pixel,
            (i * taps.out_step[0] + a) * taps.out_row + b * taps.results + j * taps.out_pixel,
        )
        for i, j in product(range(position.rows), range(position.columns))
    ]


def _cut(count: int, lanes: int) -> dict[int, tuple[int, int]]:
    """Cut ``count`` pixels into tiles: size of tile -> where those tiles begin and end."""
    cut, at = {}, 0
    for size in TILES:
        end = count - (count - at) % size
        if size <= lanes and end > at:
            cut[size], at = (at, end), end
    return cut


def _summed(position: PositionClass) -> list[list[Tap]]:
    """The taps of a class, grouped by the pixel that they read."""
    together = groupby(sorted(position.taps), attrgetter("dy", "dx"))
    return [list(taps) for _, taps in together]


def _counts(tapsum: TapSum) -> list[int]:
    """The different numbers of taps that are summed for a pixel."""
    return sorted({len(taps) for c in tapsum.taps.classes for taps in _summed(c)})


def _runs(tapsum: TapSum, canvas: Canvas, position: PositionClass) -> list[int]:
    """The contiguous runs that a tile reads, flattened. For each number of taps that are summed:
    how many runs, and for each its offset in the canvas, its terms, and each tap's offset in the
    weight."""
    runs: list[int] = []
    for count in _counts(tapsum):
        summed = [taps for taps in _summed(position) if len(taps) == count]
        places = [(canvas.at(taps[0]), *(tap.weight for tap in taps)) for taps in summed]
        found = runs_of(places, tapsum.taps.terms)
        runs.append(len(found))
        for at, *weights, length in found:
            runs += [at, length, *weights]
    return runs


def _write_tiles(text: Text, tapsum: TapSum) -> None:
    cuts = (_cut(c.rows * c.columns, tapsum.lanes) for c in tapsum.taps.classes)
    for pixels in sorted({pixels for cut in cuts for pixels in cut}):
        _write_tile(text, tapsum, pixels)


def _write_tile(text: Text, tapsum: TapSum, pixels: int) -> None:
    """Write the function that sums for some pixels and a vector of their channels.

    As many sums as a vector has lanes are in registers at a time: those of some channels of each
    pixel.
    """
    kind, s, lanes = TYPES[tapsum.dtype], SUFFIX[tapsum.dtype], tapsum.lanes
    channels, stride = lanes // pixels, tapsum.taps.result_stride
    with text.block(
        f"NOINLINE void tile@x{pixels}(const Sides@ *sides, const {kind} *in, const long *from, "
        f"const long *runs, const {kind} *w, long at, const long *to, long channel)"
    ):
        text(f"{kind} totals[{pixels}][{lanes}];")
        with text.block(f"for (int m = 0; m < {lanes}; m += {channels}, w += {channels * stride})"):
            text(f"v{s} sums[{lanes}] = {{}};", "const long *run = runs;")
            for count in _counts(tapsum):
                with (
                    text.block(f"for (long left = *run++; left; left--, run += {2 + count})"),
                    text.block(f"for (long k = 0; k < run[1]; k += {lanes})"),
                ):
                    _write_products(text, tapsum, pixels, count)
            text(f"const v{s} some = totals_{s}(sums, {lanes});")
            for p in range(pixels):
                part = f"(const {kind} *)&some + {p * channels}"
                text(f"memcpy(&totals[{p}][m], {part}, {channels} * sizeof({kind}));")
        for p in range(pixels):
            text(f"store@(sides, load_{s}(totals[{p}]), at + to[{p}], channel);")
    text("")


def _write_products(text: Text, tapsum: TapSum, pixels: int, count: int) -> None:
    """Write a tile's products for one vector of terms, summing ``count`` taps first."""
    s, channels = SUFFIX[tapsum.dtype], tapsum.lanes // pixels
    for p in range(pixels):
        text(f"v{s} x{p} = load_{s}(in + from[{p}] + run[0] + k);", f"HOLD(x{p});")
    for m in range(channels):
        place = f"k + {m * tapsum.taps.result_stride}"
        taps = " + ".join(f"load_{s}(w + run[{2 + i}] + {place})" for i in range(count))
        text(f"v{s} w{m} = {taps};", f"HOLD(w{m});")
        text(*(f"sums[{p * channels + m}] += x{p} * w{m};" for p in range(pixels)))


EMITTER = Emitter(
    name="C: taps of few pixels",
    supports=supports,
    pays_off=pays_off,
    emit=emit,
    scratch=scratch,
    overwrites=anchor.overwritten,
)
