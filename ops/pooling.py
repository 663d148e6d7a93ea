"""Pooling over windows: maxima and means.

``max_pool2d`` is the choice, per window, of one pixel: ``pool_select`` takes that pixel from an
image, ``pool_route`` sends a value back to it. Both are linear in their first argument and each
other's adjoint, so derivatives of any order stay in the family. The pixels are chosen by the second
argument, through which no gradient flows. ``sum_pool2d`` and ``sum_pool2d_adjoint`` are such a
pair too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as tensor_functions  # for unfold and fold alone

from ops.dimension import Size, surely_differ
from ops.errors import SpecError
from ops.leaves import full
from ops.node import Node
from ops.operator import as_nodes, located, operator
from ops.shape import pad, slice
from ops.spec import Spec, require_float, require_ndim, require_same_shape
from ops.windows import Pair, pairs, window_count


def _pooled_size(
    size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> Size:
    count = window_count(size, kernel, stride, padding, dilation)
    if not ceil_mode or stride == 1:
        return count
    if not isinstance(size, int) or not isinstance(count, int):
        raise SpecError("ceil_mode needs images of known size")
    # A last, partial window counts if it starts inside the image or the padding before it.
    partial = (size + 2 * padding - dilation * (kernel - 1) - 1) % stride
    return count + int(partial > 0 and count * stride < size + padding)


def _infer_pool(
    spec: Spec, *, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Spec:
    require_float(spec)
    require_ndim(spec, 4, "images [N, C, H, W]")
    for k, p in zip(kernel_size, padding, strict=True):
        if 2 * p > k:
            raise SpecError(f"expected padding of at most half the window {kernel_size}, got {p}")
    each = zip(spec.shape[2:], kernel_size, stride, padding, dilation, strict=True)
    return spec.with_shape((*spec.shape[:2], *(_pooled_size(*one, ceil_mode) for one in each)))


def _infer_select(spec: Spec, chooser: Spec, **window: Any) -> Spec:
    require_same_shape(spec, chooser)
    return _infer_pool(spec, **window)


def _infer_route(spec: Spec, chooser: Spec, **window: Any) -> Spec:
    _require_pooled(spec, _infer_pool(chooser, **window))
    return chooser


def _infer_sum_adjoint(spec: Spec, *, size: tuple[Size, Size], **window: Any) -> Spec:
    require_ndim(spec, 4, "images [N, C, H, W]")
    image = spec.with_shape((*spec.shape[:2], *size))
    _require_pooled(spec, _infer_pool(image, **window))
    return image


def _require_pooled(spec: Spec, expected: Spec) -> None:
    if spec.ndim != 4 or any(map(surely_differ, spec.shape, expected.shape)):
        raise SpecError(f"expected pooled images {expected}, got {spec}")


def margins(size: Sequence[int], pooled: Sequence[int], /, **window: Any) -> list[int]:
    """What to ``pad`` (or crop) an image by so that exactly its windows fit."""
    amounts: list[int] = []
    for axis in (1, 0):
        reach = window["dilation"][axis] * (window["kernel_size"][axis] - 1) + 1
        covered = (pooled[axis] - 1) * window["stride"][axis] + reach
        before = window["padding"][axis]
        amounts += [before, covered - size[axis] - before]
    return amounts


def _windows(x: torch.Tensor, value: float, **window: Any) -> torch.Tensor:
    """Every window's pixels, with ``value`` around the image: [N, C, kh*kw, H', W']."""
    pooled = _infer_pool(Spec(tuple(x.shape), x.dtype), **window).sizes
    canvas = pad.forward(x, padding=margins(x.shape[2:], pooled[2:], **window), value=value)
    columns = tensor_functions.unfold(
        canvas, window["kernel_size"], window["dilation"], 0, window["stride"]
    )
    return columns.reshape(*pooled[:2], -1, *pooled[2:])


def _unwindow(windows: torch.Tensor, size: Sequence[int], **window: Any) -> torch.Tensor:
    """Add windows' pixels back to an image: the adjoint of :func:`_windows`."""
    n, _, _, *pooled = windows.shape
    left, right, top, bottom = margins(size, pooled, **window)
    canvas = tensor_functions.fold(
        windows.reshape(n, -1, pooled[0] * pooled[1]),
        (size[0] + top + bottom, size[1] + left + right),
        window["kernel_size"],
        window["dilation"],
        0,
        window["stride"],
    )
    return pad.forward(canvas, padding=[-left, -right, -top, -bottom])


def _chosen(chooser: torch.Tensor, **window: Any) -> torch.Tensor:
    """The index of the first maximum in each window."""
    return _windows(chooser, -torch.inf, **window).argmax(2, keepdim=True)


def _select(
    input: torch.Tensor, chooser: torch.Tensor, *, kernel_size: Pair, stride: Pair, padding: Pair,
    dilation: Pair, ceil_mode: bool,
) -> torch.Tensor:  # fmt: skip
    """Per window, the pixel of ``input`` where ``chooser`` has its first maximum.

    Two images [N, C, H, W] of one shape in, [N, C, H', W'] out."""
    window = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    return _windows(input, 0.0, **window).gather(2, _chosen(chooser, **window)).squeeze(2)


