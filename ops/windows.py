"""Sliding windows over images: ``unfold`` gathers them into columns, ``fold`` is its adjoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import torch.nn.functional as tensor_functions  # for unfold and fold alone

from ops.arguments import as_nodes, named_in_errors
from ops.dimension import Size, surely_differ, to_shape
from ops.errors import SpecError
from ops.node import Node
from ops.operator import operator
from ops.spec import Spec, require_float, require_ndim

S = TypeVar("S", int, Size)
Pair = tuple[int, int]
ATTRIBUTES = ("kernel_size", "dilation", "padding", "stride")


def to_pair(value: int | Iterable[int], what: str, least: int) -> Pair:
    """An int or a pair of ints as a pair (vertical, horizontal), each at least ``least``.

    Raises:
        SpecError: it is anything else.
    """
    pair = tuple(value) if isinstance(value, Iterable) else (value, value)
    if len(pair) != 2 or not all(type(v) is int and v >= least for v in pair):
        raise SpecError(f"expected {what} of at least {least}, an int or a pair, got {value!r}")
    return pair


def pairs(**values: Any) -> dict[str, Pair]:
    """Window attributes as pairs, at least 0 for a padding and at least 1 for all others.

    Raises:
        SpecError: one is anything else.
    """
    return {
        key: to_pair(value, key, 0 if key.endswith("padding") else 1)
        for key, value in values.items()
    }


def window_count(size: S, kernel: S, stride: int, padding: int, dilation: int) -> S:
    """How many windows fit along an axis: ``(size + 2p - d(k - 1) - 1) // s + 1``.

    Raises:
        SpecError: none fits.
    """
    reach = dilation * (kernel - 1) + 1
    padded = size + 2 * padding
    room = padded - reach
    if isinstance(room, int) and room < 0:
        raise SpecError(f"a window of {reach} does not fit in {padded} (size {size}, padded)")
    return room // stride + 1


def output_size(
    size: Sequence[S], kernel_size: Sequence[S], stride: Pair, padding: Pair, dilation: Pair
) -> tuple[S, S]:
    """Number of rows and columns of windows in an image of this many rows and columns."""
    rows, columns = (
        window_count(size[i], kernel_size[i], stride[i], padding[i], dilation[i]) for i in range(2)
    )
    return rows, columns


def require_images(spec: Spec) -> None:
    """Refuse anything but images with at least one channel and one pixel, however many."""
    require_float(spec)
    require_ndim(spec, 4, "images [N, C, H, W]")
    if any(isinstance(size, int) and size < 1 for size in spec.shape[1:]):
        raise SpecError(f"expected images of at least one channel and one pixel, got {spec}")


def _infer_unfold(spec: Spec, *, kernel_size: Pair, **window: Pair) -> Spec:
    require_images(spec)
    height, width = output_size(spec.shape[2:], kernel_size, **window)
    channels = spec.shape[1] * kernel_size[0] * kernel_size[1]
    return spec.with_shape((spec.shape[0], channels, height * width))


def _infer_fold(
    spec: Spec, *, output_size: tuple[Size, Size], kernel_size: Pair, **window: Pair
) -> Spec:
    require_float(spec)
    require_ndim(spec, 3, "columns [N, C*kh*kw, L]")
    channels = spec.shape[1] // (kernel_size[0] * kernel_size[1])
    image = spec.with_shape((spec.shape[0], channels, *output_size))
    expected = _infer_unfold(image, kernel_size=kernel_size, **window)
    if any(map(surely_differ, expected.shape, spec.shape)):
        raise SpecError(f"expected columns {expected} for an image {image}, got {spec}")
    return image


def _fold_vjp(gradient: Node, y: Node, x: Node, *, output_size: Any, **window: Pair) -> Node:
    return _unfold(gradient, **window)


def _unfold_vjp(gradient: Node, y: Node, x: Node, **window: Pair) -> Node:
    return _fold(gradient, output_size=x.shape[2:], **window)


_unfold = operator(
    "unfold",
    infer=_infer_unfold,
    forward=lambda input, **window: tensor_functions.unfold(input, **window),
    vjp=_unfold_vjp,
    attributes=ATTRIBUTES,
)

_fold = operator(
    "fold",
    infer=_infer_fold,
    forward=lambda input, **window: tensor_functions.fold(input, **window),
    vjp=_fold_vjp,
    attributes=("output_size", *ATTRIBUTES),
)


@named_in_errors
def unfold(
    input: Node,
    kernel_size: int | Pair,
    dilation: int | Pair = 1,
    padding: int | Pair = 0,
    stride: int | Pair = 1,
) -> Node:
    """Gather every window of an image into a column.

    Args:
        input: images [N, C, H, W].
        kernel_size, dilation, padding, stride: of the windows; an int or (vertical, horizontal).

    Returns:
        Columns [N, C*kh*kw, L], L the number of windows, as ``torch.nn.functional.unfold``.
    """
    window = pairs(
        kernel_size=kernel_size,
        dilation=dilation,
        padding=padding,
        stride=stride,
    )
    return _unfold(*as_nodes([input]), **window)


@named_in_errors
def fold(
    input: Node,
    output_size: int | tuple[Size, Size],
    kernel_size: int | Pair,
    dilation: int | Pair = 1,
    padding: int | Pair = 0,
    stride: int | Pair = 1,
) -> Node:
    """Add columns back into an image, where their windows were: the adjoint of :func:`unfold`.

    Args:
        input: columns [N, C*kh*kw, L].
        output_size: (H, W) of the images, or an int for both.
        kernel_size, dilation, padding, stride: of the windows; an int or (vertical, horizontal).

    Returns:
        Images [N, C, H, W], as ``torch.nn.functional.fold``.
    """
    window = pairs(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)
    both = (output_size, output_size) if isinstance(output_size, int) else output_size
    image = to_shape(both)
    if len(image) != 2:
        raise SpecError(f"expected output_size (H, W), got {output_size!r}")
    return _fold(*as_nodes([input]), output_size=image, **window)
