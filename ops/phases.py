"""The four phases of an image twice as large: pixels by the parity of their row and column.

Used where a convolution of an upsampled image is computed on the small image, see
``engine.rewrites.upsampled_convolution``.
"""

from __future__ import annotations

from itertools import product

import torch

from ops.errors import SpecError
from ops.operator import Operator, operator
from ops.spec import Spec, require_float, require_ndim

PHASES = tuple(product((0, 1), (0, 1)))
"""(row parity, column parity), in the order of their channels."""


def _infer_interleave(spec: Spec) -> Spec:
    require_float(spec)
    require_ndim(spec, 4, "four phases [N, 4*C, H+1, W+1]")
    n, channels, height, width = spec.shape
    if isinstance(channels, int) and channels % 4:
        raise SpecError(f"expected channels divisible by 4, got {spec}")
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
    """For each phase, its pixels among the phases' channels and in the image."""
    channels, height, width = image.shape[1], image.shape[2] // 2, image.shape[3] // 2
    return [
        (
            phases[:, k * channels : (k + 1) * channels, a : a + height, b : b + width],
            image[:, :, a::2, b::2],
        )
        for k, (a, b) in enumerate(PHASES)
    ]


def _interleave(input: torch.Tensor) -> torch.Tensor:
    """Weave four phases into one image: ``y[n, c, 2i+a, 2j+b] = x[n, (2a+b)C + c, i+a, j+b]``.

    [N, 4*C, H+1, W+1] in, [N, C, 2*H, 2*W] out. Of each phase one row and one column is unused."""
    n, channels, height, width = input.shape
    result = input.new_empty((n, channels // 4, 2 * (height - 1), 2 * (width - 1)))
    for phase, pixels in phase_views(input, result):
        pixels.copy_(phase)
    return result


def _separate(input: torch.Tensor) -> torch.Tensor:
    """Take an image apart into its phases, the adjoint of ``interleave_phases``.

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
