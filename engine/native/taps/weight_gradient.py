"""Weight gradients of sums of taps in C.

For a sum of taps y (see ``geometry``) and the gradient g with respect to y, each matrix's gradient
is the sum over all positions of ``x[i*s + dy, j*s + dx]' g[i*S + a, j*S + b]``. Each thread adds up
its share of bands in sums of its own, block by block in registers; then the threads' sums are added
up.

One of the two factors is read as vectors, the other as scalars: vectors of g's channels with all
terms that are contiguous, or vectors of x's channels with the channels of g, whichever leaves fewer
lanes empty.
"""

from __future__ import annotations

import math
from dataclasses import replace

from engine.kernels.patches import lies_channels_last
from engine.native.code.blocking import ranges
from engine.native.code.elements import float_type
from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.registers import Registers
from engine.native.code.source import Code
from engine.native.code.text import Text, table
from engine.native.kernel import Emitter
from engine.native.taps import anchor, forms
from engine.native.taps.geometry import Taps
from engine.native.taps.products import Products
from engine.native.toolchain.target import Machine
from ops import Node, Spec
from ops.fused import body_of
from ops.windows import Pair

MOST_SUMS = 1 << 20
"""Most elements of a gradient: its code has a call for every few dozen of them, and takes seconds
to compile."""


def supports(node: Node) -> bool:
    """Whether a node is a weight gradient, perhaps of phases."""
    body = body_of(node)
    names = [step.operator.name for step in body]
    if names == ["separate_phases", "conv2d_weight_gradient"]:
        in_order = body[1].sources[0] == len(node.inputs) and body[1].attributes["stride"] == (1, 1)
    else:
        in_order = names == ["conv2d_weight_gradient"]
    return (
        in_order
        and float_type(node) is not None
        and anchor.can_group(body[-1], node.sizes[0], phases=len(body) > 1)
        and body[-1].sources[1] < len(node.inputs)
        and lies_channels_last(node.inputs[factors(node)[0]])
        and 0 not in node.inputs[0].sizes
        and math.prod(node.sizes) <= MOST_SUMS
    )


def pays_off(node: Node) -> bool:
    """Whether the sums stay in the cache."""
    return node.spec.nbytes <= anchor.LARGEST_WEIGHT


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for every thread's sums, and for the canvases."""
    stored = tuple(Operand.stored(value.spec) for value in node.inputs)
    products = _products(node, Operands(Operand.stored(node.spec), stored, ()), machine)
    sums = Spec((machine.threads, products.size), node.dtype)
    return [sums, *products.canvas.scratch(node.inputs[factors(node)[1]], machine.threads)]


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, before, products = Text(), Text(), _products(node, operands, machine)
    (g, x), (sums, *canvases) = factors(node), operands.scratch
    for rows, vectors in dict.fromkeys(_tiles(products)):
        _tile(before, products, rows, vectors)
    kind, size = TYPES[node.dtype], products.size
    text(sums.pointer("all", writable=True), f"{kind} *sums = all + me * {size};")
    text(operands.inputs[x].pointer("x"), operands.inputs[g].pointer("g"))
    text(f"memset(sums, 0, {size} * sizeof *sums);")
    with text.block(products.canvas.bands_loop()):
        products.canvas.emit(text, products.image, canvases[0] if canvases else None)
        rows, last = products.taps.grid[0], f"first + {products.canvas.rows}"
        text(f"const long count = least({last}, {rows}) - first;")
        image, row = products.g_strides
        text(f"const {kind} *from = g + n * {image} + first * {row};")
        _add(text, products)
    text("barrier(team);")
    _gather(text, products, operands.out)
    return Code(text, before)


def factors(node: Node) -> Pair:
    """The numbers of g and of x among the node's inputs."""
    body = body_of(node)
    return body[0].sources[0], body[-1].sources[1]


def _products(node: Node, operands: Operands, machine: Machine) -> Products:
    taps = taps_of(node, operands.out)
    return Products(node.dtype, taps, operands.inputs[factors(node)[1]], machine)


