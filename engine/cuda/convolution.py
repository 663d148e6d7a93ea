"""Convolution, its two gradients and matrix products by one pair of Triton kernels, in float32.

All that computes an image is the correlation of :func:`engine.cuda.triton_convolution.correlate`:
a matrix product is one with a window of a single pixel, and an input gradient of stride s is s*s of
them, each for every s-th row and column, which is where the same taps of the weight meet the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch

from engine.cuda.launch import launch
from engine.kernels.kernel import Kernel, Run, in_sequence
from ops import Node, Spec

Tensors = Sequence[torch.Tensor]

PROGRAMS = 256
"""Aimed for when a sum is cut into parts: about two for each processor of a large GPU."""


@dataclass(frozen=True)
class Axis:
    """Where windows lie along an axis: tap i of window r at ``r * stride + start + i * step``."""

    stride: int = 1
    start: int = 0
    step: int = 1


def _axes(node: Node) -> tuple[Axis, Axis]:
    a = node.attributes
    rows, columns = (
        Axis(s, -p, d) for s, p, d in zip(a["stride"], a["padding"], a["dilation"], strict=True)
    )
    return rows, columns


def _grouped(images: torch.Tensor, groups: int) -> torch.Tensor:
    """[N, C, H, W] as [N, groups, C/groups, H, W]."""
    return images.unflatten(1, (groups, -1))


def correlation(
    x: torch.Tensor, w: torch.Tensor, y: torch.Tensor, axes: tuple[Axis, Axis], compute: str
) -> Run:
    """Correlate images with weights, per group.

    Args:
        x: images [N, G, C, H, W].
        w: weights [G, F, C, kh, kw].
        y: the result [N, G, F, H', W'].
        axes: where the windows lie along H and W.
        compute: "float32", "tf32" or "bfloat16", how products are multiplied.
    """
    if not y.numel() or not w.numel():
        return y.zero_
    from engine.cuda import triton_convolution

    n, groups, filters, rows, columns = y.shape
    block = {"PIXELS": 64, "FILTERS": _block(filters), "DEPTH": 32}
    constants = _geometry(x, y, axes, kernel_size=w.shape[3:])
    constants |= dict(zip(("W_G", "W_F", "W_C", "W_H", "W_W"), w.stride(), strict=True))
    grid = (-(-n * rows * columns // block["PIXELS"]), -(-filters // block["FILTERS"]), groups)
    return _launched(triton_convolution.correlate, grid, [x, w, y], constants, block, compute)


def weight_gradient(
    dy: torch.Tensor,
    x: torch.Tensor,
    dw: torch.Tensor,
    axes: tuple[Axis, Axis],
    compute: str,
    parts: Sequence[torch.Tensor],
) -> Run:
    """The gradient of :func:`correlation` by its weights.

    Args:
        dy: the gradient of the result [N, G, F, H', W'].
        x: images [N, G, C, H, W].
        dw: the result, contiguous [G, F, kh, kw, C].
        axes, compute: see :func:`correlation`.
        parts: scratch [parts, elements of dw], where the sum over pixels is cut into parts.
    """
    if not dy.numel():
        return dw.zero_
    from engine.cuda import triton_convolution

    n, groups, filters, rows, columns = dy.shape
    block = _weight_block(filters, dw[0, 0].numel())
    target, count = (parts[0], parts[0].shape[0]) if parts else (dw, 1)
    constants = _geometry(x, dy, axes, kernel_size=dw.shape[2:4])
    pixels = n * rows * columns
    per_part = -(-pixels // (count * block["PIXELS"])) * block["PIXELS"]
    constants |= {"GROUPS": groups, "PIXELS_PER_PART": per_part}
    grid = (_blocks(filters, dw[0, 0].numel(), block), count, groups)
    tensors = [dy, x, target]
    run = _launched(triton_convolution.correlate_weight, grid, tensors, constants, block, compute)
    if not parts:
        return run
    sizes = {"COUNT": dw.numel(), "PARTS": count, "BLOCK": 256}
    add = launch(triton_convolution.add_parts, [-(-dw.numel() // 256)], [target, dw], **sizes)
    return in_sequence([run, add])


def _geometry(
    x: torch.Tensor, y: torch.Tensor, axes: tuple[Axis, Axis], kernel_size: Sequence[int]
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
    result |= dict(zip(("Y_N", "Y_G", "Y_F", "Y_H", "Y_W"), y.stride(), strict=True))
    return result


def _launched(
    kernel: Any,
    grid: Sequence[int],
    tensors: Tensors,
    constants: dict[str, int],
    block: dict[str, int],
    compute: str,
) -> Run:
    blocks = {f"BLOCK_{name}": size for name, size in block.items()}
    return launch(kernel, grid, tensors, **constants, **blocks, COMPUTE=compute)


def _block(size: int, most: int = 64) -> int:
    """A power of two that tensor cores take, and not much more than is there."""
    return max(16, min(most, 1 << (size - 1).bit_length()))


def _weight_block(filters: int, depth: int) -> dict[str, int]:
    return {"PIXELS": 32, "FILTERS": _block(filters), "DEPTH": _block(depth)}


def _blocks(filters: int, depth: int, block: dict[str, int]) -> int:
    return -(-filters // block["FILTERS"]) * -(-depth // block["DEPTH"])


# The operators


def _conv2d(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, *, compute: str) -> Run:
    (x, w), groups = inputs, node.attributes["groups"]
    weights = w.unflatten(0, (groups, -1))
    return correlation(_grouped(x, groups), weights, _grouped(out, groups), _axes(node), compute)


def _input_gradient(
    node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, *, compute: str
) -> Run:
    (dy, w), groups = inputs, node.attributes["groups"]
    weights = w.unflatten(0, (groups, -1)).transpose(1, 2)
    phases = [
        list(_phases(axis, size, taps))
        for axis, size, taps in zip(_axes(node), out.shape[2:], w.shape[2:], strict=True)
    ]
    runs: list[Run] = []
    for rows, columns in product(*phases):
        image = out[:, :, rows.pixels, columns.pixels]
        taps = weights[:, :, :, rows.taps, columns.taps]
        if not taps.numel():
            runs.append(image.zero_)
            continue
        axes = (rows.axis, columns.axis)
        runs.append(correlation(_grouped(dy, groups), taps, _grouped(image, groups), axes, compute))
    return in_sequence(runs)


@dataclass(frozen=True)
class Phase:
    """Every s-th pixel along an axis, the taps that meet them, and where in the gradient."""

    pixels: slice
    taps: slice
    axis: Axis


def _phases(forward: Axis, size: int, taps: int) -> list[Phase]:
    """Tap i of window r has read pixel ``r * stride + start + i * step``: solved for r."""
    stride, apart = forward.stride, forward.stride // math.gcd(forward.stride, forward.step)
    result = []
    for first in range(min(stride, size)):
        meeting = [
            i for i in range(taps) if (first - forward.start - i * forward.step) % stride == 0
        ]
        tap = meeting[0] if meeting else taps
        start = (first - forward.start - tap * forward.step) // stride
        axis = Axis(1, start, -(apart * forward.step) // stride)
        result.append(Phase(slice(first, None, stride), slice(tap, None, apart), axis))
    return result


def _weight_gradient(
    node: Node, out: torch.Tensor, inputs: Tensors, parts: Tensors, *, compute: str
) -> Run:
    (dy, x), groups = inputs, node.attributes["groups"]
    dw = out.permute(0, 2, 3, 1).unflatten(0, (groups, -1))
    return weight_gradient(
        _grouped(dy, groups), _grouped(x, groups), dw, _axes(node), compute, parts
    )


def _parts(node: Node) -> Sequence[Spec]:
    """Scratch for the parts of the sum over pixels, so many that there is work for a large GPU."""
    n, filters, rows, columns = node.inputs[0].sizes
    groups, count = node.attributes["groups"], math.prod(node.sizes)
    depth = count // filters
    block = _weight_block(filters // groups, depth)
    blocks = groups * _blocks(filters // groups, depth, block)
    most = n * rows * columns // (4 * block["PIXELS"])
    parts = min(PROGRAMS // blocks, most)
    return [node.spec.with_shape((parts, count))] if parts > 1 else []


def _matmul(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, *, compute: str) -> Run:
    a, b = (x.expand(*out.shape[:-2], *x.shape[-2:]) for x in inputs)
    if out.ndim == 2:
        return _matrix_product(a[None], b[None], out[None], compute)
    if out.ndim == 3:
        return _matrix_product(a, b, out, compute)
    return in_sequence([_matrix_product(*m, compute) for m in zip(a, b, out, strict=True)])


def _matrix_product(a: torch.Tensor, b: torch.Tensor, y: torch.Tensor, compute: str) -> Run:
    """[G, M, K] @ [G, K, N]: images of one row of M pixels and K channels, N filters."""
    x, image = (matrix.mT[None, :, :, None, :] for matrix in (a, y))
    return correlation(x, b.mT[..., None, None], image, (Axis(), Axis()), compute)


def _supports(node: Node) -> bool:
    # What is the number of a block has to fit the axes of a grid, and an index 32 bits.
    small = all(math.prod(value.sizes[1:]) < 1 << 31 for value in (node, *node.inputs))
    groups = node.attributes.get("groups", math.prod(node.sizes[-3:-2]))
    return node.dtype == torch.float32 and node.ndim <= 4 and small and groups < 1 << 16


def kernels(compute: str) -> dict[str, Kernel]:
    """The kernels that multiply in ``compute``; see :func:`correlation`."""

    def kernel(prepare: Callable[..., Run], **workspace: Any) -> Kernel:
        name = f"Triton, implicit unfold, {compute}"
        return Kernel(name, partial(prepare, compute=compute), supports=_supports, **workspace)

    convolutions = {
        "conv2d": kernel(_conv2d),
        "conv2d_input_gradient": kernel(_input_gradient),
        "conv2d_weight_gradient": kernel(_weight_gradient, workspace=_parts),
    }
    # torch's own matrix product is better in float32, but knows nothing else for float32 values.
    return convolutions if compute == "float32" else convolutions | {"matmul": kernel(_matmul)}
