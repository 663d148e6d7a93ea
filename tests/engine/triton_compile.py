"""Compile every Triton kernel for a GPU that need not be there: ``... triton_compile 90``.

The interpreter runs what the compiler refuses, so tests run this, in a process of its own.
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
from engine.cuda import convolution, elementwise
from engine.kernels import Kernel
from engine.layout import strides
from ops import Node, Spec
from ops.leaves import input

TYPES = {torch.float32: "*fp32", torch.bool: "*i1"}
ARCHITECTURE = int(sys.argv[1])


def compile_only(
    kernel: Any, grid: Sequence[int], tensors: Sequence[torch.Tensor], **constants: Any
) -> object:
    """In place of ``engine.cuda.launch.launch``."""
    types = (TYPES[tensor.dtype] for tensor in tensors)
    signature = dict(zip(kernel.arg_names, types, strict=False))
    signature |= dict.fromkeys(constants, "constexpr")
    source = triton.compiler.ASTSource(kernel, signature, constants)
    binary = triton.compile(source, target=GPUTarget("cuda", ARCHITECTURE, 32))
    assert binary.asm["cubin"]
    print(kernel.__name__, constants.get("COMPUTE", ""))
    return None


def prepare(kernel: Kernel, node: Node) -> None:
    """Have a node's kernel compiled."""
    assert kernel.supports(node)
    inputs = [lying(value.spec) for value in node.inputs]
    scratch = [torch.empty(spec.sizes, device="meta") for spec in kernel.workspace(node)]
    kernel.prepare(node, lying(node.spec), inputs, scratch)


def lying(spec: Spec) -> torch.Tensor:
    """A tensor without data, as the engine stores it."""
    return torch.empty_strided(spec.sizes, strides(spec.sizes), dtype=spec.dtype, device="meta")


def leaf(*shape: int, dtype: torch.dtype = torch.float32) -> Node:
    """An input."""
    return input(name="x", shape=shape, dtype=dtype)


def main() -> None:
    """Convolutions in every precision, then each elementwise operator with a broadcast input."""
    convolution.launch = elementwise.launch = compile_only  # type: ignore[assignment]
    x, w = leaf(100, 32, 16, 16), leaf(64, 32, 3, 3)
    y = ops.conv2d(x, w, stride=2, padding=1)
    dy = leaf(*y.sizes)
    dx, dw = y.operator.vjp(dy, y, x, w, **y.attributes)  # type: ignore[misc]
    for compute in cuda.COMPUTE:
        kernels = convolution.kernels(compute)
        for node in (y, dx, dw, leaf(3, 70, 50) @ leaf(50, 80)):
            if node.operator.name in kernels:
                prepare(kernels[node.operator.name], node)
    for name, kernel in elementwise.KERNELS.items():
        operator = ops.REGISTRY[name]
        inputs = [leaf(8, 32, 16, 16), leaf(32, 1, 1), leaf(1, 32, 1, 16)][: len(operator.inputs)]
        inputs[0] = leaf(8, 32, 16, 16, dtype=torch.bool) if name == "where" else inputs[0]
        prepare(kernel, operator(*inputs))


if __name__ == "__main__":
    main()
