"""Max pooling and its gradient in C: non-overlapping windows, channels in vectors."""

from __future__ import annotations

from itertools import product

import torch

from engine.kernels.patches import lies_channels_last
from engine.native.code.elements import Elements, float_type
from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.kernel import Emitter
from engine.native.toolchain.target import Machine
from ops import Node


def supports(node: Node) -> bool:
    """Whether a node pools windows that neither overlap nor reach beyond the image."""
    if node.operator.name not in ("max_pool2d", "pool_route") or float_type(node) is None:
        return False
    a = node.attributes
    side_by_side = a["stride"] == a["kernel_size"] and a["dilation"] == (1, 1)
    image, pooled = _images(node)
    inside = all(
        p * k <= n
        for p, k, n in zip(pooled.sizes[2:], a["kernel_size"], image.sizes[2:], strict=True)
    )
    dense = all(map(lies_channels_last, node.inputs))
    return side_by_side and inside and a["padding"] == (0, 0) and dense and 0 not in image.sizes


def _images(node: Node) -> tuple[Node, Node]:
    """The large image and the pooled one."""
    return (node.inputs[0], node) if node.operator.name == "max_pool2d" else (node, node.inputs[0])


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text, (image, pooled) = Text(), _images(node)
    n, channels, rows, columns = pooled.sizes
    height, width = image.sizes[2:]
    kh, kw = node.attributes["kernel_size"]
    lanes = machine.target.lanes(node.dtype)
    taps = [(i * width + j) * channels for i, j in product(range(kh), range(kw))]
    routes = node.operator.name == "pool_route"
    text(operands.out.pointer("y", writable=True))
    text(*(x.pointer(f"x{i}") for i, x in enumerate(operands.inputs)))
    if routes and (rows * kh < height or columns * kw < width):
        first, last = shares(n)
        size = channels * height * width
        with text.block(f"for (long i = {first}; i < {last}; i++)"):
            text(f"memset(y + i * {size}, 0, {size} * sizeof *y);")
        text("barrier(team);")
    first, last = shares(n * rows)
    whole, rest = divmod(channels, lanes)
    with (
        text.block(f"for (long r = {first}; r < {last}; r++)"),
        text.block(f"for (long j = 0; j < {columns}; j++)"),
    ):
        text(
            f"const long large = ((r / {rows} * {height} + r % {rows} * {kh}) * {width}"
            f" + j * {kw}) * {channels};",
            f"const long small = (r * {columns} + j) * {channels};",
        )
        if whole:
            with text.block(f"for (long c = 0; c < {whole * lanes}; c += {lanes})"):
                _window(text, node.dtype, taps, routes, None)
        if rest:
            text(f"const long c = {whole * lanes};")
            _window(text, node.dtype, taps, routes, rest)
    return Code(text)


def _window(
    text: Text, dtype: torch.dtype, taps: list[int], routes: bool, count: int | None
) -> None:
    """Write one window for a vector of channels: ``count`` of them, or all lanes if None."""

    def at(address: str) -> Elements:
        return Elements(f"{address} + c", 1, dtype)

    s, chooser = SUFFIX[dtype], "x1" if routes else "x0"
    for t, tap in enumerate(taps):
        load = at(f"{chooser} + large + {tap}").load(dtype, count)
        text(f"const v{s} p{t} = {load};")
    text(f"v{s} best = p0;")
    text(*(f"best = maximum_{s}(best, p{t});" for t in range(1, len(taps))))
    if not routes:
        text(at("y + small").store("best", dtype, count))
        return
    text(f"const v{s} value = {at('x0 + small').load(dtype, count)};")
    text(f"m{s} mine, free = ~(m{s}){{}};")
    for t, tap in enumerate(taps):
        text(
            f"mine = ((p{t} == best) | (p{t} != p{t})) & free;",
            "free &= ~mine;",
            at(f"y + large + {tap}").store(f"(v{s})((m{s})value & mine)", dtype, count),
        )


EMITTER = Emitter(name="C: windows", supports=supports, emit=emit)
