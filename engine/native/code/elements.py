"""Elements of operands in generated code: where they are, and what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.native.code.expression import statements
from engine.native.code.loops import Nest
from engine.native.code.operand import SUFFIX, Operand, Operands
from engine.native.code.text import Text
from ops import Node
from ops.fused import Computation, body_of
from ops.spec import FLOATS


def float_type(node: Node) -> torch.dtype | None:
    """The one float type of a node's values; None if they have none, several, or another type."""
    values = [node.spec, *(x.spec for x in node.inputs), *(i.spec for i in body_of(node))]
    found = {spec.dtype for spec in values} - {torch.bool}
    return found.pop() if len(found) == 1 and found <= set(FLOATS) else None


def declare(text: Text, operands: Operands) -> None:
    """Declare pointers ``y``, ``x0``, ``x1``, ... to the result and the inputs."""
    text(operands.out.pointer("y", writable=True))
    text(*(x.pointer(f"x{i}") for i, x in enumerate(operands.inputs)))


@dataclass(frozen=True)
class Elements:
    """Elements of a type: their address, a C expression, and the stride from one to the next."""

    address: str
    stride: int
    dtype: torch.dtype

    @staticmethod
    def of(pointer: str, operand: Operand, nest: Nest, index: int) -> Elements:
        """An operand, by its number in a nest, at index ``j`` of the innermost loop."""
        stride = nest.strides[index][-1]
        step = "j" if stride == 1 else f"j * {stride}"
        at = " + ".join(part for part in (nest.offset(index), step if stride else "") if part)
        return Elements(f"{pointer} + {at}", stride, operand.dtype)

    def load(self, dtype: torch.dtype, count: int | None) -> str:
        """Load elements as a vector or a mask: ``count`` of them, or a whole vector if None."""
        s = SUFFIX[dtype]
        lanes = f"LANES_{s}" if count is None else str(count)
        if self.dtype == torch.bool:
            return f"load_mask_{s}({self.address}, {self.stride}, {lanes})"
        if self.stride == 0:
            return f"splat_{s}(*({self.address}))"
        if self.stride == 1:
            part = "" if count is None else "_part"
            return f"load{part}_{s}({self.address}{'' if count is None else f', {count}'})"
        return f"load_strided_{s}({self.address}, {self.stride}, {lanes})"

    def store(self, value: str, dtype: torch.dtype, count: int | None) -> str:
        """Store a vector or a mask to consecutive elements: ``count`` of them, or all if None."""
        s = SUFFIX[dtype]
        if self.dtype == torch.bool:
            lanes = f"LANES_{s}" if count is None else str(count)
            return f"store_mask_{s}({self.address}, {value}, {lanes});"
        if count is None:
            return f"store_{s}({self.address}, {value});"
        return f"store_part_{s}({self.address}, {value}, {count});"


def compute(
    text: Text,
    body: Sequence[Computation],
    elements: Sequence[Elements],
    dtype: torch.dtype,
    count: int | None,
) -> str:
    """Write the loads of the inputs and the body's statements; return the name of the result."""
    names = []
    for i, each in enumerate(elements):
        kind = "m" if each.dtype == torch.bool else "v"
        text(f"const {kind}{SUFFIX[dtype]} v{i} = {each.load(dtype, count)};")
        names.append(f"v{i}")
    lines, result = statements(body, names, dtype)
    text(*lines)
    return result
