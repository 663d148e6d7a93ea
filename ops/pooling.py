"""Shared by all pooling: window geometry, gathering windows' pixels and scattering them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as tensor_functions  # for unfold and fold alone

from ops.assembly import pad
from ops.dimension import Size, surely_differ
from ops.errors import SpecError
from ops.spec import Spec, require_float
from ops.windows import Pair, pairs, require_images, window_count

ATTRIBUTES = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")


def _pooled_size(
    size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> Size:
    if not ceil_mode:
        return window_count(size, kernel, stride, padding, dilation)
    if not isinstance(size, int):
        raise SpecError("ceil_mode needs images of known size")
    # A last, partial window counts if it starts inside the image or the padding before it.
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = -(-room // stride) + 1
    if (count - 1) * stride >= size + padding:
        count -= 1
    if count < 1:
        raise SpecError(f"a window of {kernel} does not fit in {size}, padded by {padding}")
    return count


def infer_pool(
    spec: Spec, *, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Spec:
    require_images(spec)
    for k, p in zip(kernel_size, padding, strict=True):
        if 2 * p > k:
            raise SpecError(f"expected padding of at most half the window {kernel_size}, got {p}")
    each = zip(spec.shape[2:], kernel_size, stride, padding, dilation, strict=True)
    return spec.with_shape((*spec.shape[:2], *(_pooled_size(*one, ceil_mode) for one in each)))


def require_pooled(spec: Spec, expected: Spec) -> None:
    require_float(spec)
    if spec.ndim != 4 or any(map(surely_differ, spec.shape, expected.shape)):
        raise SpecError(f"expected pooled images {expected}, got {spec}")


def margins(size: Sequence[int], pooled: Sequence[int], /, **window: Any) -> list[int]:
    """How much to ``pad`` (or crop) an image so that its windows fit exactly."""
    amounts: list[int] = []
    for axis in (1, 0):
        reach = window["dilation"][axis] * (window["kernel_size"][axis] - 1) + 1
        covered = (pooled[axis] - 1) * window["stride"][axis] + reach
        before = window["padding"][axis]
        amounts += [before, covered - size[axis] - before]
    return amounts


def pool_windows(x: torch.Tensor, value: float, **window: Any) -> torch.Tensor:
    """Every window's pixels, with ``value`` around the image: [N, C, kh*kw, H', W']."""
    pooled = infer_pool(Spec(tuple(x.shape), x.dtype), **window).sizes
    canvas = pad.forward(x, padding=margins(x.shape[2:], pooled[2:], **window), value=value)
    columns = tensor_functions.unfold(
        canvas, window["kernel_size"], window["dilation"], 0, window["stride"]
    )
    return columns.unflatten(1, (pooled[1], -1)).unflatten(3, pooled[2:])


def unpool_windows(windows: torch.Tensor, size: Sequence[int], **window: Any) -> torch.Tensor:
    """Add the windows' pixels back to an image: the adjoint of :func:`pool_windows`."""
    pooled = windows.shape[3:]
    left, right, top, bottom = margins(size, pooled, **window)
    canvas = tensor_functions.fold(
        windows.flatten(3).flatten(1, 2),
        (size[0] + top + bottom, size[1] + left + right),
        window["kernel_size"],
        window["dilation"],
        0,
        window["stride"],
    )
    return pad.forward(canvas, padding=[-left, -right, -top, -bottom])


def pool_attributes(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> dict[str, Pair]:
    """Pooling attributes as pairs; the stride defaults to the window size."""
    stride = kernel_size if stride is None else stride
    return pairs(kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
