"""What two shots of one scene differ by: noise, and nothing else if nothing else changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

LAGS = (1, 2, 3)
BINS = 20
FEWEST_IN_BIN = 100
BLOCK = 16
SMOOTH_SHARE, FEWEST_BLOCKS = 0.1, 20


@dataclass(frozen=True)
class NoiseOfPair:
    """The noise of one shot, estimated from the difference of two, in the numbers of the files.

    Attributes:
        sigma: standard deviation, by channel.
        along_rows, along_columns: correlation of the noise of pixels 1, 2 and 3 apart.
        as_shot: correlation of direct neighbours before the brightness was matched. It exceeds
            ``correlation`` where the brightness drifts, and training sees the shots that way.
        shared_at_most: upper bound on the correlation of the two shots' noise with one another;
            fine texture of the scene looks the same.
        dark_variance, slope: offset and slope of the variance as a line over the brightness.
    """

    sigma: tuple[float, ...]
    along_rows: tuple[float, ...]
    along_columns: tuple[float, ...]
    as_shot: float
    shared_at_most: float
    dark_variance: float
    slope: float

    @property
    def correlation(self) -> float:
        """Correlation of direct neighbours, in the direction in which it is larger."""
        return max(self.along_rows[0], self.along_columns[0])


def noise_of_pair(first: np.ndarray, second: np.ndarray) -> NoiseOfPair:
    """The noise of two shots (C, H, W), after matching their brightness.

    The variance of the difference is twice that of a shot. It contains nothing of the scene, unless
    the scene moved.
    """
    first = first.astype(np.float64)
    as_shot = first - second
    second = second * _gain(first, second)
    difference = (first - second) / 2**0.5
    variance_line = _line(_variance_over_brightness(first, second))
    return NoiseOfPair(
        sigma=tuple(float(channel.std()) for channel in difference),
        along_rows=tuple(correlation_of_neighbours(difference, lag, axis=2) for lag in LAGS),
        along_columns=tuple(correlation_of_neighbours(difference, lag, axis=1) for lag in LAGS),
        as_shot=max(correlation_of_neighbours(as_shot, 1, axis) for axis in (1, 2)),
        # The lowest bound: a channel without texture tells more than one with texture.
        shared_at_most=min(map(_shared_at_most, first, second)),
        dark_variance=variance_line[0],
        slope=variance_line[1],
    )


def _gain(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """By channel, the ratio of means that matches the second's brightness, unaffected by noise."""
    means = second.mean((1, 2), dtype=np.float64, keepdims=True)
    return np.divide(
        first.mean((1, 2), keepdims=True), means, out=np.ones_like(means), where=means > 0
    )


def correlation_of_neighbours(noise: np.ndarray, lag: int, axis: int) -> float:
    """Correlation of pixels of (C, H, W) ``lag`` apart along an axis, the mean over channels."""
    noise = noise - noise.mean((1, 2), keepdims=True)
    size = noise.shape[axis]
    if lag >= size:
        return 0.0
    products = noise.take(range(lag, size), axis) * noise.take(range(size - lag), axis)
    variances = (noise**2).mean((1, 2))
    shares = products.mean((1, 2))[variances > 0] / variances[variances > 0]
    return float(shares.mean()) if len(shares) else 0.0


def _variance_over_brightness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(brightness, variance, count) of pixels of similar brightness, one row per bin.

    The brightness is the smoothed mean of both shots. Pixels that are clipped in either, or near a
    clipped one, are left out, because their variance is not the noise's; if that leaves too few,
    all count.
    """
    sums, halves = (first + second) / 2, (first - second) ** 2 / 2
    clipped = np.zeros(first.shape, dtype=bool)
    for shot in (first, second):
        edges = shot.min((1, 2), keepdims=True), shot.max((1, 2), keepdims=True)
        clipped |= (shot == edges[0]) | (shot == edges[1])
    smooth = np.stack([uniform_filter(channel, 5) for channel in sums])
    near_clipped = np.stack([uniform_filter(c.astype(np.float32), 5) > 0.01 for c in clipped])
    brightness, variance = smooth[~near_clipped], halves[~near_clipped]
    if len(brightness) < 2 * FEWEST_IN_BIN:
        brightness, variance = smooth.ravel(), halves.ravel()
    # Bins of equal width, not of equal count: in a dark picture the few bright ones tell the slope.
    edges_of_bins = np.linspace(brightness.min(), brightness.max(), BINS + 1)
    which = np.clip(np.searchsorted(edges_of_bins, brightness, side="right") - 1, 0, BINS - 1)
    counts = np.bincount(which, minlength=BINS)
    kept = counts >= FEWEST_IN_BIN
    totals = [np.bincount(which, values, minlength=BINS)[kept] for values in (brightness, variance)]
    return np.stack([*(total / counts[kept] for total in totals), counts[kept]], axis=1)


def _line(bins: np.ndarray) -> tuple[float, float]:
    """Offset and slope of variance over brightness, each bin weighted by its precision."""
    if len(bins) < 2:
        return (float(bins[0, 1]), 0.0) if len(bins) else (0.0, 0.0)
    brightness, variance, count = bins.T
    # The standard error of a variance is proportional to the variance itself.
    weights = np.sqrt(count) / np.maximum(variance, variance.mean() * 1e-3)
    slope, offset = np.polyfit(brightness, variance, 1, w=weights)
    return float(offset), float(slope)


def _shared_at_most(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of fine detail between two shots (H, W), where the scene is smooth.

    Fine detail means second differences in both directions, as in Immerkaer, "Fast Noise Variance
    Estimation", 1996: next to nothing of a smooth scene is left in them.
    """
    details = [np.diff(np.diff(shot, 2, axis=0), 2, axis=1) for shot in (first, second)]
    if min(first.shape) < BLOCK + 2:
        return 0.0
    shared = _blocks(details[0] * details[1])
    powers = [_blocks(detail**2) for detail in details]
    slopes = np.gradient(gaussian_filter((first + second) / 2, 3)[1:-1, 1:-1])
    roughness = _blocks(slopes[0] ** 2 + slopes[1] ** 2) / (powers[0] + powers[1] + 1e-12)
    chosen = np.argsort(roughness)[: max(FEWEST_BLOCKS, int(SMOOTH_SHARE * len(roughness)))]
    power = (powers[0][chosen].sum() * powers[1][chosen].sum()) ** 0.5
    return float(shared[chosen].sum() / power) if power else 0.0


def _blocks(values: np.ndarray) -> np.ndarray:
    """Means of the whole blocks of (H, W), flattened."""
    rows, columns = (size // BLOCK for size in values.shape)
    whole = values[: rows * BLOCK, : columns * BLOCK]
    return whole.reshape(rows, BLOCK, columns, BLOCK).mean((1, 3)).ravel()