def taps_of(node: Node, out: Operand) -> Taps:
    """The taps whose gradient it is: those of a convolution of x by a weight like the result."""
    body, (g, x) = body_of(node), factors(node)
    phases = len(body) == 2
    n, _, height, width = node.inputs[g].sizes
    size = (height // 2 + 1, width // 2 + 1) if phases else (height, width)
    forward = replace(body[-1], spec=node.spec.with_shape((n, node.sizes[0], *size)))
    form = forms.phase_convolution if phases else forms.convolution
    return form(forward, node.inputs[x].sizes, out)


def _tiles(products: Products) -> list[Pair]:
    """Rows and vectors of every tile, in the order in which the tiles are added up."""
    return [
        (rows, vectors)
        for group in products.groups
        for rows in ranges(products.shape(group)[0], products.block(group).scalars).values()
        for vectors in ranges(products.shape(group)[1], products.block(group).vectors).values()
    ]


def _add(text: Text, products: Products) -> None:
    """Write code that adds up a band, tile by tile."""
    lanes, sums_at = products.lanes, 0
    for number, group in enumerate(products.groups):
        (scalars, vectors), block = products.shape(group), products.block(group)
        if not products.vectors_of_g:
            text(table(f"g{number}", list(group.g_at)))
        for r, rows in ranges(scalars, block.scalars).items():
            for v, width in ranges(vectors, block.vectors).items():
                if products.vectors_of_g:
                    places = f"in + {group.x_at + r}, from + {group.g_at[0] + v * lanes}"
                    part = int((v + width) * lanes > products.taps.results)
                else:
                    places, part = f"in + {group.x_at + v * lanes}, from, g{number} + {r}", 0
                at = f"sums + {sums_at + (r * vectors + v) * lanes}, {vectors * lanes}"
                text(f"tile@_{rows}x{width}({places}, count, {at}, {part});")
        sums_at += scalars * vectors * lanes


def _tile(text: Text, products: Products, rows: int, vectors: int) -> None:
    """Write the function that sums rows x vectors over the positions of a band.

    In it, ``part`` tells whether the last vector would reach beyond the channels of g.
    """
    kind, s, taps = TYPES[products.dtype], SUFFIX[products.dtype], products.taps
    lanes, rest = products.lanes, taps.results % products.lanes
    sums = Registers(rows, vectors, products.dtype)
    channels = "" if products.vectors_of_g else "const long *g_at, "
    head = (
        f"NOINLINE void tile@_{rows}x{vectors}(const {kind} *x, const {kind} *g, {channels}"
        f"long count, {kind} *sums, long stride, int part)"
    )
    x_row = taps.in_step[0] * products.canvas.width * taps.in_channels
    x_pixel, g_pixel = taps.in_pixel, taps.out_pixel
    vector, scalar = ("b", "a") if products.vectors_of_g else ("a", "b")
    at = [f"{r}" if products.vectors_of_g else f"g_at[{r}]" for r in range(rows)]

    def load(v: int) -> str:
        whole = f"load_{s}({vector} + {v * lanes})"
        if products.vectors_of_g and rest and v == vectors - 1:
            return f"part ? load_part_{s}({vector} + {v * lanes}, {rest}) : {whole}"
        return whole

    with text.block(head):
        sums.declare(text)
        with text.block("for (long i = 0; i < count; i++)"):
            text(f"const {kind} *a = x + i * {x_row}, *b = g + i * {products.g_strides[1]};")
            steps = f"a += {x_pixel}, b += {g_pixel}"
            with text.block(f"for (long j = 0; j < {taps.grid[1]}; j++, {steps})"):
                sums.add_products(text, lambda r: f"{scalar}[{at[r]}]", load)
        for name, r, v in sums.each():
            to = f"sums + {r} * stride + {v * lanes}"
            text(f"store_{s}({to}, load_{s}({to}) + {name});")
    text("")


def _gather(text: Text, products: Products, out: Operand) -> None:
    """Write code that adds up the threads' sums and copies them to their places in the weight."""
    kind, s, sums_at = TYPES[products.dtype], SUFFIX[products.dtype], 0
    count, step = products.inner
    text(out.pointer("y", writable=True))
    for number, group in enumerate(products.groups):
        width = products.shape(group)[1] * products.lanes
        pieces = products.pieces(group)
        text(table(f"first{number}", [*pieces, len(group.places)]))
        text(table(f"to{number}", [group.places[first] for first in pieces]))
        begin, end = shares(len(pieces))
        with text.block(f"for (long p = {begin}; p < {end}; p++)"):
            text(
                f"const long first = first{number}[p], rows = first{number}[p + 1] - first;",
                f"{kind} *from = all + {sums_at} + first * {width};",
                f"{kind} *to = y + to{number}[p];",
            )
            with text.block("for (int t = 1; t < team->threads; t++)"):
                text(f"add_{s}(from, from + t * {products.size}, rows * {width});")
            if products.vectors_of_g:
                text(f"transpose_{s}(from, {width}, to, {step}, rows, {count});")
            else:
                text(f"memcpy(to, from, {count} * sizeof *to);")
        sums_at += len(group.places) * width


EMITTER = Emitter(
    name="C: taps, weight", supports=supports, pays_off=pays_off, emit=emit, scratch=scratch
)
