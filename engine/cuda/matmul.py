"""Matrix products as correlations of images with a single row."""

from __future__ import annotations

import math
from functools import partial

import torch

from engine.cuda.convolution import fits
from engine.cuda.correlation import Axis, correlation
from engine.kernels.kernel import Kernel, Run, Tensors, in_sequence
from ops import Node


def _matmul(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, *, compute: str) -> Run:
    a, b = (x.expand(*out.shape[:-2], *x.shape[-2:]) for x in inputs)
    if out.ndim == 2:
        return _matrix_product(a[None], b[None], out[None], compute)
    if out.ndim == 3:
        return _matrix_product(a, b, out, compute)
    return in_sequence([_matrix_product(*m, compute) for m in zip(a, b, out, strict=True)])


def _matrix_product(a: torch.Tensor, b: torch.Tensor, y: torch.Tensor, compute: str) -> Run:
    """[G, M, K] @ [G, K, N]: images of one row of M pixels and K channels, N filters."""
    if not b.numel():
        return y.zero_
    x, image = (matrix.mT[None, :, :, None, :] for matrix in (a, y))
    return correlation(x, b.mT[..., None, None], image, (Axis(), Axis()), compute)


def _supports(node: Node) -> bool:
    # A group's matrices and all groups of them are one image, whose indices have 32 bits.
    small = all(math.prod(value.sizes[-3:]) < 1 << 31 for value in (node, *node.inputs))
    return node.ndim <= 4 and small and fits(node, math.prod(node.sizes[-3:-2]))


def kernels(compute: str) -> dict[str, Kernel]:
    """The kernel that multiplies in ``compute``; none for float32, where torch's own is better."""
    if compute == "float32":
        return {}
    name = f"Triton, implicit unfold, {compute}"
    return {"matmul": Kernel(name, partial(_matmul, compute=compute), supports=_supports)}
