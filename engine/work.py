"""What a node costs whatever its kernel: floating-point operations, and bytes read and written."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.kernels import VIEWS
from ops import Node
from ops.leaves import full


def flops(node: Node) -> int:
    """Floating-point operations of a node of a bound graph, by the definition of its operator.

    A multiplication and an addition count as two; a root, an exponential or a comparison as one.
    An operator without an entry in the table, as a user's, counts one per element of its result.
    """
    return _FLOPS.get(node.operator.name, _elements)(node)


def traffic(node: Node) -> int:
    """Bytes that computing a node must move: each input read once, the result written once.

    A lower bound: scratch memory, and what a kernel reads more than once, come on top.
    """
    if not node.inputs:
        return 0
    return node.spec.nbytes + sum(map(_stored_bytes, dict.fromkeys(node.inputs)))


def _stored_bytes(node: Node) -> int:
    """One number that is repeated over a shape lies in memory once."""
    return node.dtype.itemsize if node.operator is full else node.spec.nbytes


def _elements(node: Node) -> int:
    return math.prod(node.sizes)


def _nothing(node: Node) -> int:
    return 0


def _per_input_element(node: Node) -> int:
    return math.prod(node.inputs[0].sizes)


def _matmul(node: Node) -> int:
    return 2 * _elements(node) * node.inputs[0].sizes[-1]


def _convolution(output: Node, weight: Node) -> int:
    """Every pixel of the output meets every element of the weight, once per group."""
    n, _, height, width = output.sizes
    return 2 * n * height * width * math.prod(weight.sizes)


def _per_window(windows: Node, node: Node) -> int:
    """Every pixel of every window is looked at once."""
    return math.prod(windows.sizes) * math.prod(node.attributes["kernel_size"])


def _phase_weight(node: Node) -> int:
    """A product of the taps with the matrix of tap sums, per pair of channels."""
    weight, sums = node.inputs
    channels = min(weight.sizes[0], node.sizes[0]) * weight.sizes[1]
    return 2 * channels * math.prod(sums.sizes)


_MOVED = ("input", "parameter", "constant", "full", "copy", "concat", "pad", "unslice", "unfold",
          "upsample_nearest", "interleave_phases", "separate_phases")  # fmt: skip

_FLOPS: dict[str, Callable[[Node], int]] = {
    **dict.fromkeys((*VIEWS, *_MOVED), _nothing),
    **dict.fromkeys(("sum", "mean", "sum_to", "downsample_sum", "fold"), _per_input_element),
    **dict.fromkeys(("phase_weight", "phase_weight_adjoint"), _phase_weight),
    **dict.fromkeys(
        ("max_pool2d", "pool_select", "sum_pool2d"), lambda node: _per_window(node, node)
    ),
    **dict.fromkeys(
        ("pool_route", "sum_pool2d_adjoint"), lambda node: _per_window(node.inputs[0], node)
    ),
    "matmul": _matmul,
    "conv2d": lambda node: _convolution(node, node.inputs[1]),
    "conv2d_input_gradient": lambda node: _convolution(*node.inputs),
    "conv2d_weight_gradient": lambda node: _convolution(node.inputs[0], node),
}
