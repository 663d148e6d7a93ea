"""Convolution and its two gradients by Winograd blocks, see :mod:`engine.kernels.winograd`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, channels_last, in_sequence
from engine.kernels.patches import Gather, Window
from engine.kernels.winograd import (
    PRODUCTS,
    Blocks,
    from_rotated_taps,
    from_taps,
    matrices,
    to_taps,
)
from ops import Node, Spec

NAME = "Winograd's blocks"


def _is_small(node: Node, kernel_size: Sequence[int]) -> bool:
    a = node.attributes
    small = (tuple(kernel_size), a["stride"], a["dilation"]) == ((3, 3), (1, 1), (1, 1))
    return small and a["groups"] == 1


def _window(node: Node, rotated: bool = False) -> Window:
    top, left = node.attributes["padding"]
    return Window((3, 3), (1, 1), (2 - top, 2 - left) if rotated else (top, left), (1, 1))


def _fits(window: Window, images: Node) -> bool:
    """Whether the results divide into 2x2 blocks."""
    return min(window.padding) >= 0 and not any(side % 2 for side in window.count(images.sizes[2:]))


def _weight_workspace(weight: Spec) -> list[Spec]:
    """Scratch for the weight transformed along its rows, then along both axes."""
    c_out, c_in, *_ = weight.sizes
    return [weight.with_shape((4, c_out, 3, c_in)), weight.with_shape((4, 4, c_out, c_in))]


def _weight_traffic(weight: Spec) -> int:
    return 2 * sum(spec.nbytes for spec in _weight_workspace(weight))


def _convolution(rotated: bool) -> Kernel:
    """A kernel of ``conv2d`` or, with the weight rotated, of its input gradient."""

    def blocks(node: Node) -> Blocks:
        return Blocks(Gather.of(_window(node, rotated), node.inputs[0], 1), node.sizes[1])

    def supports(node: Node) -> bool:
        images, weight = node.inputs
        return _is_small(node, weight.sizes[2:]) and _fits(_window(node, rotated), images)

    def prepare(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
        (images, weight), (rows, places, *scratch) = inputs, workspaces
        transform = from_rotated_taps if rotated else from_taps
        runs = transform(channels_last(weight), rows, places)
        factors = matrices(places) if rotated else matrices(places).mT
        for tile in blocks(node).tiles(images, scratch):
            pixels, results = matrices(tile.pixels), matrices(tile.results)
            runs += [*tile.read, partial(torch.bmm, pixels, factors, out=results)]
            runs += tile.write(channels_last(out))
        return in_sequence(runs)

    return Kernel(
        NAME,
        prepare,
        lambda node: _weight_workspace(node.inputs[1].spec) + blocks(node).workspace(),
        supports=supports,
        traffic=lambda node: _weight_traffic(node.inputs[1].spec) + blocks(node).traffic,
        products=lambda node: PRODUCTS,
    )


def _weight_blocks(node: Node) -> Blocks:
    return Blocks(Gather.of(_window(node), node.inputs[1], 1), node.sizes[0])


def _weight_gradient(node: Node, out: torch.Tensor, inputs: Tensors, workspaces: Tensors) -> Run:
    (gradient, images), (rows, places, *scratch) = inputs, workspaces
    runs: list[Run] = [places.zero_]
    for tile in _weight_blocks(node).tiles(images, scratch):
        runs += [*tile.read, *tile.spread(channels_last(gradient))]
        pixels, results = matrices(tile.pixels), matrices(tile.results)
        runs.append(partial(matrices(places).baddbmm_, results.mT, pixels))
    return in_sequence(runs + to_taps(places, rows, channels_last(out)))


KERNELS: dict[str, list[Kernel]] = {
    "conv2d": [_convolution(rotated=False)],
    "conv2d_input_gradient": [_convolution(rotated=True)],
    "conv2d_weight_gradient": [
        Kernel(
            NAME,
            _weight_gradient,
            lambda node: _weight_workspace(node.spec) + _weight_blocks(node).workspace(),
            supports=lambda node: (
                _is_small(node, node.sizes[2:]) and _fits(_window(node), node.inputs[1])
            ),
            traffic=lambda node: _weight_traffic(node.spec) + _weight_blocks(node).traffic,
            products=lambda node: PRODUCTS,
        )
    ],
}
