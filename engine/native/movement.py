"""Values put together of others, or into a larger one, in C."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from engine.kernels import VIEWS
from engine.native.copying import write_copy
from engine.native.loops import shares
from engine.native.machine import Machine
from engine.native.operand import SUFFIX, Operand, Operands
from engine.native.source import Code
from engine.native.text import Text
from ops import Node


def supports(node: Node) -> bool:
    """``concat`` and ``unslice`` of floats."""
    moves = node.operator.name in ("concat", "unslice")
    return moves and node.dtype in SUFFIX and 0 not in node.sizes


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    text = Text()
    if node.operator.name == "unslice":
        _clear(text, operands.out)
    for part, source in zip(_parts(node, operands.out), operands.inputs, strict=True):
        if 0 not in source.shape:
            with text.block(""):
                write_copy(text, part, source, machine)
    return Code(text)


def _clear(text: Text, out: Operand) -> None:
    first, last = shares(math.prod(out.shape))
    with text.block(""):
        text(out.pointer("y", writable=True), f"const long first = {first};")
        text(f"memset(y + first, 0, ({last} - first) * sizeof *y);", "barrier(team);")


def _parts(node: Node, out: Operand) -> Iterator[Operand]:
    """Where each input belongs in the result."""
    whole = torch.empty_strided(out.shape, out.strides, dtype=out.dtype, device="meta")
    dim, start = node.attributes["dim"], 0
    if node.operator.name == "unslice":
        window = {name: value for name, value in node.attributes.items() if name != "size"}
        yield Operand.of(out.address, VIEWS["slice"](whole, **window))
        return
    for value in node.inputs:
        yield Operand.of(out.address, whole.narrow(dim, start, value.sizes[dim]))
        start += value.sizes[dim]
