"""Depthwise convolution and its two gradients, tap by tap.

With one channel per group there is nothing to gather for a matrix product. Instead, every tap of
the weight scales a shifted image, channel by channel; one image after the other, so that each stays
in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import NamedTuple

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, channels_last, in_sequence
from ops import Node, Spec


class _Overlap(NamedTuple):
    """Where a tap connects results and pixels: parts of one result and of one image, both HWC."""

    tap: tuple[int, int]
    results: tuple[slice, slice]
    pixels: tuple[slice, slice]


def is_depthwise(node: Node) -> bool:
    """Whether a convolution, or a gradient of one, has as many groups as channels in and out."""
    image, weight = _shapes(node)
    groups = node.attributes["groups"]
    return groups > 1 and groups == image[1] and weight[:2] == (groups, 1)


def _shapes(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the images and of the weight."""
    if node.operator.name == "conv2d":
        return node.inputs[0].sizes, node.inputs[1].sizes
    if node.operator.name == "conv2d_input_gradient":
        return node.sizes, node.inputs[1].sizes
    return node.inputs[1].sizes, node.sizes


def _overlaps(node: Node, results: torch.Tensor) -> Iterator[_Overlap]:
    image, weight = (shape[2:] for shape in _shapes(node))
    axes = [
        list(_overlaps_along(node, axis, image[axis], weight[axis], results.shape[1 + axis]))
        for axis in (0, 1)
    ]
    for (i, rows, from_rows), (j, columns, from_columns) in product(*axes):
        yield _Overlap((i, j), (rows, columns), (from_rows, from_columns))


def _overlaps_along(
    node: Node, axis: int, size: int, taps: int, count: int
) -> Iterator[tuple[int, slice, slice]]:
    a = node.attributes
    stride, padding, dilation = (a[name][axis] for name in ("stride", "padding", "dilation"))
    for tap in range(taps):
        offset = tap * dilation - padding
        first = max(0, -(offset // stride))
        last = min(count - 1, (size - 1 - offset) // stride)
        if first <= last:
            start, stop = first * stride + offset, last * stride + offset + 1
            yield tap, slice(first, last + 1), slice(start, stop, stride)


def _taps_workspace(node: Node) -> list[Spec]:
    """The weight, tap after tap, as a vector over the channels each."""
    channels, _, rows, columns = node.inputs[1].sizes
    return [node.spec.with_shape((rows, columns, channels))]


def _scaled(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    """The convolution, or its input gradient: the same taps, from results back to pixels."""
    read, written, (taps,) = channels_last(inputs[0]), channels_last(out), workspaces
    forward = node.operator.name == "conv2d"
    overlaps = list(_overlaps(node, written if forward else read))
    runs: list[Run] = [partial(taps.copy_, inputs[1][:, 0].permute(1, 2, 0))]
    for source, target in zip(read, written, strict=True):
        runs.append(target.zero_)
        for tap, results, pixels in overlaps:
            to, of = (results, pixels) if forward else (pixels, results)
            runs.append(partial(target[to].addcmul_, source[of], taps[tap]))
    return in_sequence(runs)


def _weight_workspace(node: Node) -> list[Spec]:
    """The products of one image for one tap, and their sum."""
    _, channels, rows, columns = node.inputs[0].sizes
    return [node.spec.with_shape((rows * columns, channels)), node.spec.with_shape((channels,))]


def _weight_gradient(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    dy, x = map(channels_last, inputs)
    products, added = workspaces
    runs: list[Run] = [out.zero_]
    overlaps = list(_overlaps(node, dy))
    for slope, image in zip(dy, x, strict=True):
        for tap, results, pixels in overlaps:
            part = slope[results]
            each = products[: part.shape[0] * part.shape[1]]
            runs += [
                partial(torch.mul, part, image[pixels], out=each.view(part.shape)),
                partial(torch.sum, each, 0, out=added),
                partial(out[:, 0, *tap].add_, added),
            ]
    return in_sequence(runs)


KERNELS: dict[str, list[Kernel]] = {
    "conv2d": [Kernel("tap by tap", _scaled, _taps_workspace, supports=is_depthwise)],
    "conv2d_input_gradient": [
        Kernel("tap by tap", _scaled, _taps_workspace, supports=is_depthwise)
    ],
    "conv2d_weight_gradient": [
        Kernel("tap by tap", _weight_gradient, _weight_workspace, supports=is_depthwise)
    ],
}
