"""The four phases of an image: its pixels grouped by the parity of their row and column.

A 3x3 convolution of an image upsampled by 2 is, for each phase of the result, a 2x2 convolution of
the image itself: along a row, the three upsampled pixels in a window are ``x[i-1] x[i] x[i]`` or
``x[i] x[i] x[i+1]``, two distinct ones, so the taps on the same pixel can be summed first. Used by
``engine.rewrites.upsampled_convolution``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch

from ops.dimension import Shape, Size
from ops.errors import SpecError
from ops.linear_algebra import matmul, transpose
from ops.node import Node
from ops.operator import Operator, operator
from ops.shape import permute, reshape
from ops.spec import Spec, require_float, require_ndim

PHASES = tuple(product((0, 1), (0, 1)))
"""(row parity, column parity) of each phase, in channel order."""


def _infer_interleave(spec: Spec) -> Spec:
    require_float(spec)
    require_ndim(spec, 4, "four phases [N, 4*C, H+1, W+1]")
    n, channels, height, width = spec.shape
    if isinstance(channels, int) and channels % 4:
        raise SpecError(f"expected channels divisible by 4, got {spec}")
    if any(isinstance(side, int) and side < 1 for side in (height, width)):
        raise SpecError(f"expected sides of at least 1, got {spec}")
    return spec.with_shape((n, channels // 4, 2 * (height - 1), 2 * (width - 1)))


def _infer_separate(spec: Spec) -> Spec:
    require_float(spec)
    require_ndim(spec, 4, "images [N, C, 2*H, 2*W]")
    n, channels, height, width = spec.shape
    for side in (height, width):
        if isinstance(side, int) and side % 2:
            raise SpecError(f"expected even sides, got {spec}")
    return spec.with_shape((n, 4 * channels, height // 2 + 1, width // 2 + 1))


def phase_views(
    phases: torch.Tensor, image: torch.Tensor
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each phase, a view of its pixels in the phases' channels and one in the image."""
    channels, height, width = image.shape[1], image.shape[2] // 2, image.shape[3] // 2
    return [
        (
            phases[:, k * channels : (k + 1) * channels, a : a + height, b : b + width],
            image[:, :, a::2, b::2],
        )
        for k, (a, b) in enumerate(PHASES)
    ]


