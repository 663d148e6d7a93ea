"""The cost of a node independent of its kernel: floating-point operations and bytes moved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine.kernels import VIEWS
from ops import Node, Spec
from ops.fused import Computation, body_of
from ops.leaves import full

Inputs = Sequence[Spec]


def flops(node: Node) -> int:
    """Floating-point operations of a node of a bound graph, by the definition of its operator.

    A multiplication and an addition count as two; a root, an exponential or a comparison as one. An
    operator without an entry in the table, such as a user's own, counts as one per element of its
    result. A fused node counts as the sum of its parts.
    """
    body = body_of(node)
    specs = [*(source.spec for source in node.inputs), *(step.spec for step in body)]
    return sum(_flops(step, [specs[i] for i in step.sources]) for step in body)


def traffic(node: Node) -> int:
    """Bytes that computing a node must move: each input read once, the result written once.

    A lower bound: scratch memory and repeated reads by the kernel are not included.
    """
    if not node.inputs:
        return 0
    return node.spec.nbytes + sum(map(_stored_bytes, dict.fromkeys(node.inputs)))


def _stored_bytes(node: Node) -> int:
    """Bytes that a value takes in memory; a number repeated over a shape is stored once."""
    return node.dtype.itemsize if node.operator is full else node.spec.nbytes


def _flops(step: Computation, inputs: Inputs) -> int:
    return _FLOPS.get(step.operator.name, _elements)(step, inputs)


def _elements(step: Computation, inputs: Inputs) -> int:
    return math.prod(step.spec.sizes)


def _nothing(step: Computation, inputs: Inputs) -> int:
    return 0


def _per_input_element(step: Computation, inputs: Inputs) -> int:
    return math.prod(inputs[0].sizes)


def _matmul(step: Computation, inputs: Inputs) -> int:
    return 2 * math.prod(step.spec.sizes) * inputs[0].sizes[-1]


def _convolution(output: Spec, weight: Spec) -> int:
    """Two operations per output pixel (all channels) and element of the weight."""
    n, _, height, width = output.sizes
    return 2 * n * height * width * math.prod(weight.sizes)


def _per_window(windows: Spec, step: Computation) -> int:
    """One operation per pixel of each window."""
    return math.prod(windows.sizes) * math.prod(step.attributes["kernel_size"])


def _phase_weight(step: Computation, inputs: Inputs) -> int:
    """A product of the taps with the matrix of tap sums, for each pair of channels."""
    weight, sums = inputs
    channels = min(weight.sizes[0], step.spec.sizes[0]) * weight.sizes[1]
    return 2 * channels * math.prod(sums.sizes)


_MOVED = ("input", "parameter", "constant", "full", "copy", "concat", "pad", "unslice", "unfold",
          "upsample_nearest", "interleave_phases", "separate_phases", "rotate_weight")  # fmt: skip

_FLOPS: dict[str, Callable[[Computation, Inputs], int]] = {
    **dict.fromkeys((*VIEWS, *_MOVED), _nothing),
    **dict.fromkeys(("sum", "mean", "sum_to", "downsample_sum", "fold"), _per_input_element),
    **dict.fromkeys(("phase_weight", "phase_weight_adjoint"), _phase_weight),
    **dict.fromkeys(
        ("max_pool2d", "pool_select", "sum_pool2d"), lambda step, _: _per_window(step.spec, step)
    ),
    **dict.fromkeys(
        ("pool_route", "sum_pool2d_adjoint"), lambda step, inputs: _per_window(inputs[0], step)
    ),
    "matmul": _matmul,
    "conv2d": lambda step, inputs: _convolution(step.spec, inputs[1]),
    "conv2d_input_gradient": lambda step, inputs: _convolution(inputs[0], inputs[1]),
    "conv2d_weight_gradient": lambda step, inputs: _convolution(inputs[0], step.spec),
}
