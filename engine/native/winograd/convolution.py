"""Convolutions, their input gradients and their phases in C, by Winograd's blocks."""

from __future__ import annotations

from itertools import product

from engine.kernels.patches import lies_channels_last
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text, table
from engine.native.kernel import Emitter
from engine.native.taps import anchor, epilogue, packing
from engine.native.taps.tapsum import TapSum
from engine.native.toolchain.target import Machine
from engine.native.winograd.blocks import SIDE, Blocks
from engine.native.winograd.products import Products
from engine.native.winograd.work import Work
from ops import Node, Spec


def supports(node: Node) -> bool:
    """Whether a node is a sum of taps that has blocks, of an image that is stored as NHWC."""
    return anchor.supports(node) and _blocks(node) is not None


def pays_off(node: Node) -> bool:
    """Whether its blocks do, and the weight stays in the cache."""
    blocks = _blocks(node)
    return blocks is not None and blocks.pay_off and anchor.stays_in_cache(node)


def _blocks(node: Node) -> Blocks | None:
    found = anchor.find_anchor(node)
    assert found is not None
    image, weight = node.inputs[found.image], node.inputs[found.weight]
    if not lies_channels_last(image):
        return None
    return Blocks.find(anchor.taps_of(node, found, Operand.stored(weight.spec)), node.sizes[0])


def share(node: Node) -> float:
    """The share of the node's products that is carried out."""
    blocks = _blocks(node)
    assert blocks is not None
    return blocks.share


def _work(node: Node, inputs: tuple[Operand, ...], machine: Machine) -> tuple[TapSum, Work]:
    tapsum = TapSum.of(node, inputs, machine)
    blocks = Blocks.find(tapsum.taps, node.sizes[0])
    assert blocks is not None
    return tapsum, Work(blocks, tapsum.image, machine)


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for the filters' places, and for the threads' work."""
    inputs = tuple(Operand.stored(x.spec) for x in node.inputs)
    _, work = _work(node, inputs, machine)
    return [Spec((work.blocks.packed_size,), node.dtype), work.scratch()]


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, before = Text(), Text()
    tapsum, work = _work(node, operands.inputs, machine)
    blocks, (packed, memory) = work.blocks, operands.scratch
    products = Products(
        rows=work.chunk,
        results=blocks.taps.results,
        step=1,
        scalar=blocks.terms,
        added=False,
        dtype=node.dtype,
        machine=machine,
    )
    epilogue.declare(before, tapsum)
    epilogue.write_store(before, tapsum, operands.inputs)
    work.squares.write(before)
    products.write(before)
    _write_results(before, tapsum, work)
    once = packing.before(text, node, packed, lambda into: _pack(into, tapsum, work, operands))
    text(tapsum.image.pointer("x"))
    work.pointers(text, memory)
    epilogue.fill(text, tapsum, operands)
    with text.block(work.chunks_loop()):
        work.bounds(text)
        for number in range(len(blocks.filters)):
            _class(text, work, products, number)
    return Code(text, before, once)


def _pack(text: Text, tapsum: TapSum, work: Work, operands: Operands) -> None:
    """Write code that transforms the filters' taps into places, in ``packed``."""
    taps, blocks = tapsum.taps, work.blocks
    text(operands.inputs[tapsum.anchor.weight].pointer("w"))
    packing.share_terms(text, taps.terms, tapsum.lanes)
    text("const long terms = end - begin;")
    for number, filters in enumerate(blocks.filters):
        for f, one in enumerate(filters):
            at = blocks.at(number, f)
            with text.block(f"for (int t = 0; t < {len(one.taps)} && begin < end; t++)"):
                text(table("taps", [tap.weight for tap in one.taps]))
                place = f"packed + {at} + t * {blocks.slot} + begin * {taps.results}"
                text(f"{TYPES[tapsum.dtype]} *rows = {place};")
                packing.pack_matrix(text, tapsum, "taps[t]", "rows", padded=False)
            work.transform(text, "from_taps", f"packed + {at}", blocks.reach)


def _class(text: Text, work: Work, products: Products, number: int) -> None:
    """Write a class's positions within a chunk of blocks."""
    blocks, taps = work.blocks, work.blocks.taps
    with text.block(work.blocks_loop()):
        work.position(text)
        work.read(text, number)
    with text.block(f"for (int p = 0; p < {blocks.places}; p++)"):
        filters = f"packed + {blocks.at(number)} + p * {blocks.slot}"
        pixels, results = f"pixels + p * {work.pixel_place}", f"results + p * {work.result_place}"
        products.call(text, pixels, filters, results, str(blocks.terms))
    (a, b), (down, right) = taps.classes[number].offset, taps.out_step
    with text.block(work.blocks_loop()):
        work.position(text)
        line = f"n * {taps.out_image} + (i * {down} + {a}) * {taps.out_row}"
        to = f"{line} + (j * {right} + {b}) * {taps.results}"
        rows, columns = taps.classes[number].rows, taps.classes[number].columns
        inside = f"{rows} - i, {columns} - j"
        text(f"results@(&sides, results + (b - first) * {taps.results}, {to}, {inside});")


def _write_results(text: Text, tapsum: TapSum, work: Work) -> None:
    """Write the function that stores those of a block's results within ``rows`` and ``columns``."""
    kind, s, taps = TYPES[tapsum.dtype], SUFFIX[tapsum.dtype], tapsum.taps
    places = work.blocks.places
    down, right = taps.out_step[0] * taps.out_row, taps.out_pixel
    pointers = f"const Sides@ *sides, const {kind} *sums, long to"
    with (
        text.block(f"NOINLINE void results@({pointers}, long rows, long columns)"),
        text.block(f"for (long c = 0; c < {taps.results}; c += {tapsum.lanes})"),
    ):
        load = f"sum[p] = load_{s}(sums + p * {work.result_place} + c);"
        text(
            f"v{s} sum[{places}], y[{SIDE**2}];",
            f"UNROLL({places}) for (int p = 0; p < {places}; p++)",
            f"    {load}",
            f"to_results_{work.blocks.side}_square_{s}(sum, y);",
        )
        for r, q in product(range(SIDE), repeat=2):
            at = f"to + {r * down + q * right} + c, c"
            text(f"if (rows > {r} && columns > {q})")
            text(f"    store@(sides, y[{r * SIDE + q}], {at});")
    text("")


EMITTER = Emitter(
    name="C: Winograd's blocks",
    supports=supports,
    pays_off=pays_off,
    emit=emit,
    scratch=scratch,
    overwrites=anchor.overwritten,
    keeps=anchor.keeps,
    products=share,
)