def _interleave(input: torch.Tensor) -> torch.Tensor:
    """Interleave four phases into one image: ``y[n, c, 2i+a, 2j+b] = x[n, (2a+b)C + c, i+a, j+b]``.

    [N, 4*C, H+1, W+1] in, [N, C, 2*H, 2*W] out. One row and one column of each phase are unused."""
    n, channels, height, width = input.shape
    result = input.new_empty((n, channels // 4, 2 * (height - 1), 2 * (width - 1)))
    for phase, pixels in phase_views(input, result):
        pixels.copy_(phase)
    return result


def _separate(input: torch.Tensor) -> torch.Tensor:
    """Split an image into its phases: the adjoint of ``interleave_phases``.

    [N, C, 2*H, 2*W] in, [N, 4*C, H+1, W+1] out, zero where a phase has no pixel."""
    n, channels, height, width = input.shape
    result = input.new_zeros((n, 4 * channels, height // 2 + 1, width // 2 + 1))
    for phase, pixels in phase_views(result, input):
        phase.copy_(pixels)
    return result


interleave_phases: Operator = operator(
    "interleave_phases",
    infer=_infer_interleave,
    forward=_interleave,
    vjp=lambda gradient, y, x: separate_phases(gradient),
)

separate_phases: Operator = operator(
    "separate_phases",
    infer=_infer_separate,
    forward=_separate,
    vjp=lambda gradient, y, x: interleave_phases(gradient),
)


# Which of three taps are summed into each of two, by the parity of the row (or column).
_SUMMED = (((1, 0, 0), (0, 1, 1)), ((1, 1, 0), (0, 0, 1)))


def tap_sums(dtype: torch.dtype) -> torch.Tensor:
    """The matrix [16, 9] that maps the taps of a 3x3 weight to those of its four 2x2 weights."""
    sums = torch.tensor(_SUMMED, dtype=dtype)
    return torch.cat([torch.kron(sums[a], sums[b]) for a, b in PHASES])


def are_tap_sums(sums: Node) -> bool:
    """Whether a node is the constant of :func:`tap_sums`."""
    value = sums.attributes.get("value")
    return isinstance(value, torch.Tensor) and torch.equal(value, tap_sums(sums.dtype))


def _infer_phase_weight(weight: Spec, sums: Spec) -> Spec:
    return _infer_taps(weight, sums, (3, 3), (2, 2), lambda channels: 4 * channels)


def _infer_phase_weight_adjoint(weight: Spec, sums: Spec) -> Spec:
    if isinstance(weight.shape[0], int) and weight.shape[0] % 4:
        raise SpecError(f"expected output channels divisible by 4, got {weight}")
    return _infer_taps(weight, sums, (2, 2), (3, 3), lambda channels: channels // 4)


def _infer_taps(
    weight: Spec, sums: Spec, given: Shape, wanted: Shape, channels: Callable[[Size], Size]
) -> Spec:
    require_float(weight, sums)
    require_ndim(weight, 4, f"a weight [C_out, C_in, {given[0]}, {given[1]}]")
    if weight.shape[2:] != given:
        raise SpecError(f"expected a weight of {given[0]}x{given[1]} taps, got {weight}")
    if sums.shape != (16, 9):
        raise SpecError(f"expected the matrix of tap sums [16, 9], got {sums}")
    return weight.with_shape((channels(weight.shape[0]), weight.shape[1], *wanted))


def _phase_weight(weight: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """The 2x2 weights of the four phases, each tap a sum of taps of a 3x3 weight.

    [C_out, C_in, 3, 3] and ``tap_sums`` in, [4*C_out, C_in, 2, 2] out, phase by phase."""
    c_out, c_in = weight.shape[:2]
    taps = weight.flatten(2) @ sums.T
    return taps.reshape(c_out, c_in, 4, 2, 2).permute(2, 0, 1, 3, 4).reshape(4 * c_out, c_in, 2, 2)


def _phase_weight_adjoint(weight: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """Add each tap of the phases' weights to the taps that it sums.

    The adjoint of ``phase_weight``: [4*C_out, C_in, 2, 2] and ``tap_sums`` in, [C_out, C_in, 3, 3]
    out."""
    c_out, c_in = weight.shape[0] // 4, weight.shape[1]
    taps = weight.reshape(4, c_out, c_in, 4).permute(1, 2, 0, 3).reshape(c_out, c_in, 16)
    return (taps @ sums).reshape(c_out, c_in, 3, 3)


def _sums_gradient(phases: Node, weight: Node) -> Node:
    """The gradient with respect to the tap sums, bilinear in the two weights: [16, 9]."""
    c_out, c_in = weight.shape[:2]
    by_phase = permute(reshape(phases, (4, c_out, c_in, 4)), dims=(1, 2, 0, 3))
    taps = reshape(by_phase, (c_out * c_in, 16))
    return matmul(transpose(taps), reshape(weight, (c_out * c_in, 9)))


phase_weight: Operator = operator(
    "phase_weight",
    infer=_infer_phase_weight,
    forward=_phase_weight,
    vjp=lambda gradient, y, weight, sums: (
        phase_weight_adjoint(gradient, sums),
        _sums_gradient(gradient, weight),
    ),
)

phase_weight_adjoint: Operator = operator(
    "phase_weight_adjoint",
    infer=_infer_phase_weight_adjoint,
    forward=_phase_weight_adjoint,
    vjp=lambda gradient, y, weight, sums: (
        phase_weight(gradient, sums),
        _sums_gradient(weight, gradient),
    ),
)
