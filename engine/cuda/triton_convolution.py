"""Convolutions as implicit matrix products: the matrix of windows exists only block by block.

Tensors may have any strides. All sizes and strides are compile-time constants, so that indices take
no real divisions. Source: Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning", 2014.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def product(a: tl.tensor, b: tl.tensor, total: tl.tensor, COMPUTE: tl.constexpr) -> tl.tensor:
    """``total + a @ b``, accumulated in float32."""
    if COMPUTE == "bfloat16":
        result = tl.dot(a.to(tl.bfloat16), b.to(tl.bfloat16), total)
    elif COMPUTE == "tf32":
        result = tl.dot(a, b, total, input_precision="tf32")
    else:
        result = tl.dot(a, b, total, input_precision="ieee")
    return result


@triton.jit
def correlated(
    x: tl.tensor, w: tl.tensor,
    PIXELS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    FILTERS: tl.constexpr, CHANNELS: tl.constexpr, KW: tl.constexpr, DEPTH: tl.constexpr,
    HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
    STRIDE_H: tl.constexpr, STRIDE_W: tl.constexpr,
    START_H: tl.constexpr, START_W: tl.constexpr,
    STEP_H: tl.constexpr, STEP_W: tl.constexpr,
    X_N: tl.constexpr, X_G: tl.constexpr, X_C: tl.constexpr, X_H: tl.constexpr, X_W: tl.constexpr,
    W_G: tl.constexpr, W_F: tl.constexpr, W_C: tl.constexpr, W_H: tl.constexpr, W_W: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr, BLOCK_FILTERS: tl.constexpr, BLOCK_DEPTH: tl.constexpr,
) -> tuple[tl.tensor, ...]:  # fmt: skip
    """y[n, g, f, r, s] = sum over c, i, j of w[g, f, c, i, j] x[n, g, c, h, v], where
    h = r STRIDE_H + START_H + i STEP_H and v likewise; x is 0 outside.

    Returns a block of y, pixels x filters, then its n, g, f, r, s, and a mask of what is in y."""
    group = tl.program_id(2)
    pixel = tl.program_id(0) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    f = tl.program_id(1) * BLOCK_FILTERS + tl.arange(0, BLOCK_FILTERS)
    n = (pixel // (ROWS * COLUMNS)).to(tl.int64)
    row, column = pixel // COLUMNS % ROWS, pixel % COLUMNS
    images = x + group * X_G + n * X_N
    weights = w + group * W_G + f * W_F
    total = tl.zeros((BLOCK_PIXELS, BLOCK_FILTERS), tl.float32)
    for first in range(0, DEPTH, BLOCK_DEPTH):
        k = first + tl.arange(0, BLOCK_DEPTH)
        c, i, j = k % CHANNELS, k // CHANNELS // KW, k // CHANNELS % KW
        h = (row * STRIDE_H + START_H)[:, None] + (i * STEP_H)[None, :]
        v = (column * STRIDE_W + START_W)[:, None] + (j * STEP_W)[None, :]
        there = (pixel < PIXELS)[:, None] & (k < DEPTH)[None, :]
        there = there & (h >= 0) & (h < HEIGHT) & (v >= 0) & (v < WIDTH)
        windows = images[:, None] + (h * X_H + v * X_W + (c * X_C)[None, :])
        taps = weights[None, :] + (c * W_C + i * W_H + j * W_W)[:, None]
        known = (k < DEPTH)[:, None] & (f < FILTERS)[None, :]
        a = tl.load(windows, mask=there, other=0.0)
        b = tl.load(taps, mask=known, other=0.0)
        total = product(a, b, total, COMPUTE)
    inside = (pixel < PIXELS)[:, None] & (f < FILTERS)[None, :]
    return total, n[:, None], group, f[None, :], row[:, None], column[:, None], inside


@triton.jit
def correlate_weight(
    dy: tl.tensor, x: tl.tensor, parts: tl.tensor,
    PIXELS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    FILTERS: tl.constexpr, CHANNELS: tl.constexpr, KW: tl.constexpr, DEPTH: tl.constexpr,
    HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
    STRIDE_H: tl.constexpr, STRIDE_W: tl.constexpr,
    START_H: tl.constexpr, START_W: tl.constexpr,
    STEP_H: tl.constexpr, STEP_W: tl.constexpr,
    X_N: tl.constexpr, X_G: tl.constexpr, X_C: tl.constexpr, X_H: tl.constexpr, X_W: tl.constexpr,
    Y_N: tl.constexpr, Y_G: tl.constexpr, Y_F: tl.constexpr, Y_H: tl.constexpr, Y_W: tl.constexpr,
    GROUPS: tl.constexpr, PIXELS_PER_PART: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr, BLOCK_FILTERS: tl.constexpr, BLOCK_DEPTH: tl.constexpr,
) -> None:  # fmt: skip
    """parts[p, g, f, i, j, c] = sum over the pixels of part p of dy[pixel, g, f] x[window, g, c].

    The sum over the parts is the gradient of ``correlated`` with respect to its weights."""
    blocks = tl.cdiv(DEPTH, BLOCK_DEPTH)
    f = tl.program_id(0) // blocks * BLOCK_FILTERS + tl.arange(0, BLOCK_FILTERS)
    k = tl.program_id(0) % blocks * BLOCK_DEPTH + tl.arange(0, BLOCK_DEPTH)
    part, group = tl.program_id(1), tl.program_id(2)
    c, i, j = k % CHANNELS, k // CHANNELS // KW, k // CHANNELS % KW
    total = tl.zeros((BLOCK_FILTERS, BLOCK_DEPTH), tl.float32)
    for first in range(0, PIXELS_PER_PART, BLOCK_PIXELS):
        pixel = part * PIXELS_PER_PART + first + tl.arange(0, BLOCK_PIXELS)
        n = (pixel // (ROWS * COLUMNS)).to(tl.int64)
        row, column = pixel // COLUMNS % ROWS, pixel % COLUMNS
        gradients = dy + group * Y_G + n * Y_N + row * Y_H + column * Y_W
        h = (row * STRIDE_H + START_H)[:, None] + (i * STEP_H)[None, :]
        v = (column * STRIDE_W + START_W)[:, None] + (j * STEP_W)[None, :]
        there = (pixel < PIXELS)[:, None] & (k < DEPTH)[None, :]
        there = there & (h >= 0) & (h < HEIGHT) & (v >= 0) & (v < WIDTH)
        windows = (x + group * X_G + n * X_N)[:, None] + (h * X_H + v * X_W + (c * X_C)[None, :])
        known = (f < FILTERS)[:, None] & (pixel < PIXELS)[None, :]
        a = tl.load(gradients[None, :] + (f * Y_F)[:, None], mask=known, other=0.0)
        b = tl.load(windows, mask=there, other=0.0)
        total = product(a, b, total, COMPUTE)
    filters = (part * GROUPS + group) * FILTERS + f
    result = (parts + filters * DEPTH)[:, None] + k[None, :]
    tl.store(result, total, mask=(f < FILTERS)[:, None] & (k < DEPTH)[None, :])
