"""Elementwise operators, one or several in one pass, as Triton kernels in float32.

The source is generated for each node's shapes: however its inputs are laid out (broadcast, sliced,
permuted), an index takes a few operations on constants.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.cuda.expression import (
    EXPRESSIONS,
    Statements,
    has_dtypes,
    index_type,
    is_elementwise,
    kernel_source,
    place_by_count,
)
from engine.cuda.launch import kernel_from, launch
from engine.kernels.kernel import Kernel, Run, every_input
from engine.layout import memory_order
from ops import Node
from ops.fused import body_of

BLOCK = 1024
"""Elements that one program of a kernel computes."""


def _prepare(
    node: Node, out: torch.Tensor, inputs: Sequence[torch.Tensor], _: Sequence[torch.Tensor]
) -> Run:
    if not out.numel():
        return lambda: None
    computed = Statements(node, inputs, place_by_count(out.shape, memory_order(out.shape)))
    tensors = [*computed.loaded, out]
    lines = [
        f"i = tl.program_id(0){index_type(tensors)} * {BLOCK} + tl.arange(0, {BLOCK})",
        f"inside = i < {out.numel()}",
        *computed.lines,
        f"tl.store(out + i, {computed.result}, mask=inside)",
    ]
    kernel = kernel_from(kernel_source(computed.loaded, lines))
    return launch(kernel, [-(-out.numel() // BLOCK)], tensors)


def supports(node: Node) -> bool:
    """Whether a node's operators are elementwise and all their results have its shape."""
    body = body_of(node)
    return has_dtypes(node) and all(
        is_elementwise(step) and step.spec.shape == node.shape for step in body
    )


KERNEL = Kernel("Triton, elementwise", _prepare, overwrites=every_input, supports=supports)
NAMES = frozenset(EXPRESSIONS)
