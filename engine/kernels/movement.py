"""Kernels that move data: views where the memory layout allows, else one copy."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, in_sequence
from ops import Node, Spec
from ops.assembly import overlap


def _window(tensor: torch.Tensor, dim: int, start: int, end: int, step: int) -> torch.Tensor:
    return tensor[(builtins.slice(None),) * dim + (builtins.slice(start, end, step),)]


VIEWS: dict[str, Callable[..., torch.Tensor]] = {
    "reshape": lambda x, *, shape: x.view(shape),
    "permute": lambda x, *, dims: x.permute(dims),
    "expand": lambda x, *, shape: x.expand(shape),
    "slice": lambda x, *, dim, start, end, step: _window(x, dim, start, end, step),
}
"""Operators whose result can be a view of their input. If the strides do not allow it, the function
raises RuntimeError, and the node's kernel copies instead."""


def _reshape(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,) = inputs
    if workspaces:
        through = workspaces[0]
        gather = partial(through.view(x.shape).copy_, x)
        return in_sequence([gather, partial(out.copy_, through.view(out.shape))])
    if out.is_contiguous():
        return partial(out.view(x.shape).copy_, x)
    return partial(out.copy_, x.view(out.shape))


def _reshape_workspace(node: Node) -> Sequence[Spec]:
    """Row-major scratch, through which elements pass if neither layout is row-major."""
    (x,) = node.inputs
    return (node.spec,) if node.ndim == 4 and (x.ndim == 4 or x.operator.name in VIEWS) else ()


def _viewed(name: str) -> Callable[..., Run]:
    def prepare(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
        return partial(out.copy_, VIEWS[name](*inputs, **node.attributes))

    return prepare


def _concat(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    runs: list[Run] = []
    start = 0
    dim: int = node.attributes["dim"]
    for x in inputs:
        runs.append(partial(out.narrow(dim, start, x.shape[dim]).copy_, x))
        start += x.shape[dim]
    return in_sequence(runs)


def _pad(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    (x,) = inputs
    inner, source = overlap(tuple(x.shape), node.attributes["padding"])
    fill = partial(out.fill_, node.attributes["value"])
    copy = partial(out[inner].copy_, x[source])
    return copy if out[inner].shape == out.shape else in_sequence([fill, copy])


def _unslice(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    a: dict[str, Any] = {k: v for k, v in node.attributes.items() if k != "size"}
    return in_sequence([out.zero_, partial(_window(out, **a).copy_, inputs[0])])


def _upsample(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    (x,) = inputs
    rows, columns = node.attributes["scale_factor"]
    height, width = x.shape[2:]
    blocks = out.unflatten(2, (height, rows)).unflatten(4, (width, columns))
    return partial(blocks.copy_, x[:, :, :, None, :, None])


def _rotate(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    return in_sequence(rotated(inputs[0].transpose(0, 1), out))


def rotated(weight: torch.Tensor, out: torch.Tensor) -> list[Run]:
    """Copy a weight [..., kh, kw] with its taps rotated by 180 degrees."""
    kh, kw = weight.shape[-2:]
    return [
        partial(out[..., kh - 1 - i, kw - 1 - j].copy_, weight[..., i, j])
        for i, j in product(range(kh), range(kw))
    ]


def _copy(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    return partial(out.copy_, inputs[0])


KERNELS: dict[str, list[Kernel]] = {
    "copy": [Kernel("copy", _copy)],
    "reshape": [Kernel("copy", _reshape, _reshape_workspace)],
    "permute": [Kernel("copy", _viewed("permute"))],
    "expand": [Kernel("copy", _viewed("expand"))],
    "slice": [Kernel("copy", _viewed("slice"))],
    "concat": [Kernel("copy", _concat)],
    "pad": [Kernel("copy", _pad)],
    "unslice": [Kernel("copy", _unslice)],
    "upsample_nearest": [Kernel("copy", _upsample)],
    "rotate_weight": [Kernel("copy per tap", _rotate)],
}
