"""Max pooling.

``max_pool2d`` chooses one pixel per window. ``pool_select`` reads the chosen pixels from an image,
``pool_route`` sends values back to them. Both are linear in their first argument and each other's
adjoint, so derivatives of any order stay in the family. The second argument, ``chooser``, decides
which pixels; no gradient flows through it.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ops.arguments import as_nodes, named_in_errors
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
from ops.spec import Spec, require_float, require_same_shape
from ops.windows import Pair


def _infer_select(spec: Spec, chooser: Spec, **window: Any) -> Spec:
    require_float(chooser)
    require_same_shape(spec, chooser)
    return infer_pool(spec, **window)


def _infer_route(spec: Spec, chooser: Spec, **window: Any) -> Spec:
    require_pooled(spec, infer_pool(chooser, **window))
    return chooser


def _chosen(chooser: torch.Tensor, **window: Any) -> torch.Tensor:
    """The index of the first maximum in each window."""
    return pool_windows(chooser, -torch.inf, **window).argmax(2, keepdim=True)


def _select(input: torch.Tensor, chooser: torch.Tensor, **window: Any) -> torch.Tensor:
    """Per window, the pixel of ``input`` where ``chooser`` has its first maximum.

    Two images [N, C, H, W] of one shape in, [N, C, H', W'] out."""
    return pool_windows(input, 0.0, **window).gather(2, _chosen(chooser, **window)).squeeze(2)


def _route(input: torch.Tensor, chooser: torch.Tensor, **window: Any) -> torch.Tensor:
    """Add each window's value to the pixel where ``chooser`` has its first maximum.

    The adjoint of ``pool_select``: [N, C, H', W'] and a chooser [N, C, H, W] to [N, C, H, W]."""
    n, c, *pooled = input.shape
    routed = input.new_zeros((n, c, math.prod(window["kernel_size"]), *pooled))
    routed.scatter_(2, _chosen(chooser, **window), input.unsqueeze(2))
    return unpool_windows(routed, chooser.shape[2:], **window)


def _select_vjp(
    gradient: Node, y: Node, x: Node, chooser: Node, **window: Any
) -> tuple[Node, None]:
    return pool_route(gradient, chooser, **window), None


pool_select = operator(
    "pool_select",
    infer=_infer_select,
    forward=_select,
    vjp=_select_vjp,
    attributes=ATTRIBUTES,
    no_gradient=("chooser",),
)

pool_route = operator(
    "pool_route",
    infer=_infer_route,
    forward=_route,
    vjp=lambda gradient, y, x, chooser, **window: (pool_select(gradient, chooser, **window), None),
    attributes=ATTRIBUTES,
    no_gradient=("chooser",),
)

_max_pool2d = operator(
    "max_pool2d",
    infer=infer_pool,
    forward=lambda input, **window: pool_windows(input, -torch.inf, **window).amax(2),
    vjp=lambda gradient, y, x, **window: pool_route(gradient, x, **window),
    attributes=ATTRIBUTES,
)


@named_in_errors
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
        ceil_mode: keep a partial window at the end; needs images of known size.

    Returns:
        Images [N, C, H', W']. The gradient goes to the first maximum of each window.
    """
    window = pool_attributes(kernel_size, stride, padding, dilation)
    return _max_pool2d(*as_nodes([input]), **window, ceil_mode=ceil_mode)
