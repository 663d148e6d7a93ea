"""Elementwise code: one pass over the elements, vector by vector."""

from __future__ import annotations

from engine.kernels.kernel import every_input
from engine.native.code.elements import Elements, compute, declare, float_type
from engine.native.code.expression import is_elementwise
from engine.native.code.flat import Flat
from engine.native.code.loops import Nest
from engine.native.code.operand import Operands
from engine.native.code.source import Code
from engine.native.code.text import Text
from engine.native.kernel import Emitter
from engine.native.toolchain.target import Machine
from ops import Node
from ops.fused import body_of

FEW_VECTORS = 8
"""With more vectors of channels it does not matter whether the last one is full."""


def supports(node: Node) -> bool:
    """Whether a node is made of elementwise operators of one float type, in any layout."""
    return (
        bool(node.inputs)
        and all(map(is_elementwise, body_of(node)))
        and float_type(node) is not None
    )


def emit(node: Node, operands: Operands, machine: Machine) -> Code:
    """The step's C code."""
    dtype = float_type(node)
    assert dtype is not None
    text, out, lanes = Text(), operands.out, machine.target.lanes(dtype)
    flat = _flat(Nest.of(out.shape, [out, *operands.inputs]), lanes)
    declare(text, operands)
    with flat.nest.outer(text):
        flat.fill(text, operands.inputs, lanes)
        elements = flat.elements(operands.inputs, f"j % {flat.channels}")
        result = Elements.of("y", out, flat.nest, 0)
        for count in flat.nest.vectors(text, lanes):
            name = compute(text, body_of(node), elements, dtype, count)
            text(result.store(name, dtype, count))
    return Code(text)


def _flat(nest: Nest, lanes: int) -> Flat:
    """The nest, flat if that fills more lanes."""
    few = nest.inner % lanes and nest.inner < FEW_VECTORS * lanes
    flat = Flat.of(nest, range(len(nest.strides))) if few else None
    return flat or Flat.as_is(nest)


EMITTER = Emitter(name="C: elementwise", supports=supports, emit=emit, overwrites=every_input)
