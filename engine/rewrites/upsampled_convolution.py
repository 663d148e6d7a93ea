"""Convolve the small image instead of the upsampled one."""

from __future__ import annotations

from engine.graph import Graph
from ops import Node, constant, conv2d, interleave_phases, phase_weight
from ops.phases import tap_sums
from ops.provenance import in_place_of


def convolve_before_upsampling(graph: Graph) -> Graph:
    """A 3x3 convolution of an image upsampled by 2 is four 2x2 convolutions of the image itself.

    With stride 1 and padding 1, ``conv2d(upsample_nearest(x, 2), w) =
    interleave_phases(conv2d(x, w', padding=1))``, where w' holds a 2x2 weight for each parity of
    row and column, whose taps are sums of taps of w. Exact up to rounding, borders included. It
    takes 2.25 times fewer multiplications and eliminates the upsampled image. If run before
    differentiation, both gradients benefit as well.
    """
    return graph.transform(_convolved_small)


def is_3x3_same(convolution: Node) -> bool:
    """Whether a ``conv2d`` could be computed in phases if its images were upsampled by 2."""
    a = convolution.attributes
    return (
        convolution.inputs[1].shape[2:] == (3, 3)
        and (a["stride"], a["padding"], a["dilation"]) == ((1, 1), (1, 1), (1, 1))
        and a["groups"] == 1
    )


def is_upsampled_twofold(image: Node) -> bool:
    """Whether an image is the result of nearest-neighbour upsampling by 2."""
    return image.operator.name == "upsample_nearest" and image.attributes["scale_factor"] == (2, 2)


def _convolved_small(node: Node) -> Node:
    if node.operator.name != "conv2d":
        return node
    upsampled, weight = node.inputs
    if not (is_upsampled_twofold(upsampled) and is_3x3_same(node)):
        return node
    with in_place_of(node):
        sums = constant(value=tap_sums(node.dtype))
        phases = conv2d(upsampled.inputs[0], phase_weight(weight, sums), padding=1)
        return interleave_phases(phases)
