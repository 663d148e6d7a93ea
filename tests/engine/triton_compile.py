"""Compile every Triton kernel for a GPU that need not be present: ``... triton_compile 90``.

The interpreter accepts some code that the compiler refuses, so tests run this in a process of
its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget

import ops
from engine import cuda
from engine.cuda import correlation, elementwise, phases, reduction
from engine.layout import strides
from ops import Node, Spec
from ops.fused import fuse
from ops.leaves import input

TYPES = {torch.float32: "*fp32", torch.bool: "*i1"}
ARCHITECTURE = int(sys.argv[1])


def compile_only(
    kernel: Any, grid: Sequence[int], tensors: Sequence[torch.Tensor], **constants: Any
) -> object:
    """Replaces ``engine.cuda.launch.launch``."""
    types = (TYPES[tensor.dtype] for tensor in tensors)
    signature = dict(zip(kernel.arg_names, types, strict=False))
    signature |= dict.fromkeys(constants, "constexpr")
    source = triton.compiler.ASTSource(kernel, signature, constants)
    binary = triton.compile(source, target=GPUTarget("cuda", ARCHITECTURE, 32))
    assert binary.asm["cubin"]
    print(kernel.__name__)
    return None


def prepare(kernels: cuda.Kernels, *nodes: Node) -> None:
    """Compile the kernel of each node."""
    for node in nodes:
        kernel = next(k for k in kernels[node.operator.name] if k.supports(node))
        inputs = [lying(value.spec) for value in node.inputs]
        scratch = [torch.empty(spec.sizes, device="meta") for spec in kernel.workspace(node)]
        kernel.prepare(node, lying(node.spec), inputs, scratch)


def lying(spec: Spec) -> torch.Tensor:
    """A tensor without data, as the engine stores it."""
    return torch.empty_strided(spec.sizes, strides(spec.sizes), dtype=spec.dtype, device="meta")


def leaf(*shape: int, dtype: torch.dtype = torch.float32) -> Node:
    """An input."""
    return input(name="x", shape=shape, dtype=dtype)


def everything(value: Node) -> list[Node]:
    """Every elementwise operator in a chain, each applied to the result of the previous one."""
    nodes = [value]
    for name in sorted(elementwise.NAMES - {"where"}):
        operator = ops.REGISTRY[name]
        others = [leaf(32, 1, 1)] * (len(operator.inputs) - 1)
        nodes.append(operator(nodes[-1], *others))
        if nodes[-1].dtype == torch.bool:
            nodes.append(ops.where(nodes[-1], nodes[-2], leaf(1, 32, 1, value.sizes[3])))
    return nodes


def main() -> None:
    """Convolutions in every precision, sums, elementwise operators, and some of these as one."""
    for module in (correlation, elementwise, phases, reduction):
        module.launch = compile_only  # type: ignore[attr-defined]
    x, w = leaf(1000, 32, 16, 16), leaf(32, 32, 3, 3)
    for compute, stride in zip(cuda.COMPUTE, (2, 1, 1), strict=True):
        y = ops.conv2d(x, w, stride=stride, padding=1)
        dx, dw = y.operator.vjp(leaf(*y.sizes), y, x, w, **y.attributes)  # type: ignore[misc]
        kernels = cuda.triton_kernels(compute)
        prepare(kernels, y, dx, dw)
        if "matmul" in kernels:
            prepare(kernels, leaf(3, 70, 50) @ leaf(50, 80))
    weight, small = leaf(16, 3, 3, 3), leaf(64, 3, 2, 2)
    four = ops.conv2d(leaf(10, 3, 8, 8), small, padding=1)
    prepare(
        kernels,
        fuse([y, total := y + leaf(32, 1, 1), ops.sigmoid(total)]),
        ops.phase_weight(weight, leaf(16, 9)),
        ops.phases.phase_weight_adjoint(small, leaf(16, 9)),
        fuse([four, ops.interleave_phases(four)]),
        ops.separate_phases(leaf(10, 3, 8, 8)),
        ops.mean(leaf(100, 3, 32, 32)),
        ops.sum(leaf(100, 32, 32, 32), (0, 2, 3)),
        fuse(everything(x + x)),
        fuse([square := ops.square(x), ops.mean(square, (0, 2, 3))]),
    )


if __name__ == "__main__":
    main()
