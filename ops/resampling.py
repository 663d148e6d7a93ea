"""Nearest-neighbour upsampling and its adjoint."""

from __future__ import annotations

import torch

from ops.arguments import as_nodes, named_in_errors
from ops.errors import SpecError
from ops.node import Node
from ops.operator import Operator, operator
from ops.spec import Spec, require_float, require_ndim
from ops.windows import Pair, pairs


def _infer_upsample(spec: Spec, *, scale_factor: Pair) -> Spec:
    require_float(spec)
    require_ndim(spec, 4, "images [N, C, H, W]")
    n, c, height, width = spec.shape
    return spec.with_shape((n, c, height * scale_factor[0], width * scale_factor[1]))


def _infer_downsample(spec: Spec, *, scale_factor: Pair) -> Spec:
    require_float(spec)
    require_ndim(spec, 4, "images [N, C, H, W]")
    n, c, *size = spec.shape
    for s, factor in zip(size, scale_factor, strict=True):
        if isinstance(s, int) and s % factor:
            raise SpecError(f"expected sides divisible by {scale_factor}, got {spec}")
    return spec.with_shape((n, c, size[0] // scale_factor[0], size[1] // scale_factor[1]))


def _repeat(input: torch.Tensor, *, scale_factor: Pair) -> torch.Tensor:
    rows, columns = scale_factor
    return input.repeat_interleave(rows, 2).repeat_interleave(columns, 3)


def _sum_blocks(input: torch.Tensor, *, scale_factor: Pair) -> torch.Tensor:
    """Sum every block of pixels: the adjoint of ``upsample_nearest``.

    Images [N, C, H, W] in, [N, C, H / rows, W / columns] out, ``scale_factor`` being the pair of
    rows and columns of a block."""
    (n, c, height, width), (rows, columns) = input.shape, scale_factor
    return input.reshape(n, c, height // rows, rows, width // columns, columns).sum((3, 5))


_upsample_nearest: Operator = operator(
    "upsample_nearest",
    infer=_infer_upsample,
    forward=_repeat,
    vjp=lambda gradient, y, x, *, scale_factor: downsample_sum(gradient, scale_factor=scale_factor),
)

downsample_sum: Operator = operator(
    "downsample_sum",
    infer=_infer_downsample,
    forward=_sum_blocks,
    vjp=lambda gradient, y, x, *, scale_factor: _upsample_nearest(
        gradient, scale_factor=scale_factor
    ),
)


@named_in_errors
def upsample_nearest(input: Node, scale_factor: int | Pair) -> Node:
    """Repeat every pixel: ``y[n, c, i, j] = x[n, c, i // s, j // s]``.

    Args:
        input: images [N, C, H, W].
        scale_factor: how many times, an int or (vertical, horizontal).

    Returns:
        Images [N, C, H s, W s].
    """
    factor = pairs(scale_factor=scale_factor)
    return _upsample_nearest(*as_nodes([input]), **factor)
