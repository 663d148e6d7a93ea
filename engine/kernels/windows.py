"""Kernels of unfold, fold and pooling: one strided pass per pixel of the window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch

from engine.kernels.kernel import Kernel, Run, in_sequence
from ops import Node, Spec
from ops.assembly import overlap
from ops.pooling import margins

Tensors = Sequence[torch.Tensor]


def _taps(
    canvas: torch.Tensor, windows: Sequence[int], attributes: dict[str, Any]
) -> Iterator[torch.Tensor]:
    """For each pixel of the window, that pixel of every window of an NCHW canvas."""
    (sh, sw), (dh, dw) = attributes["stride"], attributes["dilation"]
    rows, columns = windows
    for i, j in product(*map(range, attributes["kernel_size"])):
        height = slice(i * dh, i * dh + sh * (rows - 1) + 1, sh)
        width = slice(j * dw, j * dw + sw * (columns - 1) + 1, sw)
        yield canvas[:, :, height, width]


def _images(scratch: torch.Tensor) -> torch.Tensor:
    """Scratch of NCHW shape with channels-last strides, as images are stored."""
    n, c, height, width = scratch.shape
    return scratch.view(n, height, width, c).permute(0, 3, 1, 2)


# unfold and fold


def _counts(node: Node, image: Spec) -> list[int]:
    a = node.attributes
    return [
        (
            image.sizes[2 + i]
            + 2 * a["padding"][i]
            - a["dilation"][i] * (a["kernel_size"][i] - 1)
            - 1
        )
        // a["stride"][i]
        + 1
        for i in range(2)
    ]


def _padded(node: Node, image: Spec) -> Spec:
    n, c, height, width = image.sizes
    top, left = node.attributes["padding"]
    return image.with_shape((n, c, height + 2 * top, width + 2 * left))


def _interior(node: Node, canvas: torch.Tensor, image: Spec) -> torch.Tensor:
    top, left = node.attributes["padding"]
    return canvas[:, :, top : top + image.sizes[2], left : left + image.shape[3]]


def _unfold(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (canvas,), image = inputs, map(_images, workspaces), node.inputs[0].spec
    rows, columns = _counts(node, image)
    kernel = node.attributes["kernel_size"]
    columns_of = out.view(x.shape[0], x.shape[1], kernel[0] * kernel[1], rows, columns)
    runs: list[Run] = [canvas.zero_, partial(_interior(node, canvas, image).copy_, x)]
    taps = _taps(canvas, (rows, columns), dict(node.attributes))
    runs += [partial(columns_of[:, :, k].copy_, tap) for k, tap in enumerate(taps)]
    return in_sequence(runs)


def _fold(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (canvas,) = inputs, map(_images, workspaces)
    rows, columns = _counts(node, node.spec)
    kernel = node.attributes["kernel_size"]
    source = x.unflatten(1, (-1, kernel[0] * kernel[1])).unflatten(3, (rows, columns))
    taps = _taps(canvas, (rows, columns), dict(node.attributes))
    runs: list[Run] = [canvas.zero_]
    runs += [partial(tap.add_, source[:, :, k]) for k, tap in enumerate(taps)]
    return in_sequence([*runs, partial(out.copy_, _interior(node, canvas, node.spec))])


# pooling: the canvas holds exactly the image's windows, padded or cropped


def _canvas(node: Node, image: Spec, pooled: Sequence[int]) -> Spec:
    left, right, top, bottom = margins(image.sizes[2:], pooled, **node.attributes)
    n, c, height, width = image.sizes
    return image.with_shape((n, c, height + top + bottom, width + left + right))


def _enter(
    node: Node, canvas: torch.Tensor, x: torch.Tensor, pooled: Sequence[int], value: float
) -> list[Run]:
    inner, source = overlap(tuple(x.shape), margins(x.shape[2:], pooled, **node.attributes))
    return [partial(canvas.fill_, value), partial(canvas[inner].copy_, x[source])]


def _leave(node: Node, canvas: torch.Tensor, out: torch.Tensor, pooled: Sequence[int]) -> list[Run]:
    inner, source = overlap(tuple(out.shape), margins(out.shape[2:], pooled, **node.attributes))
    return [out.zero_, partial(out[source].copy_, canvas[inner])]


def _accumulating(node: Node, out: torch.Tensor, x: torch.Tensor, canvas: torch.Tensor,
                  border: float, combine: str) -> Run:  # fmt: skip
    first, *rest = _taps(canvas, out.shape[2:], dict(node.attributes))
    runs = _enter(node, canvas, x, out.shape[2:], border)
    runs.append(partial(out.copy_, first))
    function = getattr(torch, combine)
    return in_sequence(runs + [partial(function, out, tap, out=out) for tap in rest])


def _max_pool(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    return _accumulating(node, out, inputs[0], _images(workspaces[0]), -torch.inf, "maximum")


def _sum_pool(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    return _accumulating(node, out, inputs[0], _images(workspaces[0]), 0.0, "add")


def _pool_workspace(node: Node) -> list[Spec]:
    return [_canvas(node, node.inputs[0].spec, node.sizes[2:])]


def _sum_adjoint(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (canvas,) = inputs, map(_images, workspaces)
    taps = _taps(canvas, x.shape[2:], dict(node.attributes))
    adds = [partial(tap.add_, x) for tap in taps]
    return in_sequence([canvas.zero_, *adds, *_leave(node, canvas, out, x.shape[2:])])


def _sum_adjoint_workspace(node: Node) -> list[Spec]:
    return [_canvas(node, node.spec, node.inputs[0].sizes[2:])]


def _choices(
    taps: Sequence[torch.Tensor], masks: Sequence[torch.Tensor], best: torch.Tensor
) -> Iterator[list[Run]]:
    """For each tap, how to mark in the first mask the windows of which it is the maximum."""
    chosen, free, is_nan = masks
    start = [partial(best.copy_, taps[0]), partial(free.fill_, True)]
    start += [partial(torch.maximum, best, tap, out=best) for tap in taps[1:]]
    for tap in taps:
        yield [
            *start,
            partial(torch.eq, tap, best, out=chosen),
            partial(torch.ne, tap, tap, out=is_nan),
            partial(torch.logical_or, chosen, is_nan, out=chosen),
            partial(torch.logical_and, chosen, free, out=chosen),
            partial(torch.bitwise_xor, free, chosen, out=free),
        ]
        start = []


def _select(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x, chooser), (canvas, values, best, *masks) = inputs, map(_images, workspaces)
    attributes, pooled = dict(node.attributes), out.shape[2:]
    runs: list[Run] = [out.zero_, *_enter(node, canvas, chooser, pooled, -torch.inf)]
    runs += _enter(node, values, x, pooled, 0.0)
    taps = list(_taps(canvas, pooled, attributes))
    candidates = _taps(values, pooled, attributes)
    for choose, value in zip(_choices(taps, masks, best), candidates, strict=True):
        runs += [*choose, partial(torch.where, masks[0], value, out, out=out)]
    return in_sequence(runs)


def _select_workspace(node: Node) -> list[Spec]:
    canvas = _canvas(node, node.inputs[1].spec, node.sizes[2:])
    mask = Spec(node.shape, torch.bool)
    return [canvas, canvas, node.spec, mask, mask, mask]


def _route(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x, chooser), (canvas, image, best, part, *masks) = inputs, map(_images, workspaces)
    attributes, pooled = dict(node.attributes), x.shape[2:]
    runs: list[Run] = [*_enter(node, canvas, chooser, pooled, -torch.inf), image.zero_]
    taps = list(_taps(canvas, pooled, attributes))
    targets = _taps(image, pooled, attributes)
    for choose, target in zip(_choices(taps, masks, best), targets, strict=True):
        runs += [*choose, part.zero_, partial(torch.where, masks[0], x, part, out=part)]
        runs.append(partial(target.add_, part))
    return in_sequence([*runs, *_leave(node, image, out, pooled)])


def _route_workspace(node: Node) -> list[Spec]:
    x = node.inputs[0].spec
    canvas = _canvas(node, node.spec, x.sizes[2:])
    mask = Spec(x.shape, torch.bool)
    return [canvas, canvas, x, x, mask, mask, mask]


KERNELS: dict[str, list[Kernel]] = {
    "unfold": [
        Kernel("copy per pixel", _unfold, lambda node: [_padded(node, node.inputs[0].spec)])
    ],
    "fold": [Kernel("add per pixel", _fold, lambda node: [_padded(node, node.spec)])],
    "max_pool2d": [Kernel("maximum per pixel", _max_pool, _pool_workspace)],
    "sum_pool2d": [Kernel("add per pixel", _sum_pool, _pool_workspace)],
    "sum_pool2d_adjoint": [Kernel("add per pixel", _sum_adjoint, _sum_adjoint_workspace)],
    "pool_select": [Kernel("choose per pixel", _select, _select_workspace)],
    "pool_route": [Kernel("choose per pixel", _route, _route_workspace)],
}
