"""Convolution and its two gradients by unfolding and matrix products, in cache-sized tiles.

Images are stored as NHWC and weights as [C_out, kh, kw, C_in/groups], so a weight is a matrix and
the result of a product is an image, without any reordering. Sources: Chellapilla, Puri and Simard,
"High Performance Convolutional Neural Networks for Document Processing", 2006 (the unfolding);
Georganas et al., 2018 (tiles and channels-last layouts on CPUs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from engine.kernels.depthwise import is_depthwise
from engine.kernels.kernel import Kernel, Run, Tensors, channels_last, in_sequence
from engine.kernels.movement import rotated as rotate
from engine.kernels.patches import Gather, Tiling, Window, lies_channels_last
from ops import Node, Spec

VECTOR = 8
"""Elements per vector; MKL takes up to twice the time if rows are not a multiple of this."""


def _window(node: Node, kernel_size: Sequence[int]) -> Window:
    a = node.attributes
    return Window(tuple(kernel_size), a["stride"], a["padding"], a["dilation"])  # type: ignore[arg-type]


def _is_worth_gathering(node: Node) -> bool:
    """Whether a group's windows make a matrix; else see :mod:`engine.kernels.depthwise`."""
    return not is_depthwise(node)


def _settled(node: Node) -> list[Spec]:
    """Scratch for a channels-last copy of an operand; none if it is stored channels-last."""
    return [] if lies_channels_last(node) else [node.spec]


def _as_matrix(
    node: Node, value: torch.Tensor, scratch: list[torch.Tensor]
) -> tuple[list[Run], torch.Tensor]:
    """A four-axis value in NHWC order, contiguous, and the runs that copy it if needed."""
    stored = channels_last(value)
    if lies_channels_last(node):
        return [], stored
    copy = scratch.pop(0).view(stored.shape)
    return [partial(copy.copy_, stored)], copy


# y = conv2d(x, w): gather x, multiply by w.


def _conv2d_gather(node: Node) -> Gather:
    x, w = node.inputs
    return Gather.of(_window(node, w.sizes[2:]), x, node.attributes["groups"])


def _conv2d_workspace(node: Node) -> list[Spec]:
    return [*_settled(node.inputs[1]), *_conv2d_gather(node).workspace()]


def _conv2d(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x, w), scratch = inputs, list(workspaces)
    groups = node.attributes["groups"]
    runs, weight = _as_matrix(node.inputs[1], w, scratch)
    per_group = weight.flatten(1).unflatten(0, (groups, -1)).transpose(1, 2)
    y = channels_last(out).flatten(0, 2).unflatten(1, (groups, -1))
    return in_sequence(runs + _multiply(_conv2d_gather(node), x, scratch, per_group, y))


def _multiply(
    gather: Gather, images: torch.Tensor, scratch: Tensors, weight: torch.Tensor, y: torch.Tensor
) -> list[Run]:
    """Windows times weight [groups, width, C_out/groups] into y [windows, groups, C_out/groups]."""
    runs: list[Run] = []
    for tile in gather.tiles(images, scratch):
        runs += tile.prepare
        for group in range(gather.groups):
            runs.append(tile.gather(group))
            runs.append(partial(torch.mm, tile.matrix, weight[group], out=y[tile.rows, group]))
    return runs


# dw: gather x, multiply by dy, sum over the tiles.


def _weight_gather(node: Node) -> Gather:
    window = _window(node, node.attributes["kernel_size"])
    return Gather.of(window, node.inputs[1], node.attributes["groups"])


