"""Convolve the parts of a concatenation instead of the whole."""

from __future__ import annotations

from functools import reduce
from itertools import groupby
from operator import add

from engine.graph import Graph
from engine.rewrites.upsampled_convolution import is_3x3_same, is_upsampled_twofold
from ops import Node, concat, conv2d, slice
from ops.provenance import in_place_of

FEWEST_CHANNELS = 16
"""Of a part that is convolved alone. With more, the multiplications that its phases save outweigh
the passes over the result that weaving and adding them take; measured on CPUs, with both backends
and up to 96 channels of results."""


def convolve_parts(graph: Graph) -> Graph:
    """A convolution of channels that are put together is the sum of the parts' convolutions.

    ``conv2d(concat([a, b], 1), w) = conv2d(a, w[:, :A]) + conv2d(b, w[:, A:])``, where a has A
    channels. Exact but for rounding. It is applied where a is an image upsampled twofold, of at
    least FEWEST_CHANNELS channels, and the convolution one that :func:`convolve_before_upsampling`
    can then apply to a: as in the decoder of a U-Net, where neither the upsampled image nor the
    concatenation exists any more. All other parts stay together as far as they are neighbours.
    """
    return graph.transform(_convolved_parts)


def _convolved_parts(node: Node) -> Node:
    if node.operator.name != "conv2d" or not is_3x3_same(node):
        return node
    images, weight = node.inputs
    if images.operator.name != "concat" or images.attributes["dim"] % images.ndim != 1:
        return node
    if not any(map(_stands_alone, images.inputs)):
        return node
    if not all(image.sizes[1] for image in images.inputs):  # no image is without channels
        return node
    with in_place_of(node):
        convolved, start = [], 0
        for part in _parts(images):
            end = start + part.sizes[1]
            convolved.append(conv2d(part, slice(weight, 1, start, end), padding=1))
            start = end
        return reduce(add, convolved)


def _parts(images: Node) -> list[Node]:
    parts: list[Node] = []
    for alone, neighbours in groupby(images.inputs, _stands_alone):
        together = list(neighbours)
        parts += together if alone or len(together) == 1 else [concat(together, dim=1)]
    return parts


def _stands_alone(image: Node) -> bool:
    return is_upsampled_twofold(image) and image.sizes[1] >= FEWEST_CHANNELS
