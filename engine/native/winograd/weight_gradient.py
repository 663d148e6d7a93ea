"""Weight gradients of sums of taps in C, by Winograd's blocks: the adjoint of the convolutions.

Each thread adds up its share of the blocks, ``(B' x)' (A g)`` place by place, in sums of its own;
then the threads' sums are added up and transformed into those of taps.
"""

from __future__ import annotations

from engine.kernels.patches import lies_channels_last
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text, table
from engine.native.kernel import Emitter
from engine.native.taps import packing, weight_gradient
from engine.native.toolchain.target import Machine
from engine.native.winograd.blocks import SIDE, Blocks
from engine.native.winograd.products import Products
from engine.native.winograd.squares import Squares
from engine.native.winograd.work import Work
from ops import Node, Spec


def supports(node: Node) -> bool:
    """Whether a node is the gradient of a sum of taps that has blocks, of images stored as NHWC."""
    if not weight_gradient.supports(node):
        return False
    stored = lies_channels_last(node.inputs[weight_gradient.factors(node)[1]])
    return stored and _blocks(node, Operand.stored(node.spec)) is not None


def _blocks(node: Node, out: Operand) -> Blocks | None:
    g, _ = weight_gradient.factors(node)
    blocks = Blocks.find(weight_gradient.taps_of(node, out), node.inputs[g].sizes[0])
    # Strided blocks have no transforms of gradients: with 25 places there are so many sums that
    # adding to them costs what fewer products save.
    return None if blocks is None or blocks.strided else blocks


def pays_off(node: Node) -> bool:
    """Whether the blocks do, and the sums stay in the cache."""
    blocks = _blocks(node, Operand.stored(node.spec))
    return blocks is not None and blocks.pay_off and weight_gradient.pays_off(node)


def share(node: Node) -> float:
    """The share of the node's products that is carried out."""
    blocks = _blocks(node, Operand.stored(node.spec))
    assert blocks is not None
    return blocks.share


def _work(node: Node, out: Operand, x: Operand, machine: Machine) -> Work:
    blocks = _blocks(node, out)
    assert blocks is not None
    return Work(blocks, x, machine)


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for every thread's sums, and for its work."""
    image = node.inputs[weight_gradient.factors(node)[1]]
    work = _work(node, Operand.stored(node.spec), Operand.stored(image.spec), machine)
    return [Spec((machine.threads, work.blocks.packed_size), node.dtype), work.scratch()]


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    g, x = (operands.inputs[i] for i in weight_gradient.factors(node))
    text, before, work = Text(), Text(), _work(node, operands.out, x, machine)
    blocks, (sums, memory) = work.blocks, operands.scratch
    transform, step = f"from_results_{blocks.side}", blocks.taps.out_step
    gradients = Squares(g, SIDE, step, transform, "gradients@", work.result_place)
    products = Products(
        rows=blocks.terms,
        results=blocks.taps.results,
        step=blocks.terms,
        scalar=1,
        added=True,
        dtype=node.dtype,
        machine=machine,
    )
    for part in (work.squares, gradients, products):
        part.write(before)
    kind, size = TYPES[node.dtype], blocks.packed_size
    text(sums.pointer("all", writable=True), f"{kind} *sums = all + me * {size};")
    text(x.pointer("x"), g.pointer("g"), f"memset(sums, 0, {size} * sizeof *sums);")
    work.pointers(text, memory)
    with text.block(work.chunks_loop()):
        work.bounds(text)
        for number in range(len(blocks.filters)):
            _class(text, work, g, products, number)
    text("barrier(team);")
    _gather(text, work, operands.out)
    return Code(text, before)


def _class(text: Text, work: Work, g: Operand, products: Products, number: int) -> None:
    """Write code that adds up a class's products within a chunk of blocks."""
    blocks, taps = work.blocks, work.blocks.taps
    (a, b), (down, right) = taps.classes[number].offset, taps.out_step
    with text.block(work.blocks_loop()):
        work.position(text)
        work.read(text, number)
        first = f"g + n * {g.strides[0]}, i * {down} + {a}, j * {right} + {b}"
        text(f"gradients@({first}, patch, results + (b - first) * {taps.results});")
    with text.block(f"for (int p = 0; p < {blocks.places}; p++)"):
        pixels, results = f"pixels + p * {work.pixel_place}", f"results + p * {work.result_place}"
        at = f"sums + {blocks.at(number)} + p * {blocks.slot}"
        products.call(text, pixels, results, at, "last - first")


def _gather(text: Text, work: Work, out: Operand) -> None:
    """Write code that adds up the threads' sums, and transforms and copies them to the weight."""
    blocks, taps, s = work.blocks, work.blocks.taps, SUFFIX[out.dtype]
    lanes = work.machine.target.lanes(out.dtype)
    text(out.pointer("y", writable=True))
    packing.share_terms(text, taps.terms, lanes)
    for number, filters in enumerate(blocks.filters):
        for f, one in enumerate(filters):
            at = f"all + {blocks.at(number, f)}"
            place = f"{at} + begin * {taps.results}"
            with (
                text.block(f"for (int p = 0; p < {blocks.places}; p++)"),
                text.block("for (int t = 1; t < team->threads; t++)"),
            ):
                total = f"{place} + p * {blocks.slot}"
                other = f"{total} + t * {blocks.packed_size}"
                text(f"add_{s}({total}, {other}, (end - begin) * {taps.results});")
            work.transform(text, "to_taps", at, blocks.side)
            with text.block(f"for (int t = 0; t < {len(one.taps)}; t++)"):
                text(table("taps", [tap.weight for tap in one.taps]))
                rows = f"{place} + t * {blocks.slot}, {taps.results}"
                to = f"y + taps[t] + begin * {taps.term_stride}, {taps.result_stride}"
                text(f"transpose_{s}({rows}, {to}, end - begin, {taps.results});")


EMITTER = Emitter(
    name="C: Winograd's blocks, weight",
    supports=supports,
    pays_off=pays_off,
    emit=emit,
    scratch=scratch,
    products=share,
)