def _weight_workspace(node: Node) -> list[Spec]:
    gather = _weight_gather(node)
    across = (gather.groups, gather.width, node.sizes[0] // gather.groups)
    sums = [node.spec.with_shape(across)] if _adds_across(node) else []
    return [*sums, *_settled(node.inputs[0]), *gather.workspace()]


def _adds_across(node: Node) -> bool:
    """Whether to accumulate the gradient transposed, because only then its rows fill vectors."""
    gather = _weight_gather(node)
    return gather.width % VECTOR != 0 and node.sizes[0] // gather.groups % VECTOR == 0


def _weight_gradient(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (gradient, x), scratch = inputs, list(workspaces)
    gather = _weight_gather(node)
    dw = channels_last(out).flatten(1).unflatten(0, (gather.groups, -1)).mT
    sums = scratch.pop(0) if _adds_across(node) else dw
    runs, dy = _as_matrix(node.inputs[0], gradient, scratch)
    dy = dy.flatten(0, 2).unflatten(1, (gather.groups, -1))
    runs.append(sums.zero_)
    for tile in gather.tiles(x, scratch):
        runs += tile.prepare
        for group in range(gather.groups):
            runs.append(tile.gather(group))
            runs.append(partial(sums[group].addmm_, tile.matrix.t(), dy[tile.rows, group]))
    return in_sequence(runs if sums is dw else [*runs, partial(dw.copy_, sums)])


# dx by convolution, for stride 1: gather dy, multiply by the rotated weight.


def _rotated(node: Node) -> Window:
    forward = _window(node, node.inputs[1].sizes[2:])
    (kh, kw), (ph, pw), (dh, dw) = forward.kernel_size, forward.padding, forward.dilation
    return replace(forward, padding=(dh * (kh - 1) - ph, dw * (kw - 1) - pw))


def _can_rotate(node: Node) -> bool:
    if not _is_worth_gathering(node):
        return False
    return node.attributes["stride"] == (1, 1) and min(_rotated(node).padding) >= 0


def _rotated_gather(node: Node) -> Gather:
    return Gather.of(_rotated(node), node.inputs[0], node.attributes["groups"])


def _rotated_weight(node: Node) -> Spec:
    c_out, per_group, kh, kw = node.inputs[1].sizes
    groups = node.attributes["groups"]
    return node.spec.with_shape((groups, kh, kw, c_out // groups, per_group))


def _rotated_workspace(node: Node) -> list[Spec]:
    return [_rotated_weight(node), *_rotated_gather(node).workspace()]


def _rotated_passes(node: Node) -> int:
    return _rotated_gather(node).traffic


def _convolve_back(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (gradient, w), (rotated, *scratch) = inputs, workspaces
    gather = _rotated_gather(node)
    runs = rotate(w.unflatten(0, (gather.groups, -1)), rotated.permute(0, 3, 4, 1, 2))
    dx = channels_last(out).flatten(0, 2).unflatten(1, (gather.groups, -1))
    return in_sequence(runs + _multiply(gather, gradient, scratch, rotated.flatten(1, 3), dx))


# dx by scattering: multiply dy by the weight, add each window's pixels to the image.


def _scatter_tiling(node: Node) -> Tiling:
    n, _, *windows = node.inputs[0].sizes
    # A tile always consists of whole images, so that no two tiles share a pixel.
    return Tiling(Tiling.of(n, windows, _scatter_width(node) * node.dtype.itemsize).images, 0)


def _scatter_width(node: Node) -> int:
    _, per_group, kh, kw = node.inputs[1].sizes
    return kh * kw * per_group


def _scatter_passes(node: Node) -> int:
    n, _, rows, columns = node.inputs[0].sizes
    # Each element is written by the product, then read and added to the image, pixel by pixel. As
    # measured, that takes three times as long as gathering an element.
    elements = n * rows * columns * _scatter_width(node) * node.attributes["groups"]
    return 6 * elements * node.dtype.itemsize


def _scatter_workspace(node: Node) -> list[Spec]:
    dy, w = node.inputs
    images = _scatter_tiling(node).images
    window = _window(node, w.sizes[2:])
    columns = (images * dy.sizes[2] * dy.sizes[3], _scatter_width(node))
    canvas = (images, *window.padded(node.sizes[2:]), node.sizes[1])
    specs = [*_settled(dy), *_settled(w), node.spec.with_shape(columns)]
    return specs if window.padding == (0, 0) else [*specs, node.spec.with_shape(canvas)]


def _scatter_back(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    scratch = list(workspaces)
    runs, dy = _as_matrix(node.inputs[0], inputs[0], scratch)
    settle, weight = _as_matrix(node.inputs[1], inputs[1], scratch)
    groups, window = node.attributes["groups"], _window(node, node.inputs[1].sizes[2:])
    per_group = weight.flatten(1).unflatten(0, (groups, -1))
    runs += settle
    columns, *canvas = scratch
    dx = channels_last(out)
    for n0, n1 in _scatter_tiling(node).image_ranges(dx.shape[0]):
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
    "conv2d": [
        Kernel(
            "gather windows, multiply",
            _conv2d,
            _conv2d_workspace,
            supports=_is_worth_gathering,
            passes=lambda node: _conv2d_gather(node).traffic,
        )
    ],
    "conv2d_weight_gradient": [
        Kernel(
            "gather windows, multiply",
            _weight_gradient,
            _weight_workspace,
            supports=_is_worth_gathering,
            passes=lambda node: _weight_gather(node).traffic,
        )
    ],
    "conv2d_input_gradient": [
        Kernel(
            "convolve with the rotated weight",
            _convolve_back,
            _rotated_workspace,
            supports=_can_rotate,
            passes=_rotated_passes,
        ),
        Kernel(
            "multiply, scatter windows",
            _scatter_back,
            _scatter_workspace,
            supports=_is_worth_gathering,
            passes=_scatter_passes,
        ),
    ],
}
