"""Functions in float32 that Triton lacks, or whose versions its interpreter cannot run."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def tanh(x: tl.tensor) -> tl.tensor:
    """Hyperbolic tangent, by its series where the quotient would suffer cancellation."""
    e = tl.exp(-2 * tl.abs(x))
    quotient = (1 - e) / (1 + e)
    square = x * x
    series = x * (1 - square * (1 / 3 - square * (2 / 15 - square * (17 / 315))))
    return tl.where(tl.abs(x) < 0.1, series, tl.where(x < 0, -quotient, quotient))


@triton.jit
def softplus(x: tl.tensor, beta: tl.tensor, threshold: tl.tensor) -> tl.tensor:
    """``log(1 + exp(beta * x)) / beta``; x where beta * x > threshold."""
    scaled = x * beta
    e = tl.exp(tl.where(scaled > threshold, threshold, scaled))
    # log(1 + e) with the rounding of 1 + e divided out (Goldberg, 1991, theorem 4).
    one_more = 1 + e
    soft = tl.where(one_more == 1, e, e * tl.log(one_more) / (one_more - 1))
    return tl.where(scaled > threshold, x, soft / beta)


@triton.jit
def add_parts(
    parts: tl.tensor, out: tl.tensor,
    PARTS: tl.constexpr, COUNT: tl.constexpr, DIVISOR: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    """out[i] = sum over p of parts[p, i], over DIVISOR; always added in the same order."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for first in range(0, PARTS, ROWS):
        part = first + tl.arange(0, ROWS)
        inside = (part < PARTS)[:, None] & (column < COUNT)[None, :]
        place = parts + part[:, None] * COUNT + column[None, :]
        total += tl.load(place, mask=inside, other=0.0)
    tl.store(out + column, tl.sum(total, 0) / DIVISOR, mask=column < COUNT)


@triton.jit
def separate(
    image: tl.tensor, out: tl.tensor,
    COUNT: tl.constexpr, CHANNELS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    X_N: tl.constexpr, X_C: tl.constexpr, X_H: tl.constexpr, X_W: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """out[n, (2a+b) CHANNELS + c, r, s] = image[n, c, 2 (r-a) + a, 2 (s-b) + b], or 0 outside.

    ``out`` has ROWS x COLUMNS pixels, its channels innermost; see ``separate_phases``."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    c, phase = i % CHANNELS, i // CHANNELS % 4
    s, r = i // (4 * CHANNELS) % COLUMNS, i // (4 * CHANNELS * COLUMNS) % ROWS
    n = (i // (4 * CHANNELS * COLUMNS * ROWS)).to(tl.int64)
    row, column = 2 * r - phase // 2, 2 * s - phase % 2
    inside = (row >= 0) & (row < 2 * ROWS - 2) & (column >= 0) & (column < 2 * COLUMNS - 2)
    place = image + n * X_N + c.to(tl.int64) * X_C
    place += row.to(tl.int64) * X_H + column.to(tl.int64) * X_W
    pixel = tl.load(place, mask=inside & (i < COUNT), other=0.0)
    tl.store(out + i, pixel, mask=i < COUNT)
