"""Pooling kernels: a few strided passes per pixel of the window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from engine.kernels.kernel import BITS, Kernel, Run, Tensors, in_sequence
from engine.kernels.windows import Pooled, as_images
from ops import Node, Spec

# sums and maxima


def _accumulate(function: Callable[..., Any], values: Tensors, out: torch.Tensor) -> list[Run]:
    first, *rest = values
    if not rest:
        return [partial(out.copy_, first)]
    runs: list[Run] = [partial(function, first, rest[0], out=out)]
    return runs + [partial(function, out, value, out=out) for value in rest[1:]]


def _pool(function: Callable[..., Any], border: float) -> Callable[..., Run]:
    def prepare(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
        pooled = Pooled.of(node, node.inputs[0], node)
        runs, values = pooled.read(inputs[0], border, list(workspaces))
        return in_sequence(runs + _accumulate(function, values, out))

    return prepare


def _sum_adjoint(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    pooled = Pooled.of(node, node, node.inputs[0])
    before, targets, after = pooled.write(out, list(workspaces))
    puts = [partial(tap.copy_ if pooled.tile else tap.add_, inputs[0]) for tap in targets]
    return in_sequence([*before, *puts, *after])


# choosing each window's first maximum, with bit masks


class _Maxima:
    """Marks, for each tap, the windows in which it is a maximum; NaN counts as the largest number.

    On CPUs comparisons that write floats are vectorised, those that write bools are not. So
    1.0 is written, and its bits, as an integer, are negated and shifted right down to the sign,
    which gives -1: all bits set.

    Attributes:
        start: the runs before the first mark.
        mask: receives the marks: all bits set, or none.
        spare: scratch of the same shape, free between marks.
    """

    def __init__(self, values: Tensors, scratch: list[torch.Tensor]) -> None:
        self._shift = scratch.pop(0)
        self._best, self.mask, self.spare = (as_images(scratch.pop(0)) for _ in range(3))
        sign = 8 * self._best.dtype.itemsize - 1
        start: list[Run] = [partial(self._shift.fill_, sign)]
        self.start = start + _accumulate(torch.maximum, values, self._best)

    @staticmethod
    def workspace(pooled: Spec) -> list[Spec]:
        """The specs of the scratch tensors for pooled images."""
        bits = Spec(pooled.shape, BITS[pooled.dtype])
        return [bits.with_shape(()), pooled, bits, bits]

    def mark(self, tap: torch.Tensor) -> list[Run]:
        """The runs that set the mask where a tap is a maximum."""
        equal, nan = self.mask.view(tap.dtype), self.spare.view(tap.dtype)
        return [
            partial(torch.eq, tap, self._best, out=equal),
            partial(torch.ne, tap, tap, out=nan),
            partial(self.mask.bitwise_or_, self.spare),
            self.mask.neg_,
            partial(torch.bitwise_right_shift, self.mask, self._shift, out=self.mask),
        ]


def _select(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x, chooser), scratch = inputs, list(workspaces)
    pooled = Pooled.of(node, node.inputs[1], node)
    read_chooser, values = pooled.read(chooser, -torch.inf, scratch)
    read_x, candidates = pooled.read(x, 0.0, scratch)
    maxima = _Maxima(values, scratch)
    result, mask, part = out.view(maxima.mask.dtype), maxima.mask, maxima.spare
    # From the last tap, the default, to the first, which takes precedence.
    runs = [*read_chooser, *read_x, *maxima.start]
    runs.append(partial(out.copy_, candidates[-1]))
    for value, candidate in list(zip(values, candidates, strict=True))[-2::-1]:
        runs += [
            *maxima.mark(value),
            partial(torch.bitwise_xor, result, candidate.view(result.dtype), out=part),
            partial(part.bitwise_and_, mask),
            partial(result.bitwise_xor_, part),
        ]
    return in_sequence(runs)


def _select_workspace(node: Node) -> list[Spec]:
    canvas = Pooled.of(node, node.inputs[1], node).canvas
    return [*canvas, *canvas, *_Maxima.workspace(node.spec)]


def _route(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x, chooser), scratch = inputs, list(workspaces)
    pooled = Pooled.of(node, node, node.inputs[0])
    runs, values = pooled.read(chooser, -torch.inf, scratch)
    before, targets, after = pooled.write(out, scratch)
    maxima = _Maxima(values, scratch)
    rest = as_images(scratch.pop(0))
    runs += [*before, *maxima.start, partial(rest.view(x.dtype).copy_, x)]
    for value, target in zip(values[:-1], targets, strict=False):
        part = target.view(rest.dtype) if pooled.tile else maxima.spare
        runs += [
            *maxima.mark(value),
            partial(torch.bitwise_and, rest, maxima.mask, out=part),
            partial(rest.bitwise_xor_, part),  # so that no value is routed twice
        ]
        if not pooled.tile:
            runs.append(partial(target.add_, part.view(x.dtype)))
    put = targets[-1].copy_ if pooled.tile else targets[-1].add_
    return in_sequence([*runs, partial(put, rest.view(x.dtype)), *after])


def _route_workspace(node: Node) -> list[Spec]:
    x = node.inputs[0].spec
    canvas = Pooled.of(node, node, node.inputs[0]).canvas
    return [*canvas, *canvas, *_Maxima.workspace(x), Spec(x.shape, BITS[x.dtype])]


def _pool_workspace(node: Node) -> list[Spec]:
    return Pooled.of(node, node.inputs[0], node).canvas


def _sum_adjoint_workspace(node: Node) -> list[Spec]:
    return Pooled.of(node, node, node.inputs[0]).canvas


KERNELS: dict[str, list[Kernel]] = {
    "max_pool2d": [Kernel("maximum per pixel", _pool(torch.maximum, -torch.inf), _pool_workspace)],
    "sum_pool2d": [Kernel("add per pixel", _pool(torch.add, 0.0), _pool_workspace)],
    "sum_pool2d_adjoint": [Kernel("add per pixel", _sum_adjoint, _sum_adjoint_workspace)],
    "pool_select": [Kernel("mask per pixel", _select, _select_workspace)],
    "pool_route": [Kernel("mask per pixel", _route, _route_workspace)],
}
