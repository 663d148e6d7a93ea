"""The input gradient of a convolution: matrix products, then folding.

Multiply the gradient by the weight, and add each window's pixels to the image.
"""

from __future__ import annotations

from functools import partial

import torch

from engine.kernels.convolution import as_matrix, is_worth_gathering, settled
from engine.kernels.kernel import Kernel, Run, Tensors, channels_last, in_sequence
from engine.kernels.patches import Tiling, Window
from ops import Node, Spec


def _tiling(node: Node) -> Tiling:
    """For its ranges of images alone: no two tiles of whole images share a pixel."""
    n, _, *windows = node.inputs[0].sizes
    return Tiling.of(n, windows, _width(node) * node.dtype.itemsize)


def _width(node: Node) -> int:
    _, per_group, kh, kw = node.inputs[1].sizes
    return kh * kw * per_group


def _traffic(node: Node) -> int:
    n, _, rows, columns = node.inputs[0].sizes
    # Each element is written by the product, then read and added to the image, pixel by pixel. As
    # measured, that takes three times as long as gathering an element.
    elements = n * rows * columns * _width(node) * node.attributes["groups"]
    return 6 * elements * node.dtype.itemsize


def _workspace(node: Node) -> list[Spec]:
    dy, w = node.inputs
    images = _tiling(node).images
    window = Window.of(node, w.sizes[2:])
    columns = (images * dy.sizes[2] * dy.sizes[3], _width(node))
    canvas = (images, *window.padded(node.sizes[2:]), node.sizes[1])
    specs = [*settled(dy), *settled(w), node.spec.with_shape(columns)]
    return specs if window.padding == (0, 0) else [*specs, node.spec.with_shape(canvas)]


def _scatter_back(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    scratch = list(workspaces)
    runs, dy = as_matrix(node.inputs[0], inputs[0], scratch)
    settle, weight = as_matrix(node.inputs[1], inputs[1], scratch)
    groups, window = node.attributes["groups"], Window.of(node, node.inputs[1].sizes[2:])
    per_group = weight.flatten(1).unflatten(0, (groups, -1))
    runs += settle
    columns, *canvas = scratch
    dx = channels_last(out)
    for n0, n1 in _tiling(node).image_ranges(dx.shape[0]):
        part = dy[n0:n1].flatten(0, 2).unflatten(1, (groups, -1))
        image = canvas[0][: n1 - n0] if canvas else dx[n0:n1]
        matrix = columns[: part.shape[0]]
        windows = window.view(image).unflatten(-1, (groups, -1))
        runs.append(image.zero_)
        for group in range(groups):
            runs.append(partial(torch.mm, part[:, group], per_group[group], out=matrix))
            pixels = matrix.view(windows.select(-2, group).shape)
            for taps in window.disjoint_taps():
                target = windows[:, :, :, *taps, group]
                runs.append(partial(target.add_, pixels[:, :, :, *taps]))
        if canvas:
            runs.append(partial(dx[n0:n1].copy_, window.interior(image, dx.shape[1:3])))
    return in_sequence(runs)


KERNELS: dict[str, list[Kernel]] = {
    "conv2d_input_gradient": [
        Kernel(
            "multiply, scatter windows",
            _scatter_back,
            _workspace,
            supports=is_worth_gathering,
            traffic=_traffic,
        )
    ]
}