def _route(
    input: torch.Tensor, chooser: torch.Tensor, *, kernel_size: Pair, stride: Pair, padding: Pair,
    dilation: Pair, ceil_mode: bool,
) -> torch.Tensor:  # fmt: skip
    """Add each window's value to the pixel where ``chooser`` has its first maximum.

    The adjoint of ``pool_select``: [N, C, H', W'] and a chooser [N, C, H, W] to [N, C, H, W]."""
    window = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    count = kernel_size[0] * kernel_size[1]
    n, c, *pooled = input.shape
    routed = input.new_zeros((n, c, count, *pooled))
    routed.scatter_(2, _chosen(chooser, **window), input.unsqueeze(2))
    return _unwindow(routed, chooser.shape[2:], **window)


def _select_vjp(
    gradient: Node, y: Node, x: Node, chooser: Node, **window: Any
) -> tuple[Node, None]:
    return pool_route(gradient, chooser, **window), None


pool_select = operator(
    "pool_select",
    infer=_infer_select,
    forward=_select,
    vjp=_select_vjp,
    no_gradient=("chooser",),
)

pool_route = operator(
    "pool_route",
    infer=_infer_route,
    forward=_route,
    vjp=lambda gradient, y, x, chooser, **window: (pool_select(gradient, chooser, **window), None),
    no_gradient=("chooser",),
)

_max_pool2d = operator(
    "max_pool2d",
    infer=_infer_pool,
    forward=lambda input, *, kernel_size, stride, padding, dilation, ceil_mode: _windows(
        input,
        -torch.inf,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    ).amax(2),
    vjp=lambda gradient, y, x, **window: pool_route(gradient, x, **window),
)


def _sum_vjp(gradient: Node, y: Node, x: Node, **window: Any) -> Node:
    return sum_pool2d_adjoint(gradient, size=x.shape[2:], **window)


sum_pool2d = operator(
    "sum_pool2d",
    infer=_infer_pool,
    forward=lambda input, *, kernel_size, stride, padding, dilation, ceil_mode: _windows(
        input,
        0.0,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    ).sum(2),
    vjp=_sum_vjp,
    doc="""The sum of each window: images [N, C, H, W] to [N, C, H', W']. See ``avg_pool2d``.""",
)


def _repeat_over_windows(
    input: torch.Tensor, *, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair,
    dilation: Pair, ceil_mode: bool,
) -> torch.Tensor:  # fmt: skip
    """Add each value to every pixel of its window: the adjoint of ``sum_pool2d``.

    [N, C, H', W'] in, [N, C, H, W] out, ``size`` being (H, W)."""
    n, c, *pooled = input.shape
    windows = input.unsqueeze(2).expand(n, c, kernel_size[0] * kernel_size[1], *pooled)
    return _unwindow(
        windows, size, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode,
    )  # fmt: skip


sum_pool2d_adjoint = operator(
    "sum_pool2d_adjoint",
    infer=_infer_sum_adjoint,
    forward=_repeat_over_windows,
    vjp=lambda gradient, y, x, *, size, **window: sum_pool2d(gradient, **window),
)


def max_pool2d(
    input: Node,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> Node:
    """The maximum of each window, as ``torch.nn.functional.max_pool2d``.

    Args:
        input: images [N, C, H, W].
        kernel_size: of the windows, an int or (vertical, horizontal).
        stride: between windows; None means kernel_size.
        padding: -inf around the image, at most half of kernel_size.
        dilation: between a window's pixels.
        ceil_mode: count a last, partial window too.

    Returns:
        Images [N, C, H', W']. The gradient goes to the first maximum of each window.
    """
    window = _window("max_pool2d", input, kernel_size, stride, padding, dilation)
    return _max_pool2d(*as_nodes([input]), **window, ceil_mode=ceil_mode)


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
        ceil_mode: count a last, partial window too.
        count_include_pad: whether the padding counts in the mean.
        divisor_override: divide the sum of each window by this instead; not 0.

    Returns:
        Images [N, C, H', W'].
    """
    window = _window("avg_pool2d", input, kernel_size, stride, padding, 1)
    (x,) = as_nodes([input])
    total = sum_pool2d(x, **window, ceil_mode=ceil_mode)
    if divisor_override is not None:
        if not divisor_override:
            error = SpecError("expected a divisor_override other than 0")
            raise located(error, "avg_pool2d", [input], window)
        return total / divisor_override
    if not ceil_mode and (count_include_pad or window["padding"] == (0, 0)):
        return total / (window["kernel_size"][0] * window["kernel_size"][1])
    ones = full(value=1.0, shape=(1, 1, *x.shape[2:]), dtype=x.dtype)
    if not count_include_pad:
        return total / sum_pool2d(ones, **window, ceil_mode=ceil_mode)
    top, left = window["padding"]
    border = pad(ones, padding=(left, left, top, top), value=1.0)
    counts = sum_pool2d(border, **window | {"padding": (0, 0)}, ceil_mode=ceil_mode)
    for axis in (2, 3):  # without the windows that start in the padding after the image
        counts = slice(counts, axis, 0, total.shape[axis])
    return total / counts


def _window(
    name: str, input: Node, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> dict[str, Pair]:
    stride = kernel_size if stride is None else stride
    return pairs(
        name, [input], kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation
    )
