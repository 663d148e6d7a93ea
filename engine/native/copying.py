"""Copies between two values of the same shape, each in any layout.

Among them are those of feeds into a program's memory and of results out of it, to or from the
caller's tensors, which are row-major.
"""

from __future__ import annotations

import torch

from engine.native.code.loops import Nest, offset, shares
from engine.native.code.operand import SUFFIX, Operand
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.toolchain.target import Machine
from ops import Spec

FEW = 4
"""Most channels that are interleaved or separated vector by vector."""


def can_transfer(spec: Spec) -> bool:
    """Whether a value can be copied in or out: floats, and not empty."""
    return spec.dtype in SUFFIX and 0 not in spec.sizes


def fetch(slot: str, value: Operand, machine: Machine) -> Code:
    """Copy the caller's tensor at ``slot`` to a value; do nothing if the slot is null."""
    return _transfer(slot, value, _row_major(slot, value), machine)


def deliver(slot: str, value: Operand, machine: Machine) -> Code:
    """Copy a value to the caller's tensor at ``slot``; do nothing if the slot is null."""
    return _transfer(slot, _row_major(slot, value), value, machine)


def _row_major(slot: str, value: Operand) -> Operand:
    return Operand.of(slot, torch.empty(value.shape, dtype=value.dtype, device="meta"))


def _transfer(slot: str, out: Operand, source: Operand, machine: Machine) -> Code:
    text = Text()
    with text.block(f"if (!{slot})"):
        text("return;")
    write_copy(text, out, source, machine)
    return Code(text)


def write_copy(text: Text, out: Operand, source: Operand, machine: Machine) -> None:
    """Write the copy, which the threads share; declares the pointers ``y`` and ``x``."""
    nest = Nest.of(out.shape, [out, source])
    text(out.pointer("y", writable=True), source.pointer("x"))
    lanes = machine.target.lanes(out.dtype)
    (*_, to_step), (*_, from_step) = nest.strides
    if (to_step, from_step) == (1, 1):
        _copy_rows(text, nest)
    elif len(nest.sizes) > 1 and to_step == 1 and nest.strides[1][-2] == 1:
        _transpose(text, nest, SUFFIX[out.dtype], lanes)
    else:
        _copy_elements(text, nest)


def _copy_rows(text: Text, nest: Nest) -> None:
    """Copy values whose rows are contiguous on both sides."""
    places = f"y + {nest.offset(0)} + begin, x + {nest.offset(1)} + begin"
    with nest.outer(text):
        _inner_share(text, nest)
        text(f"memcpy({places}, (end - begin) * sizeof *y);")


def _copy_elements(text: Text, nest: Nest) -> None:
    (*_, to_step), (*_, from_step) = nest.strides
    with nest.outer(text):
        _inner_share(text, nest)
        to, source = f"{nest.offset(0)} + j * {to_step}", f"{nest.offset(1)} + j * {from_step}"
        text(f"for (long j = begin; j < end; j++) y[{to}] = x[{source}];")


def _inner_share(text: Text, nest: Nest) -> None:
    """Write the bounds of the innermost loop; the threads share it if there is no other."""
    begin, end = ("0", str(nest.inner)) if len(nest.sizes) > 1 else shares(nest.inner)
    text(f"const long begin = {begin}, end = {end};")


def _transpose(text: Text, nest: Nest, s: str, lanes: int) -> None:
    """Copy by transposing: the source is ``rows`` contiguous rows of ``columns`` elements."""
    (*outer, columns, rows), (to, source) = nest.sizes, nest.strides
    to_row, from_row = to[-2], source[-1]
    interleaved = rows <= FEW and to_row == rows
    separated = columns <= FEW and from_row == columns
    cut_columns = interleaved or (not separated and columns >= rows)
    cut = columns if cut_columns else rows
    text(*(f"for (long i{axis} = 0; i{axis} < {n}; i{axis}++)" for axis, n in enumerate(outer)))
    with text.block(""):
        begin, end = (f"{share} * {lanes}" for share in shares(-(-cut // lanes)))
        text(f"const long begin = {begin}, end = least({end}, {cut});")
        starts = ("begin", f"begin * {to_row}") if cut_columns else (f"begin * {from_row}", "begin")
        x, y = f"x + {offset(source[:-2])} + {starts[0]}", f"y + {offset(to[:-2])} + {starts[1]}"
        if interleaved:
            text(f"interleave_{s}({x}, {from_row}, {y}, {rows}, end - begin);")
        elif separated:
            text(f"separate_{s}({x}, {y}, {to_row}, end - begin, {columns});")
        else:
            size = f"{rows}, end - begin" if cut_columns else f"end - begin, {columns}"
            text(f"transpose_{s}({x}, {from_row}, {y}, {to_row}, {size});")
