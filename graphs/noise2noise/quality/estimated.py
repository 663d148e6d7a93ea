"""The error of a denoiser, estimated without any clean picture.

Take two shots y1 = x + n1 and y2 = x + n2 of one scene x, whose noise has mean zero and is
independent between the shots. If a denoiser f has not been trained on these shots, f(y1) depends on
n1 but not on n2, so the product of f(y1) - x and n2 has mean zero:

    E[(f(y1) - y2)^2] = E[(f(y1) - x)^2] + E[n2^2]
    E[(f(y2) - y1)^2] = E[(f(y2) - x)^2] + E[n1^2]
    E[(y1 - y2)^2]    = E[n1^2] + E[n2^2]

Half the sum of the first two minus half of the third is the mean error of the two results. The
noise levels need not be known, and may differ from shot to shot and from pixel to pixel.

What breaks it:

- Noise shared by the two shots (a fixed pattern, a slow flicker), of covariance c = E[n1 n2]: the
  estimate is the error plus c - E[(f(y1) - x) n2] - E[(f(y2) - x) n1]. A denoiser that removes all
  noise looks worse than it is by c, one that leaves all of it looks better by c.
- A scene that moves or changes its brightness between the shots: the change counts as error. A
  factor g between the shots adds half of (1 - g)^2 E[x^2].
- Clipping: noise clipped at black or white does not have mean zero there.

Noise correlated between neighbouring pixels of one shot biases nothing. It leaves fewer independent
values, which is why the bootstrap draws blocks of pixels rather than pixels.

Source of the idea: Lehtinen et al., "Noise2Noise", 2018, whose loss is the first term. Source of
the interval: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval,
drawing blocks as in Kuensch, "The Jackknife and the Bootstrap for General Stationary Observations",
1989).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

SMALLEST_BLOCK, LARGEST_BLOCK, BLOCKS_A_SIDE = 8, 64, 16
RESAMPLES_AT_ONCE = 100


class HeldOutPair(NamedTuple):
    """Two shots (C, H, W) of one scene and what a denoiser made of each."""

    first: torch.Tensor
    second: torch.Tensor
    first_restored: torch.Tensor
    second_restored: torch.Tensor


@dataclass(frozen=True)
class EstimatedQuality:
    """The quality of a denoiser, estimated from noisy pictures alone.

    Attributes:
        error: estimated mean squared error, averaged over pictures; can be negative by chance.
        psnr: estimated PSNR in dB, averaged over pictures.
        low, high: the bootstrap interval of ``psnr``. It covers the randomness both of the noise
            and of the places shown, so it tends to be too wide rather than too narrow.
        level: the interval's level.
    """

    error: float
    psnr: float
    low: float
    high: float
    level: float


def estimate_quality(
    pairs: Sequence[HeldOutPair],
    *,
    peak: float = 1.0,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> EstimatedQuality:
    """The estimated PSNR of a denoiser on pairs that it has not been trained on.

    A picture's estimated error is never taken to be smaller than its own standard error, so that
    chance makes no PSNR infinite.

    Args:
        pairs: held-out shots and results.
        peak: the value of white.
        level: of the interval.
        resamples: how many to draw for the interval.
        seed: for drawing them.
    """
    blocks = [_block_means(_error_map(pair)) for pair in pairs]
    errors = torch.stack([means.mean() for means in blocks])
    floors = torch.stack([_standard_error(means) for means in blocks])
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.stack([_resampled(means, resamples, generator) for means in blocks])
    bounds = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = _psnr(drawn, floors[:, None], peak).mean(0).quantile(bounds).tolist()
    return EstimatedQuality(
        error=float(errors.mean()),
        psnr=float(_psnr(errors, floors, peak).mean()),
        low=low,
        high=high,
        level=level,
    )


def _error_map(pair: HeldOutPair) -> torch.Tensor:
    """What each pixel contributes to the estimate, (H, W), averaged over channels."""
    first, second = pair.first.double(), pair.second.double()
    crossed = (pair.first_restored.double() - second).square()
    crossed += (pair.second_restored.double() - first).square()
    return (crossed - (first - second).square()).mean(0) / 2


def _block_means(values: torch.Tensor) -> torch.Tensor:
    """Means of square blocks of (H, W), flattened.

    Rows and columns that do not fill a block are left out: they are few, but would count as much as
    a whole block.
    """
    side = min(max(min(values.shape) // BLOCKS_A_SIDE, SMALLEST_BLOCK), LARGEST_BLOCK)
    side = min(side, *values.shape)
    rows, columns = (size // side for size in values.shape)
    whole = values[: rows * side, : columns * side]
    return whole.reshape(rows, side, columns, side).mean((1, 3)).flatten()


def _standard_error(means: torch.Tensor) -> torch.Tensor:
    return means.std(correction=min(1, len(means) - 1)) / len(means) ** 0.5


def _resampled(means: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """The means of ``count`` bootstrap samples, each of as many blocks, drawn with replacement."""
    parts = []
    for start in range(0, count, RESAMPLES_AT_ONCE):
        shape = (min(RESAMPLES_AT_ONCE, count - start), len(means))
        chosen = torch.randint(len(means), shape, generator=generator)
        parts.append(means[chosen].mean(1))
    return torch.cat(parts)


def _psnr(errors: torch.Tensor, floors: torch.Tensor, peak: float) -> torch.Tensor:
    least = torch.finfo(torch.float64).tiny
    return -10 * (errors.maximum(floors).clamp(min=least) / peak**2).log10()
