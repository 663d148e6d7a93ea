"""``conv2d`` and ``conv_transpose2d`` as users call them: with a bias and any padding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ops.arguments import as_nodes, named_in_errors, require_one_dtype
from ops.assembly import pad
from ops.convolution import conv2d_input_gradient, convolution
from ops.dimension import Size, surely_differ
from ops.errors import SpecError
from ops.node import Node
from ops.shape import reshape
from ops.spec import require_ndim
from ops.windows import Pair, pairs


@named_in_errors
def conv2d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Node:
    """Two-dimensional convolution (cross-correlation), as ``torch.nn.functional.conv2d``.

    ``y[n, o, i, j] = bias[o] + sum_(c, a, b) w[o, c, a, b] x[n, c, is + ad - p, js + bd - p]``

    Args:
        input: images [N, C_in, H, W].
        weight: [C_out, C_in/groups, kh, kw].
        bias: [C_out], or None.
        stride, dilation: an int or (vertical, horizontal).
        padding: zeros around the image: an int, a pair, ``"valid"`` for none, or ``"same"`` for an
            output of the input's size (stride 1 only; an odd total puts the extra zero last).
        groups: number of independent convolutions that the channels are split into.

    Returns:
        Images [N, C_out, H', W'] with ``H' = (H + 2p - d(kh - 1) - 1) // s + 1``.

    Raises:
        SpecError: shapes, dtypes or attributes do not fit.
    """
    x, w, *biases = _as_images(input, weight, bias)
    _require_groups(groups)
    _require_bias(biases, w.shape[0])
    if isinstance(padding, str):
        x = _pad_by_name(x, w, padding, stride, dilation)
        padding = 0
    window = pairs(stride=stride, padding=padding, dilation=dilation)
    return _add_bias(convolution(x, w, **window, groups=groups), biases)


@named_in_errors
def conv_transpose2d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
) -> Node:
    """Transposed convolution, as ``torch.nn.functional.conv_transpose2d``.

    It is the input gradient of the convolution with the same weight.

    Args:
        input: images [N, C_in, H, W].
        weight: [C_in, C_out/groups, kh, kw].
        bias: [C_out], or None.
        stride, padding, dilation: of the convolution it transposes; an int or a pair.
        output_padding: rows and columns added to one side; less than the stride or the dilation.
        groups: number of independent convolutions that the channels are split into.

    Returns:
        Images [N, C_out, H', W'] with ``H' = (H - 1)s - 2p + d(kh - 1) + output_padding + 1``.

    Raises:
        SpecError: shapes, dtypes or attributes do not fit.
    """
    x, w, *biases = _as_images(input, weight, bias)
    window = pairs(stride=stride, padding=padding, dilation=dilation)
    extra = pairs(output_padding=output_padding)["output_padding"]
    _require_groups(groups)
    _require_bias(biases, w.shape[1] * groups)
    if surely_differ(x.shape[1], w.shape[0]):
        raise SpecError(f"expected images of {w.shape[0]} channels, got {x.spec}")
    if any(map(_too_much, extra, window["stride"], window["dilation"])):
        raise SpecError("expected output_padding less than the stride or the dilation")
    size = tuple(
        (x.shape[2 + i] - 1) * window["stride"][i]
        - 2 * window["padding"][i]
        + window["dilation"][i] * (w.shape[2 + i] - 1)
        + extra[i]
        + 1
        for i in range(2)
    )
    if any(isinstance(s, int) and s < 1 for s in size):
        raise SpecError(f"expected an output of at least 1x1, got {size[0]}x{size[1]}")
    # With output_padding the convolution being transposed may have extra windows; x is 0 there.
    rows, columns = (e // s for e, s in zip(extra, window["stride"], strict=True))
    x = pad(x, padding=(0, columns, 0, rows)) if rows or columns else x
    return _add_bias(conv2d_input_gradient(x, w, size=size, **window, groups=groups), biases)


def _too_much(output_padding: int, stride: int, dilation: int) -> bool:
    return output_padding >= max(stride, dilation)


def _as_images(input: Node, weight: Node, bias: Node | None) -> tuple[Node, ...]:
    """The arguments as nodes of one dtype: images, a weight and, if there is one, a bias."""
    nodes = as_nodes([input, weight] if bias is None else [input, weight, bias])
    require_one_dtype(nodes)
    require_ndim(nodes[0].spec, 4, "images [N, C, H, W]")
    require_ndim(nodes[1].spec, 4, "a weight of channels, channels, rows, columns")
    return nodes


def _pad_by_name(x: Node, weight: Node, name: str, stride: Any, dilation: Any) -> Node:
    if name == "valid":
        return x
    if name != "same":
        raise SpecError(f"expected padding 'same', 'valid' or numbers, got {name!r}")
    window = pairs(stride=stride, dilation=dilation)
    if window["stride"] != (1, 1):
        raise SpecError(f"padding='same' works with stride 1 only, got {stride!r}")
    total = [d * (k - 1) for d, k in zip(window["dilation"], weight.shape[2:], strict=True)]
    padding = [amount for t in reversed(total) for amount in (t // 2, t - t // 2)]
    return pad(x, padding=padding)


def _require_groups(groups: int) -> None:
    if not isinstance(groups, int) or groups < 1:
        raise SpecError(f"expected at least 1 group, got {groups!r}")


def _require_bias(biases: Iterable[Node], channels: Size) -> None:
    for bias in biases:
        if bias.ndim != 1 or surely_differ(bias.shape[0], channels):
            raise SpecError(f"expected a bias [{channels}], got {bias.spec}")


def _add_bias(y: Node, biases: Iterable[Node]) -> Node:
    for bias in biases:
        y = y + reshape(bias, (1, -1, 1, 1))
    return y
