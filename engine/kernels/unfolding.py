"""Kernels for unfold and fold: one strided pass per pixel of the window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, channels_last, in_sequence
from engine.kernels.patches import Window
from engine.kernels.windows import taps
from ops import Node, Spec


def _window(node: Node) -> Window:
    return Window.of(node, node.attributes["kernel_size"])


def _canvas(node: Node, image: Spec) -> Spec:
    """Scratch for padded NHWC images."""
    n, c, *size = image.sizes
    return image.with_shape((n, *_window(node).padded(size), c))


def _pixels(
    node: Node, columns: torch.Tensor, canvas: torch.Tensor, size: Sequence[int]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """For each pixel of the windows, where it lies in the columns and on the canvas."""
    window = _window(node)
    windows = window.count(size)
    in_columns = columns.unflatten(1, (-1, math.prod(window.kernel_size))).unflatten(3, windows)
    on_canvas = taps(canvas.permute(0, 3, 1, 2), windows, node.attributes)
    return zip(in_columns.unbind(2), on_canvas, strict=True)


def _unfold(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (canvas,), size = inputs, workspaces, node.inputs[0].sizes[2:]
    interior = _window(node).interior(canvas, size)
    runs: list[Run] = [canvas.zero_, partial(interior.copy_, channels_last(x))]
    runs += [partial(column.copy_, tap) for column, tap in _pixels(node, out, canvas, size)]
    return in_sequence(runs)


def _fold(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x,), (canvas,), size = inputs, workspaces, node.sizes[2:]
    runs: list[Run] = [canvas.zero_]
    runs += [partial(tap.add_, column) for column, tap in _pixels(node, x, canvas, size)]
    runs.append(partial(channels_last(out).copy_, _window(node).interior(canvas, size)))
    return in_sequence(runs)


KERNELS: dict[str, list[Kernel]] = {
    "unfold": [
        Kernel("copy per pixel", _unfold, lambda node: [_canvas(node, node.inputs[0].spec)])
    ],
    "fold": [Kernel("add per pixel", _fold, lambda node: [_canvas(node, node.spec)])],
}
