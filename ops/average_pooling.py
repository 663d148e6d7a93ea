"""Sums and means over windows, and the adjoint of the sum."""

from __future__ import annotations

import math
from typing import Any

import torch

from ops.arguments import as_nodes, named_in_errors
from ops.assembly import pad, slice
from ops.dimension import Size
from ops.errors import SpecError
from ops.leaves import full
from ops.node import Node
from ops.operator import operator
from ops.pooling import (
    ATTRIBUTES,
    infer_pool,
    pool_attributes,
    pool_windows,
    require_pooled,
    unpool_windows,
)
from ops.spec import Spec, require_ndim
from ops.windows import Pair


def _infer_sum_adjoint(spec: Spec, *, size: tuple[Size, Size], **window: Any) -> Spec:
    require_ndim(spec, 4, "images [N, C, H, W]")
    image = spec.with_shape((*spec.shape[:2], *size))
    require_pooled(spec, infer_pool(image, **window))
    return image


def _sum_vjp(gradient: Node, y: Node, x: Node, **window: Any) -> Node:
    return sum_pool2d_adjoint(gradient, size=x.shape[2:], **window)


sum_pool2d = operator(
    "sum_pool2d",
    infer=infer_pool,
    forward=lambda input, **window: pool_windows(input, 0.0, **window).sum(2),
    vjp=_sum_vjp,
    attributes=ATTRIBUTES,
    doc="""The sum of each window: images [N, C, H, W] to [N, C, H', W']. See ``avg_pool2d``.""",
)


def _repeat_over_windows(input: torch.Tensor, *, size: Pair, **window: Any) -> torch.Tensor:
    """Add each value to every pixel of its window: the adjoint of ``sum_pool2d``.

    [N, C, H', W'] in, [N, C, H, W] out, ``size`` being (H, W)."""
    n, c, *pooled = input.shape
    windows = input.unsqueeze(2).expand(n, c, math.prod(window["kernel_size"]), *pooled)
    return unpool_windows(windows, size, **window)


sum_pool2d_adjoint = operator(
    "sum_pool2d_adjoint",
    infer=_infer_sum_adjoint,
    forward=_repeat_over_windows,
    vjp=lambda gradient, y, x, *, size, **window: sum_pool2d(gradient, **window),
    attributes=("size", *ATTRIBUTES),
)


@named_in_errors
def avg_pool2d(
    input: Node,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Node:
    """The mean of each window, as ``torch.nn.functional.avg_pool2d``.

    Args:
        input: images [N, C, H, W].
        kernel_size: of the windows, an int or (vertical, horizontal).
        stride: between windows; None means kernel_size.
        padding: zeros around the image, at most half of kernel_size.
        ceil_mode: keep a partial window at the end; needs images of known size.
        count_include_pad: whether the padding counts in the mean.
        divisor_override: divide the sum of each window by this instead; not 0.

    Returns:
        Images [N, C, H', W'].
    """
    window = pool_attributes(kernel_size, stride, padding, 1)
    (x,) = as_nodes([input])
    total = sum_pool2d(x, **window, ceil_mode=ceil_mode)
    if divisor_override is not None:
        if not divisor_override:
            raise SpecError("expected a divisor_override other than 0")
        return total / divisor_override
    if not ceil_mode and (count_include_pad or window["padding"] == (0, 0)):
        return total / (window["kernel_size"][0] * window["kernel_size"][1])
    ones = full(value=1.0, shape=(1, 1, *x.shape[2:]), dtype=x.dtype)
    if not count_include_pad:
        return total / sum_pool2d(ones, **window, ceil_mode=ceil_mode)
    top, left = window["padding"]
    border = pad(ones, padding=(left, left, top, top), value=1.0)
    counts = sum_pool2d(border, **window | {"padding": (0, 0)}, ceil_mode=ceil_mode)
    for axis in (2, 3):  # drop windows that start in the padding after the image
        counts = slice(counts, axis, 0, total.shape[axis])
    return total / counts
