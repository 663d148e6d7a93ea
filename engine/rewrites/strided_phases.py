"""Convolve an upsampled image by a strided transposed convolution instead of phase by phase."""

from __future__ import annotations

from typing import Any

from engine.cost import seconds
from engine.graph import Graph
from engine.lowering import choose_kernel
from ops import (
    Node,
    conv2d,
    conv2d_weight_gradient,
    conv_transpose2d,
    rotate_weight,
    sum_pool2d,
    sum_pool2d_adjoint,
)
from ops.phases import are_tap_sums
from ops.provenance import in_place_of

PAIRS: dict[str, Any] = {
    "kernel_size": (2, 2),
    "stride": (1, 1),
    "padding": (0, 0),
    "dilation": (1, 1),
    "ceil_mode": False,
}
"""Windows of 2x2 neighbouring pixels."""


def stride_over_phases(graph: Graph) -> Graph:
    """A convolution in phases is a transposed one with stride 2, followed by 2x2 window sums.

    Upsampling an image by 2 inserts zeros between its pixels and then sums windows of 2x2. These
    sums can also be taken after the convolution:

        interleave_phases(conv2d(x, phase_weight(w), padding=1))
            = sum_pool2d(conv_transpose2d(x, rotate_weight(w), stride=2), 2, stride=1)

    It needs 9 multiplications where the phases need 16, and more at borders, but more additions
    afterwards. For a convolution and each of its gradients, the cost rule for torch's kernels
    decides which is cheaper. Exact up to rounding. For graphs that have already been
    differentiated.
    """
    return graph.transform(_strided)


def _strided(node: Node) -> Node:
    rule = _RULES.get(node.operator.name)
    return node if rule is None else rule(node)


def _output(node: Node) -> Node:
    (phases,) = node.inputs
    if not _is_phase_convolution(phases, "conv2d"):
        return node
    x, weight = phases.inputs
    if not _sums_taps(weight, "phase_weight"):
        return node
    with in_place_of(node, phases):
        large = conv_transpose2d(x, rotate_weight(weight.inputs[0]), stride=2)
        return sum_pool2d(large, **PAIRS) if _is_cheaper(large, phases) else node


def _input_gradient(node: Node) -> Node:
    gradient, weight = node.inputs
    if not _is_phase_convolution(node, "conv2d_input_gradient"):
        return node
    if not _sums_taps(weight, "phase_weight"):
        return node
    if gradient.operator.name != "separate_phases":
        return node
    with in_place_of(node, gradient):
        large = _summed(gradient.inputs[0])
        strided = conv2d(large, rotate_weight(weight.inputs[0]), stride=2)
    return strided if _is_cheaper(strided, node) else node


def _weight_gradient(node: Node) -> Node:
    phases = node.inputs[0]
    if not (_sums_taps(node, "phase_weight_adjoint") and phases.inputs):
        return node
    gradient, x = phases.inputs[0], phases.inputs[-1]
    if not _is_phase_convolution(phases, "conv2d_weight_gradient"):
        return node
    if gradient.operator.name != "separate_phases":
        return node
    with in_place_of(node, phases, gradient):
        strided = conv2d_weight_gradient(
            x,
            _summed(gradient.inputs[0]),
            kernel_size=(3, 3),
            stride=(2, 2),
            padding=(0, 0),
            dilation=(1, 1),
            groups=1,
        )
        return rotate_weight(strided) if _is_cheaper(strided, phases) else node


def _summed(image: Node) -> Node:
    """The gradient with respect to the pixels that were summed."""
    height, width = image.sizes[2:]
    return sum_pool2d_adjoint(image, size=(height + 1, width + 1), **PAIRS)


def _is_phase_convolution(node: Node, name: str) -> bool:
    """Whether a node is this convolution operator, with the attributes used for phases."""
    a = node.attributes
    return (
        node.operator.name == name
        and (a["stride"], a["padding"], a["dilation"]) == ((1, 1), (1, 1), (1, 1))
        and a["groups"] == 1
    )


def _sums_taps(node: Node, name: str) -> bool:
    """Whether a node sums a weight's taps for the phases, or is the adjoint of that."""
    return node.operator.name == name and are_tap_sums(node.inputs[1])


def _is_cheaper(convolution: Node, other: Node) -> bool:
    return _seconds(convolution) < _seconds(other)


def _seconds(node: Node) -> float:
    return seconds(node, choose_kernel(node))


_RULES = {
    "interleave_phases": _output,
    "conv2d_input_gradient": _input_gradient,
    "phase_weight_adjoint": _weight_gradient,
}
