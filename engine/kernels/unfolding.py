"""Kernels for unfold and fold: one strided pass per pixel of the window."""

from __future__ import annotations

from functools import partial

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, in_sequence
from engine.kernels.windows import as_images, taps
from ops import Node, Spec
from ops.windows import window_count


def _windows(node: Node, image: Spec) -> tuple[int, int]:
    a = node.attributes
    rows, columns = (
        window_count(size, a["kernel_size"][i], a["stride"][i], a["padding"][i], a["dilation"][i])
        for i, size in enumerate(image.sizes[2:])
    )
    return rows, columns


def _padded(node: Node, image: Spec) -> Spec:
    n, c, height, width = image.sizes
    top, left = node.attributes["padding"]
    return image.with_shape((n, c, height + 2 * top, width + 2 * left))


def _interior(node: Node, canvas: torch.Tensor, image: Spec) -> torch.Tensor:
    top, left = node.attributes["padding"]
    return canvas[:, :, top : top + image.sizes[2], left : left + image.sizes[3]]


def _unfold(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (canvas,), image = inputs, map(as_images, workspaces), node.inputs[0].spec
    kernel, windows = node.attributes["kernel_size"], _windows(node, image)
    columns = out.view(x.shape[0], x.shape[1], kernel[0] * kernel[1], *windows)
    runs: list[Run] = [canvas.zero_, partial(_interior(node, canvas, image).copy_, x)]
    pixels = enumerate(taps(canvas, windows, node.attributes))
    runs += [partial(columns[:, :, k].copy_, tap) for k, tap in pixels]
    return in_sequence(runs)


def _fold(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (canvas,) = inputs, map(as_images, workspaces)
    kernel, windows = node.attributes["kernel_size"], _windows(node, node.spec)
    source = x.unflatten(1, (-1, kernel[0] * kernel[1])).unflatten(3, windows)
    runs: list[Run] = [canvas.zero_]
    pixels = enumerate(taps(canvas, windows, node.attributes))
    runs += [partial(tap.add_, source[:, :, k]) for k, tap in pixels]
    return in_sequence([*runs, partial(out.copy_, _interior(node, canvas, node.spec))])


KERNELS: dict[str, list[Kernel]] = {
    "unfold": [
        Kernel("copy per pixel", _unfold, lambda node: [_padded(node, node.inputs[0].spec)])
    ],
    "fold": [Kernel("add per pixel", _fold, lambda node: [_padded(node, node.spec)])],
}
