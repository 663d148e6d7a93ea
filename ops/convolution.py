"""Convolution, its input gradient and its weight gradient, which are each other's derivatives.

Each is the derivative of the trilinear form ``<gradient, conv(x, w)>`` by one of its arguments, so
derivatives of any order stay among the three. They are computed with unfold, matmul and fold:

    y  = W X            X = unfold(x), W the weight as a matrix per group
    dx = fold(W' dy)
    dW = dy X'

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as tensor_functions  # for unfold and fold alone

from ops.dimension import Size, surely_differ
from ops.errors import SpecError
from ops.node import Node
from ops.operator import Operator, operator
from ops.spec import Spec, require_float, require_ndim
from ops.windows import Pair, output_size, require_images

ATTRIBUTES = ("stride", "padding", "dilation", "groups")


def _infer_conv2d(x: Spec, weight: Spec, *, groups: int, **window: Pair) -> Spec:
    require_images(x)
    require_float(weight)
    require_ndim(weight, 4, "a weight [C_out, C_in/groups, kh, kw]")
    if any(isinstance(size, int) and size < 1 for size in weight.shape):
        raise SpecError(f"expected a weight with elements, got {weight}")
    channels, per_group = x.shape[1], weight.shape[1] * groups
    if surely_differ(channels, per_group):
        raise SpecError(
            f"expected images of {per_group} channels for the weight {weight} in {groups} groups, "
            f"got {channels}"
        )
    if isinstance(weight.shape[0], int) and weight.shape[0] % groups:
        raise SpecError(
            f"expected output channels divisible into {groups} groups, got {weight.shape[0]}"
        )
    size = output_size(x.shape[2:], weight.shape[2:], **window)
    return x.with_shape((x.shape[0], weight.shape[0], *size))


def _infer_input_gradient(
    gradient: Spec, weight: Spec, *, size: tuple[Size, Size], groups: int, **window: Pair
) -> Spec:
    require_ndim(gradient, 4, "images [N, C_out, H, W]")
    require_ndim(weight, 4, "a weight [C_out, C_in/groups, kh, kw]")
    x = gradient.with_shape((gradient.shape[0], weight.shape[1] * groups, *size))
    _require_output(_infer_conv2d(x, weight, groups=groups, **window), gradient)
    return x


def _infer_weight_gradient(
    gradient: Spec, x: Spec, *, kernel_size: Pair, groups: int, **window: Pair
) -> Spec:
    require_ndim(gradient, 4, "images [N, C_out, H, W]")
    require_ndim(x, 4, "images [N, C_in, H, W]")
    weight = x.with_shape((gradient.shape[1], x.shape[1] // groups, *kernel_size))
    _require_output(_infer_conv2d(x, weight, groups=groups, **window), gradient)
    return weight


def _infer_rotated(weight: Spec) -> Spec:
    require_ndim(weight, 4, "a weight [C_out, C_in, kh, kw]")
    c_out, c_in, *kernel_size = weight.shape
    return weight.with_shape((c_in, c_out, *kernel_size))


def _require_output(expected: Spec, gradient: Spec) -> None:
    require_float(gradient)
    if any(map(surely_differ, expected.shape, gradient.shape)):
        raise SpecError(f"expected the convolution's output {expected}, got {gradient}")


def _columns(x: torch.Tensor, kernel_size: Pair, groups: int, **window: Pair) -> torch.Tensor:
    """Windows of x per group: [N, groups, C_in/groups * kh * kw, L]."""
    columns = tensor_functions.unfold(x, kernel_size, **window)
    return columns.unflatten(1, (groups, -1))


def _matrices(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The weight per group: [groups, C_out/groups, C_in/groups * kh * kw]."""
    return weight.reshape(groups, weight.shape[0] // groups, weight[0].numel())


def _conv2d_forward(
    input: torch.Tensor, weight: torch.Tensor, *, groups: int, **window: Pair
) -> torch.Tensor:
    columns = _columns(input, (weight.shape[2], weight.shape[3]), groups, **window)
    y = _matrices(weight, groups) @ columns
    size = output_size(input.shape[2:], weight.shape[2:], **window)
    return y.flatten(1, 2).unflatten(2, size)


def _input_gradient_forward(
    gradient: torch.Tensor, weight: torch.Tensor, *, size: Pair, groups: int, **window: Pair
) -> torch.Tensor:
    dy = gradient.flatten(2).unflatten(1, (groups, -1))
    columns = _matrices(weight, groups).transpose(1, 2) @ dy
    return tensor_functions.fold(columns.flatten(1, 2), size, tuple(weight.shape[2:]), **window)


def _weight_gradient_forward(
    gradient: torch.Tensor, input: torch.Tensor, *, kernel_size: Pair, groups: int, **window: Pair
) -> torch.Tensor:
    columns = _columns(input, kernel_size, groups, **window)
    dy = gradient.flatten(2).unflatten(1, (groups, -1))
    dw = (dy @ columns.transpose(2, 3)).sum(0)
    return dw.reshape(gradient.shape[1], input.shape[1] // groups, *kernel_size)


def _conv2d_vjp(gradient: Node, y: Node, x: Node, w: Node, **window: Any) -> tuple[Node, Node]:
    return (
        conv2d_input_gradient(gradient, w, size=x.shape[2:], **window),
        conv2d_weight_gradient(gradient, x, kernel_size=w.shape[2:], **window),
    )


def _input_gradient_vjp(
    gradient: Node, y: Node, dy: Node, w: Node, *, size: Any, **window: Any
) -> tuple[Node, Node]:
    return (
        convolution(gradient, w, **window),
        conv2d_weight_gradient(dy, gradient, kernel_size=w.shape[2:], **window),
    )


def _weight_gradient_vjp(
    gradient: Node, y: Node, dy: Node, x: Node, *, kernel_size: Any, **window: Any
) -> tuple[Node, Node]:
    return (
        convolution(x, gradient, **window),
        conv2d_input_gradient(dy, gradient, size=x.shape[2:], **window),
    )


convolution = operator(
    "conv2d",
    infer=_infer_conv2d,
    forward=_conv2d_forward,
    vjp=_conv2d_vjp,
    attributes=ATTRIBUTES,
)

conv2d_input_gradient = operator(
    "conv2d_input_gradient",
    infer=_infer_input_gradient,
    forward=_input_gradient_forward,
    vjp=_input_gradient_vjp,
    attributes=("size", *ATTRIBUTES),
    doc="""The gradient of ``conv2d`` by its input: ``fold(W' dy)``, linear in both arguments.

    Args: gradient [N, C_out, H', W'] of the output, weight [C_out, C_in/groups, kh, kw], and as
    attributes ``size`` (H, W) of the input and conv2d's pairs stride, padding, dilation and groups.
    Gives [N, C_in, H, W].""",
)

conv2d_weight_gradient = operator(
    "conv2d_weight_gradient",
    infer=_infer_weight_gradient,
    forward=_weight_gradient_forward,
    vjp=_weight_gradient_vjp,
    attributes=("kernel_size", *ATTRIBUTES),
    doc="""The gradient of ``conv2d`` by its weight: ``dy X'``, linear in both arguments.

    Args: gradient [N, C_out, H', W'] of the output, input [N, C_in, H, W], and as attributes
    ``kernel_size`` and conv2d's pairs stride, padding, dilation and groups.
    Gives [C_out, C_in/groups, kh, kw].""",
)

rotate_weight: Operator = operator(
    "rotate_weight",
    infer=_infer_rotated,
    forward=lambda input: input.flip(2, 3).transpose(0, 1),
    vjp=lambda gradient, y, x: rotate_weight(gradient),
    doc="""A weight [C_out, C_in, kh, kw] as [C_in, C_out, kh, kw], its taps rotated by 180 degrees.

    With it a convolution of stride 1 is an input gradient, and the other way around.""",
)
