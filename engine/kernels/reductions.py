"""Kernels that sum: reductions over axes, sums that undo a broadcast, block sums."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product

import torch

from engine.kernels.kernel import Kernel, Run, in_sequence
from ops import Node

Tensors = Sequence[torch.Tensor]


def _sum(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    dim, keepdim = node.attributes["dim"], node.attributes["keepdim"]
    if not dim:
        return partial(out.copy_, inputs[0])
    return partial(torch.sum, *inputs, dim, keepdim, out=out)


def _mean(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    dim, keepdim = node.attributes["dim"], node.attributes["keepdim"]
    if not dim:
        return partial(out.copy_, inputs[0])
    return partial(torch.mean, *inputs, dim, keepdim, out=out)


def _sum_to(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    (x,) = inputs
    leading = x.ndim - out.ndim
    aligned = out[(None,) * leading]
    dim = [axis for axis in range(x.ndim) if aligned.shape[axis] == 1 != x.shape[axis]]
    return partial(torch.sum, x, dim, True, out=aligned) if dim else partial(aligned.copy_, x)


def _downsample_sum(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    # One pass per pixel of a block: torch's sum over two short axes is several times slower.
    (x,) = inputs
    rows, columns = node.attributes["scale_factor"]
    first, *rest = (x[:, :, i::rows, j::columns] for i, j in product(range(rows), range(columns)))
    return in_sequence([partial(out.copy_, first), *(partial(out.add_, part) for part in rest)])


KERNELS: dict[str, list[Kernel]] = {
    "sum": [Kernel("torch.sum", _sum)],
    "mean": [Kernel("torch.mean", _mean)],
    "sum_to": [Kernel("torch.sum", _sum_to)],
    "downsample_sum": [Kernel("add per pixel", _downsample_sum)],
}
