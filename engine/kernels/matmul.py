"""Matrix products into planned memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, in_sequence
from ops import Node, Spec


def _matmul(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    scratch = list(workspaces)
    runs: list[Run] = []
    matrices = []
    for x in inputs:
        if x.ndim == 4:
            copy = scratch.pop(0)
            runs.append(partial(copy.copy_, x))
            x = copy
        matrices.append(x)
    result = scratch.pop(0) if out.ndim == 4 else out
    batch = result.shape[:-2]
    a, b = (x.expand(*batch, *x.shape[-2:]) for x in matrices)
    if len(batch) == 1:
        runs.append(partial(torch.bmm, a, b, out=result))
    else:
        runs += [partial(torch.mm, a[i], b[i], out=result[i]) for i in _indices(batch)]
    return in_sequence(runs if result is out else [*runs, partial(out.copy_, result)])


def _workspace(node: Node) -> Sequence[Spec]:
    """Scratch for row-major copies of four-axis values: BLAS cannot read channels-last."""
    return [value.spec for value in (*node.inputs, node) if value.ndim == 4]


def _indices(batch: Sequence[int]) -> Iterable[tuple[int, ...]]:
    return product(*map(range, batch))


KERNELS: dict[str, list[Kernel]] = {"matmul": [Kernel("torch.bmm", _matmul, _workspace)]}
