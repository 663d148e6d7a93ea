"""Convolution and its two gradients by unfolding, then matrix products, in cache-sized tiles.

Images are stored as NHWC and weights as [C_out, kh, kw, C_in/groups], so a weight is a matrix and
the result of a product is an image, without any reordering. Sources: Chellapilla, Puri and Simard,
"High Performance Convolutional Neural Networks for Document Processing", 2006 (the unfolding);
Georganas et al., 2018 (tiles and channels-last layouts on CPUs).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from engine.kernels.depthwise import is_depthwise
from engine.kernels.kernel import Kernel, Run, Tensors, channels_last, in_sequence
from engine.kernels.movement import rotated as rotate
from engine.kernels.patches import Gather, Window, lies_channels_last
from ops import Node, Spec

VECTOR = 8
"""Elements per vector; MKL takes up to twice the time if rows are not a multiple of this."""


def is_worth_gathering(node: Node) -> bool:
    """Whether a group's windows make a matrix; else see :mod:`engine.kernels.depthwise`."""
    return not is_depthwise(node)


def settled(node: Node) -> list[Spec]:
    """Scratch for a channels-last copy of an operand; none if it is stored channels-last."""
    return [] if lies_channels_last(node) else [node.spec]


def as_matrix(
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
    return Gather.of(Window.of(node, w.sizes[2:]), x, node.attributes["groups"])


def _conv2d_workspace(node: Node) -> list[Spec]:
    return [*settled(node.inputs[1]), *_conv2d_gather(node).workspace()]


def _conv2d(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (x, w), scratch = inputs, list(workspaces)
    groups = node.attributes["groups"]
    runs, weight = as_matrix(node.inputs[1], w, scratch)
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
    window = Window.of(node, node.attributes["kernel_size"])
    return Gather.of(window, node.inputs[1], node.attributes["groups"])


def _weight_workspace(node: Node) -> list[Spec]:
    gather = _weight_gather(node)
    across = (gather.groups, gather.width, node.sizes[0] // gather.groups)
    sums = [node.spec.with_shape(across)] if _adds_across(node) else []
    return [*sums, *settled(node.inputs[0]), *gather.workspace()]


def _adds_across(node: Node) -> bool:
    """Whether to accumulate the gradient transposed, because only then its rows fill vectors."""
    gather = _weight_gather(node)
    return gather.width % VECTOR != 0 and node.sizes[0] // gather.groups % VECTOR == 0


def _weight_gradient(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (gradient, x), scratch = inputs, list(workspaces)
    gather = _weight_gather(node)
    dw = channels_last(out).flatten(1).unflatten(0, (gather.groups, -1)).mT
    sums = scratch.pop(0) if _adds_across(node) else dw
    runs, dy = as_matrix(node.inputs[0], gradient, scratch)
    dy = dy.flatten(0, 2).unflatten(1, (gather.groups, -1))
    runs.append(sums.zero_)
    for tile in gather.tiles(x, scratch):
        runs += tile.prepare
        for group in range(gather.groups):
            runs.append(tile.gather(group))
            runs.append(partial(sums[group].addmm_, tile.matrix.t(), dy[tile.rows, group]))
    return in_sequence(runs if sums is dw else [*runs, partial(dw.copy_, sums)])


# dx for stride 1 (otherwise see :mod:`.scattering`): gather dy, multiply by the rotated weight.


def _rotated(node: Node) -> Window:
    forward = Window.of(node, node.inputs[1].sizes[2:])
    (kh, kw), (ph, pw), (dh, dw) = forward.kernel_size, forward.padding, forward.dilation
    return replace(forward, padding=(dh * (kh - 1) - ph, dw * (kw - 1) - pw))


def _can_rotate(node: Node) -> bool:
    if not is_worth_gathering(node):
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


def _convolve_back(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (gradient, w), (rotated, *scratch) = inputs, workspaces
    gather = _rotated_gather(node)
    runs = rotate(w.unflatten(0, (gather.groups, -1)), rotated.permute(0, 3, 4, 1, 2))
    dx = channels_last(out).flatten(0, 2).unflatten(1, (gather.groups, -1))
    return in_sequence(runs + _multiply(gather, gradient, scratch, rotated.flatten(1, 3), dx))


KERNELS: dict[str, list[Kernel]] = {
    "conv2d": [
        Kernel(
            "gather windows, multiply",
            _conv2d,
            _conv2d_workspace,
            supports=is_worth_gathering,
            traffic=lambda node: _conv2d_gather(node).traffic,
        )
    ],
    "conv2d_weight_gradient": [
        Kernel(
            "gather windows, multiply",
            _weight_gradient,
            _weight_workspace,
            supports=is_worth_gathering,
            traffic=lambda node: _weight_gather(node).traffic,
        )
    ],
    "conv2d_input_gradient": [
        Kernel(
            "convolve with the rotated weight",
            _convolve_back,
            _rotated_workspace,
            supports=_can_rotate,
            traffic=lambda node: _rotated_gather(node).traffic,
        ),
    ],
}
