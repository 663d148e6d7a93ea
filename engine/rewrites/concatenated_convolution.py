"""Convolve the parts of a concatenation separately."""

from __future__ import annotations

from functools import reduce
from itertools import groupby
from operator import add

from engine.graph import Graph
from engine.rewrites.upsampled_convolution import is_3x3_same, is_upsampled_twofold
from ops import Node, concat, conv2d, slice
from ops.provenance import in_place_of

FEWEST_CHANNELS = 16
"""Minimum channels of a part that is convolved alone. From here on, the multiplications saved by
its phases outweigh the passes over the result for interleaving and adding; measured on CPUs, with
both backends and up to 96 output channels."""


def convolve_parts(graph: Graph) -> Graph:
    """The convolution of concatenated channels is the sum of the parts' convolutions.

    ``conv2d(concat([a, b], 1), w) = conv2d(a, w[:, :A]) + conv2d(b, w[:, A:])``, where a has A
    channels. Exact up to rounding. Applied if a is an image upsampled by 2 with at least
    FEWEST_CHANNELS channels and :func:`convolve_before_upsampling` can then rewrite its
    convolution. In the decoder of a U-Net, for example, this eliminates both the upsampled image
    and the concatenation. Neighbouring parts that do not qualify stay concatenated.
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
    if not all(image.sizes[1] for image in images.inputs):  # images need at least one channel
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
