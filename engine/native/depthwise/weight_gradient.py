"""Weight gradients of depthwise convolutions.

The gradient of a tap's weight is the sum over all positions of a pixel times the gradient g of the
result there, channel by channel. Each thread adds up its share of bands in sums of its own, vector
by vector of channels with all taps at once; then the threads' sums are added up.
"""

from __future__ import annotations

from engine.kernels.patches import lies_channels_last
from engine.native.code.blocking import ranges
from engine.native.code.elements import float_type
from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text, table
from engine.native.kernel import Emitter
from engine.native.taps.canvas import Canvas
from engine.native.taps.geometry import Taps
from engine.native.taps.weight_gradient import taps_of
from engine.native.toolchain.target import Machine
from ops import Node, Spec
from ops.fused import body_of


def supports(node: Node) -> bool:
    """Whether a node is the weight gradient of a depthwise convolution."""
    (step, *others) = body_of(node)
    if others or step.operator.name != "conv2d_weight_gradient" or step.sources != (0, 1):
        return False
    g, x = node.inputs
    groups = step.attributes["groups"]
    return (
        groups > 1
        and groups == g.sizes[1] == x.sizes[1]
        and float_type(node) is not None
        and lies_channels_last(g)
        and 0 not in g.sizes
    )


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Scratch for every thread's sums, and for the canvases."""
    taps, image = taps_of(node, Operand.stored(node.spec)), node.inputs[1]
    canvas = _canvas(taps, Operand.stored(image.spec), machine)
    sums = Spec(
        (machine.threads, len(taps.classes[0].taps) * _row(taps, machine, node)), node.dtype
    )
    return [sums, *canvas.scratch(image, machine.threads)]


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, before, (g, x) = Text(), Text(), operands.inputs
    taps, (sums, *canvases) = taps_of(node, operands.out), operands.scratch
    canvas, row = _canvas(taps, x, machine), _row(taps, machine, node)
    (position,), kind, lanes = taps.classes, TYPES[node.dtype], machine.target.lanes(node.dtype)
    size, chunks = len(position.taps) * row, ranges(len(position.taps), machine.target.accumulators)
    for count in sorted(set(chunks.values())):
        _tile(before, taps, canvas, count, node, machine)
    text(sums.pointer("all", writable=True), f"{kind} *sums = all + me * {size};")
    text(x.pointer("x"), g.pointer("g"), f"memset(sums, 0, {size} * sizeof *sums);")
    text(table("at", [canvas.at(tap) for tap in position.taps]))
    with text.block(canvas.bands_loop()):
        canvas.emit(text, x, canvases[0] if canvases else None)
        text(
            f"const long rows = least({canvas.rows}, {position.rows} - first);",
            f"const {kind} *from = g + n * {taps.out_image} + first * {taps.out_row};",
        )
        with text.block(f"for (long c = 0; c < {row}; c += {lanes})"):
            for t, count in chunks.items():
                text(f"tile@_{count}(in + c, at + {t}, from + c, rows, sums + {t * row} + c, c);")
    text("barrier(team);")
    _gather(text, taps, operands.out, row)
    return Code(text, before)


def _canvas(taps: Taps, image: Operand, machine: Machine) -> Canvas:
    lanes = machine.target.lanes(image.dtype)
    return Canvas.of(taps, image, lanes, machine.threads, vectors_of=taps.in_channels)


def _row(taps: Taps, machine: Machine, node: Node) -> int:
    """Elements of the sums for one tap: whole vectors."""
    lanes = machine.target.lanes(node.dtype)
    return -(-taps.out_channels // lanes) * lanes


def _tile(text: Text, taps: Taps, canvas: Canvas, count: int, node: Node, machine: Machine) -> None:
    """Write the function that adds up ``count`` taps over a band for a vector of channels."""
    kind, s, lanes = TYPES[node.dtype], SUFFIX[node.dtype], canvas.lanes
    row, rest = _row(taps, machine, node), taps.out_channels % canvas.lanes
    load = f"load_{s}(b)"
    if rest:
        load = f"channel + {lanes} > {taps.out_channels} ? load_part_{s}(b, {rest}) : {load}"
    head = (
        f"NOINLINE void tile@_{count}(const {kind} *x, const long *at, const {kind} *g, "
        f"long rows, {kind} *sums, long channel)"
    )
    with text.block(head):
        text(*(f"const long at{t} = at[{t}];" for t in range(count)))
        text(f"v{s} " + ", ".join(f"s{t} = {{}}" for t in range(count)) + ";")
        with text.block("for (long i = 0; i < rows; i++)"):
            x_row = taps.in_step[0] * canvas.width * taps.in_channels
            text(f"const {kind} *a = x + i * {x_row}, *b = g + i * {taps.out_row};")
            steps = f"a += {taps.in_pixel}, b += {taps.out_pixel}"
            with text.block(f"for (long j = 0; j < {taps.grid[1]}; j++, {steps})"):
                text(f"v{s} v = {load};", "HOLD(v);")
                text(*(f"s{t} += load_{s}(a + at{t}) * v;" for t in range(count)))
        for t in range(count):
            to = f"sums + {t * row}"
            text(f"store_{s}({to}, load_{s}({to}) + s{t});")
    text("")


def _gather(text: Text, taps: Taps, out: Operand, row: int) -> None:
    """Write code that adds up the threads' sums and copies them to their places in the weight."""
    places = [tap.weight for tap in taps.classes[0].taps]
    first, last = shares(len(places))
    s = SUFFIX[out.dtype]
    text(out.pointer("y", writable=True), table("to", places))
    with text.block(f"for (long t = {first}; t < {last}; t++)"):
        with text.block("for (int other = 1; other < team->threads; other++)"):
            text(f"add_{s}(all + t * {row}, all + other * {len(places) * row} + t * {row}, {row});")
        with text.block(f"for (long c = 0; c < {taps.out_channels}; c++)"):
            text(f"y[to[t] + c * {out.strides[0]}] = all[t * {row} + c];")


EMITTER = Emitter(name="C: depthwise, weight", supports=supports, emit=emit, scratch=scratch)
