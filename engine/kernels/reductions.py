"""Reduction kernels: sums over axes, sums that undo a broadcast, block sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import product

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, in_sequence
from ops import Node, Spec

GRAIN = 1 << 15
"""Minimum elements for which torch sums to a single number on several threads, which allocates
memory. Such sums are therefore split into steps."""

ROW = GRAIN // 8
"""Number of elements of a vector that are summed at once."""


def _sum(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    return in_sequence(_summing(inputs[0], out, node.attributes["dim"], workspaces))


def _mean(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (count, *scratch) = inputs, workspaces
    size = float(x.numel() / out.numel()) if out.numel() else 1.0
    runs = _summing(x, out, node.attributes["dim"], scratch)
    # torch would allocate a tensor for a Python number in each run.
    return in_sequence([*runs, partial(count.fill_, size), partial(torch.div, out, count, out=out)])


def _mean_workspace(node: Node) -> list[Spec]:
    return [node.spec.with_shape(()), *_workspace(node)]


def _sum_to(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,) = inputs
    leading = x.ndim - out.ndim
    aligned = out[(None,) * leading]
    dim = [axis for axis in range(x.ndim) if aligned.shape[axis] == 1 != x.shape[axis]]
    return in_sequence(_summing(x, aligned, dim, workspaces))


def _summing(x: torch.Tensor, out: torch.Tensor, dim: Sequence[int], scratch: Tensors) -> list[Run]:
    """Sum over axes that ``out`` has with size 1 or not at all."""
    if not dim:
        return [partial(out.copy_, x)]
    if not scratch:
        return [partial(torch.sum, x, tuple(dim), out.ndim == x.ndim, out=out)]
    along, parts = scratch
    longest = max(range(x.ndim), key=x.shape.__getitem__)
    others = tuple(axis for axis in range(x.ndim) if axis != longest)
    rows = len(along) // ROW
    whole, rest = along[: rows * ROW], along[rows * ROW :]
    return [
        partial(torch.sum, x, others, out=along) if others else partial(along.copy_, x),
        partial(torch.sum, whole.view(rows, ROW), 1, out=parts[:rows]),
        partial(torch.sum, rest, 0, out=parts[rows]),
        partial(torch.sum, parts, 0, out=out.view(())),
    ]


def _workspace(node: Node) -> list[Spec]:
    """Scratch to sum to one number: sums over all but the longest axis, then row sums of those."""
    (x,) = node.inputs
    if math.prod(x.sizes) < GRAIN or math.prod(node.sizes) != 1:
        return []
    longest = max(x.sizes)
    return [node.spec.with_shape((longest,)), node.spec.with_shape((longest // ROW + 1,))]


def _downsample_sum(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    # One pass per pixel of a block: torch's sum over two short axes is several times slower.
    (x,) = inputs
    rows, columns = node.attributes["scale_factor"]
    first, *rest = (x[:, :, i::rows, j::columns] for i, j in product(range(rows), range(columns)))
    return in_sequence([partial(out.copy_, first), *(partial(out.add_, part) for part in rest)])


KERNELS: dict[str, list[Kernel]] = {
    "sum": [Kernel("torch.sum", _sum, _workspace)],
    "mean": [Kernel("torch.sum, torch.div", _mean, _mean_workspace)],
    "sum_to": [Kernel("torch.sum", _sum_to, _workspace)],
    "downsample_sum": [Kernel("add per pixel", _downsample_sum)],
}
