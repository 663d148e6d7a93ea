"""Correlations and their weight gradients by Triton kernels, for tensors of any strides.

Every matrix product here is one: convolutions, their input gradients, plain matrix products. A
result can pass through elementwise instructions before it is stored. Values are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.cuda.expression import Statements, kernel_source
from engine.cuda.launch import kernel_from, launch
from engine.cuda.reduction import add_parts
from engine.kernels.kernel import Run, in_sequence

Block = dict[str, int]

PROGRAMS = 512
"""Target number of programs: about four for each multiprocessor of a large GPU."""


@dataclass(frozen=True)
class Axis:
    """The windows along an axis: tap i of window r reads at ``r * stride + start + i * step``."""

    stride: int = 1
    start: int = 0
    step: int = 1


Axes = tuple[Axis, Axis]


def correlation(
    x: torch.Tensor,
    w: torch.Tensor,
    y: torch.Tensor,
    axes: Axes,
    compute: str,
    after: Statements | None = None,
) -> Run:
    """Correlate images with weights, per group.

    Args:
        x: images [N, G, C, H, W].
        w: weights [G, F, C, kh, kw], not empty.
        y: the result [N, G, F, H', W'].
        axes: the windows along H and W.
        compute: "float32", "tf32" or "bfloat16", how products are multiplied.
        after: what is computed from ``total``, the correlation, and stored in its place; its inputs
            are placed by :func:`place_in_block`.
    """
    n, groups, filters, rows, columns = y.shape
    if not y.numel():
        return lambda: None
    pixels = n * rows * columns
    # A larger block reads less, but there must be enough blocks to fill the GPU. Where one block is
    # the whole depth, there is no loop: too many values are live at once for the registers.
    block = {"PIXELS": 128 if pixels >= 128 * PROGRAMS else 64}
    block["DEPTH"] = 32 if w[0, 0].numel() > 32 else 16
    block["FILTERS"] = _power_of_two(filters)
    constants = _geometry(x, y, axes, w.shape[3:], block)
    constants |= dict(zip(("W_G", "W_F", "W_C", "W_H", "W_W"), w.stride(), strict=True))
    given = ", ".join(f"{name}={value}" for name, value in constants.items())
    lines, loaded, result = (
        (after.lines, after.loaded, after.result) if after else ([], [], "total")
    )
    call = f'correlated(x, w, {given}, COMPUTE="{compute}")'
    lines = [
        f"total, n, group, f, row, column, inside = {call}",
        *lines,
        f"tl.store(out + {place_in_block(y)}, {result}, mask=inside)",
    ]
    grid = (-(-pixels // block["PIXELS"]), -(-filters // block["FILTERS"]), groups)
    kernel = kernel_from(kernel_source(loaded, lines, operands=("x", "w")))
    return launch(kernel, grid, [x, w, *loaded, y])


def place_in_block(tensor: torch.Tensor) -> str:
    """Offsets of a result block's elements in a tensor [N, G, F, H', W'], as an expression."""
    indices = ("n", "group", "f", "row", "column")
    pairs = zip(indices, tensor.shape, tensor.stride(), strict=True)
    # Every index appears, so that the block has its full shape even where nothing varies.
    terms = (f"{index} * {stride if size > 1 else 0}" for index, size, stride in pairs)
    return f"({' + '.join(terms)})"


def weight_gradient(
    dy: torch.Tensor,
    x: torch.Tensor,
    dw: torch.Tensor,
    axes: Axes,
    compute: str,
    parts: Sequence[torch.Tensor],
) -> Run:
    """The gradient of :func:`correlation` with respect to its weights.

    Args:
        dy: the gradient of the result [N, G, F, H', W'].
        x: images [N, G, C, H, W].
        dw: the result, contiguous [G, F, kh, kw, C].
        axes, compute: see :func:`correlation`.
        parts: scratch [:func:`parts_of_sum`, elements of dw]; none if there is only one part.
    """
    if not dy.numel():
        return dw.zero_
    from engine.cuda import triton_convolution

    n, groups, filters, rows, columns = dy.shape
    depth = dw[0, 0].numel()
    block = _weight_block(filters, depth)
    target, count = (parts[0], parts[0].shape[0]) if parts else (dw, 1)
    constants = _geometry(x, dy, axes, dw.shape[2:4], block)
    constants |= dict(zip(("Y_N", "Y_G", "Y_F", "Y_H", "Y_W"), dy.stride(), strict=True))
    per_part = -(-n * rows * columns // (count * block["PIXELS"])) * block["PIXELS"]
    constants |= {"GROUPS": groups, "PIXELS_PER_PART": per_part}
    kernel, grid = triton_convolution.correlate_weight, (_blocks(filters, depth), count, groups)
    run = launch(kernel, grid, [dy, x, target], **constants, COMPUTE=compute)
    return in_sequence([run, add_parts(target, dw)]) if parts else run


def parts_of_sum(pixels: int, groups: int, filters: int, depth: int) -> int:
    """How many parts a weight gradient's sum is split into, so that a large GPU is kept busy.

    Args:
        pixels: pixels in all images of the result.
        groups, filters: number of groups, and of filters in each group.
        depth: elements of a filter.
    """
    most = pixels // (4 * _weight_block(filters, depth)["PIXELS"])
    return max(1, min(PROGRAMS // (groups * _blocks(filters, depth)), most))


def _geometry(
    x: torch.Tensor, y: torch.Tensor, axes: Axes, kernel_size: Sequence[int], block: Block
) -> dict[str, int]:
    n, _, filters, rows, columns = y.shape
    _, _, channels, height, width = x.shape
    kh, kw = kernel_size
    result = {
        "PIXELS": n * rows * columns, "ROWS": rows, "COLUMNS": columns,
        "FILTERS": filters, "CHANNELS": channels, "KW": kw, "DEPTH": kh * kw * channels,
        "HEIGHT": height, "WIDTH": width,
    }  # fmt: skip
    for name, axis in zip("HW", axes, strict=True):
        result |= {f"STRIDE_{name}": axis.stride, f"START_{name}": axis.start}
        result |= {f"STEP_{name}": axis.step}
    result |= dict(zip(("X_N", "X_G", "X_C", "X_H", "X_W"), x.stride(), strict=True))
    return result | {f"BLOCK_{name}": size for name, size in block.items()}


def _power_of_two(size: int) -> int:
    """A block size that tensor cores accept and that is not much larger than ``size``."""
    return max(16, min(64, 1 << (size - 1).bit_length()))


def _weight_block(filters: int, depth: int) -> Block:
    return {"PIXELS": 32, "FILTERS": _power_of_two(filters), "DEPTH": _power_of_two(depth)}


def _blocks(filters: int, depth: int) -> int:
    block = _weight_block(filters, depth)
    return -(-filters // block["FILTERS"]) * -(-depth // block["DEPTH"])
