"""Sums and means of values as they are computed, as Triton kernels in float32.

The result is one number or a row of channels. Programs add up parts, and one more kernel adds the
parts, always in the same order: runs agree bit for bit, and all memory is planned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.cuda.expression import (
    Statements,
    has_dtypes,
    index_type,
    is_elementwise,
    kernel_source,
    place_by_count,
)
from engine.cuda.launch import kernel_from, launch
from engine.kernels.kernel import Kernel, Run, in_sequence
from engine.layout import memory_order
from engine.summation import REDUCTIONS, kept_axes, summed
from ops import Node, Spec
from ops.fused import body_of

BLOCK = 1024
"""Elements that a program handles at once."""

PROGRAMS = 1024
"""Target number of programs: about eight for each multiprocessor of a large GPU, since a program
does little but wait for memory."""


@dataclass(frozen=True)
class Sum:
    """What is summed, seen as a matrix whose rows are added up.

    Attributes:
        spec: the spec of what is summed.
        order: its axes of more than one element, from outermost to innermost.
        columns: number of channels if each is summed separately, or 1.
    """

    spec: Spec
    order: tuple[int, ...]
    columns: int

    @staticmethod
    def of(node: Node) -> Sum:
        """What the last instruction of a node sums."""
        spec = summed(node)
        return Sum(spec, memory_order(spec.sizes), math.prod(node.sizes))

    @property
    def rows(self) -> int:
        """Number of rows that are added up."""
        return math.prod(self.spec.sizes) // self.columns

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns that a program handles at once."""
        columns = min(64, 1 << (self.columns - 1).bit_length())
        return BLOCK // columns, columns

    @property
    def parts(self) -> int:
        """Number of programs that share the rows."""
        rows, columns = self.block
        return max(1, min(PROGRAMS * columns // self.columns, self.rows // (4 * rows)))


def _prepare(
    node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], scratch: Sequence[torch.Tensor]
) -> Run:
    whole, (*_, last) = Sum.of(node), body_of(node)
    divisor = float(whole.rows if last.operator.name == "mean" else 1)
    computed = Statements(node, inputs, place_by_count(whole.spec.sizes, whole.order))
    summed, index = computed.names[last.sources[0]], index_type([out, *computed.loaded])
    rows, columns = whole.block
    per_part = -(-whole.rows // (whole.parts * rows)) * rows
    target, divided = (scratch[0], "") if scratch else (out, f" / {divisor}")
    lines = [
        f"column = tl.program_id(1) * {columns} + tl.arange(0, {columns})",
        f"total = tl.zeros(({rows}, {columns}), tl.float32)",
        f"for first in range(0, {per_part}, {rows}):",
        f"    row = tl.program_id(0) * {per_part} + first + tl.arange(0, {rows})",
        f"    i = row[:, None]{index} * {whole.columns} + column[None, :]",
        f"    inside = (row < {whole.rows})[:, None] & (column < {whole.columns})[None, :]",
        *(f"    {line}" for line in computed.lines),
        f"    total += tl.where(inside, {summed}, 0.0)",
        f"result = tl.sum(total, 0){divided}",
        f"place = out + tl.program_id(0) * {whole.columns} + column",
        f"tl.store(place, result, mask=column < {whole.columns})",
    ]
    grid = (whole.parts, -(-whole.columns // columns))
    kernel = kernel_from(kernel_source(computed.loaded, lines))
    run = launch(kernel, grid, [*computed.loaded, target])
    return in_sequence([run, add_parts(target, out, divisor)]) if scratch else run


def add_parts(parts: torch.Tensor, out: torch.Tensor, divisor: float = 1.0) -> Run:
    """Sum [parts, elements] over the parts, and divide."""
    from engine.cuda.triton_functions import add_parts as kernel

    count, elements = parts.shape
    columns = min(64, 1 << (elements - 1).bit_length())
    sizes = {"PARTS": count, "COUNT": elements, "ROWS": BLOCK // columns, "COLUMNS": columns}
    return launch(kernel, [-(-elements // columns)], [parts, out], **sizes, DIVISOR=divisor)


def _workspace(node: Node) -> Sequence[Spec]:
    whole = Sum.of(node)
    return [node.spec.with_shape((whole.parts, whole.columns))] if whole.parts > 1 else []


def supports(node: Node) -> bool:
    """Whether a node is a sum over everything or all but the channels, of elementwise results."""
    *before, last = body_of(node)
    if last.operator.name not in REDUCTIONS or not has_dtypes(node):
        return False
    whole = Sum.of(node)
    if not all(is_elementwise(step) and step.spec.shape == whole.spec.shape for step in before):
        return False
    sizes = whole.spec.sizes
    return 0 < math.prod(sizes) < 1 << 31 and (
        whole.columns == 1 or kept_axes(node) == whole.order[-1:]
    )


KERNEL = Kernel("Triton, sum", _prepare, _workspace, supports=supports)
