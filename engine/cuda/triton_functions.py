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
