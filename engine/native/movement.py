"""Values joined, repeated, or placed in a larger one filled with zeros, as copies in C."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from engine.kernels import VIEWS
from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, Operand, Operands
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.copying import write_copy
from engine.native.kernel import Emitter
from engine.native.toolchain.target import Machine
from ops import Node


def supports(node: Node) -> bool:
    """Whether a node is a ``concat``, ``unslice`` or ``upsample_nearest`` of floats."""
    moves = node.operator.name in ("concat", "unslice", "upsample_nearest")
    return moves and node.dtype in SUFFIX and 0 not in node.sizes


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text = Text()
    if node.operator.name == "unslice":
        _clear(text, operands.out)
    for part, source in _copies(node, operands):
        if 0 not in source.shape:
            with text.block(""):
                write_copy(text, part, source, machine)
    return Code(text)


def _clear(text: Text, out: Operand) -> None:
    first, last = shares(math.prod(out.shape))
    with text.block(""):
        text(out.pointer("y", writable=True), f"const long first = {first};")
        text(f"memset(y + first, 0, ({last} - first) * sizeof *y);", "barrier(team);")


def _copies(node: Node, operands: Operands) -> Iterator[tuple[Operand, Operand]]:
    """Parts of the result, each with what to copy there."""
    out, attributes = operands.out, node.attributes
    whole = torch.empty_strided(out.shape, out.strides, dtype=out.dtype, device="meta")
    if node.operator.name == "upsample_nearest":
        (x,), (down, right) = operands.inputs, attributes["scale_factor"]
        blocks = whole.unflatten(2, (x.shape[2], down)).unflatten(4, (x.shape[3], right))
        (n, c, h, w), (image, channel, row, column) = x.shape, x.strides
        pixels = Operand(
            x.address, (n, c, h, 1, w, 1), (image, channel, row, 0, column, 0), x.dtype
        )
        yield Operand.of(out.address, blocks), pixels
    elif node.operator.name == "unslice":
        window = {name: value for name, value in attributes.items() if name != "size"}
        yield Operand.of(out.address, VIEWS["slice"](whole, **window)), operands.inputs[0]
    else:
        dim, start = attributes["dim"], 0
        for x in operands.inputs:
            yield Operand.of(out.address, whole.narrow(dim, start, x.shape[dim])), x
            start += x.shape[dim]


EMITTER = Emitter(name="C: copy", supports=supports, emit=emit)
