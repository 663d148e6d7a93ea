"""Copies of feeds into a program's memory and results out; the caller's tensors are row-major."""

from __future__ import annotations

from engine.native.copying import write_copy
from engine.native.machine import Machine
from engine.native.operand import SUFFIX, Operand
from engine.native.source import Code
from engine.native.text import Text
from ops import Spec


def can_transfer(spec: Spec) -> bool:
    """Whether a value can be copied: floats, and not empty."""
    return spec.dtype in SUFFIX and 0 not in spec.sizes


def fetch(slot: str, value: Operand, machine: Machine) -> Code:
    """Copy the caller's tensor at ``slot`` to a value; do nothing if the slot is null."""
    return _copy(slot, value, _row_major(slot, value), machine)


def deliver(slot: str, value: Operand, machine: Machine) -> Code:
    """Copy a value to the caller's tensor at ``slot``; do nothing if the slot is null."""
    return _copy(slot, _row_major(slot, value), value, machine)


def _row_major(slot: str, value: Operand) -> Operand:
    strides, step = [0] * len(value.shape), 1
    for axis in reversed(range(len(value.shape))):
        strides[axis] = step
        step *= value.shape[axis]
    return Operand(slot, value.shape, tuple(strides), value.dtype)


def _copy(slot: str, out: Operand, source: Operand, machine: Machine) -> Code:
    text = Text()
    with text.block(f"if (!{slot})"):
        text("return;")
    write_copy(text, out, source, machine)
    return Code(text)
