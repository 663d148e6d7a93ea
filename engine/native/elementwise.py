"""Elementwise code: one pass over the elements, vector by vector."""

from __future__ import annotations

from engine.native.elements import Place, compute, declare, float_type, nest_over, vectors
from engine.native.expression import is_elementwise
from engine.native.flat import Flat
from engine.native.loops import Nest
from engine.native.machine import Machine
from engine.native.operand import Operands
from engine.native.source import Code
from engine.native.text import Text
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
    flat = _flat(nest_over(out.shape, [out, *operands.inputs]), lanes)
    declare(text, operands)
    with flat.nest.outer(text):
        flat.fill(text, operands.inputs, lanes)
        places = flat.places(operands.inputs, f"j % {flat.channels}")
        target_place = Place.of("y", out, flat.nest, 0)
        for count in vectors(text, flat.nest, lanes):
            name = compute(text, body_of(node), places, dtype, count)
            text(target_place.store(name, dtype, count))
    return Code(text)


def _flat(nest: Nest, lanes: int) -> Flat:
    """The nest, flat if that fills more lanes."""
    few = nest.inner % lanes and nest.inner < FEW_VECTORS * lanes
    flat = Flat.of(nest, range(len(nest.strides))) if few else None
    return flat or Flat.as_is(nest)
