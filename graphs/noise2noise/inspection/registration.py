"""How far shots are shifted against one another, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

from graphs.noise2noise.images import middle

FINE, COARSE = 2.0, 24.0
STEPS_A_PIXEL = 20
MOST_ROWS = 1024
SURE = 3.0
"""Standard errors by which two positions must differ to be different for certain."""

ROUNDS = 3
"""How often two shots are registered, less being left to find each time."""


class Shift(NamedTuple):
    """How many pixels a picture lies further down and to the right than another.

    ``uncertainty`` is how much parts of the picture disagree: roughly the standard error.
    """

    rows: float
    columns: float
    uncertainty: float


def positions(shots: Sequence[np.ndarray]) -> tuple[Shift, ...]:
    """The position of each of several shots (H, W) relative to the mean position.

    Each is registered to the mean of the others, which has less noise than a single shot and shares
    none with it. The mean of the others lies k / (k - 1) times as far from a shot as the mean of
    all.
    """
    total = np.sum(shots, axis=0, dtype=np.float64)
    share = (len(shots) - 1) / len(shots)
    shifts = (shift_between((total - shot) / (len(shots) - 1), shot) for shot in shots)
    return tuple(Shift._make(share * value for value in shift) for shift in shifts)


def misalignment(found: Sequence[Shift]) -> float:
    """Pixels between the two shots furthest apart, among pairs whose distance is certain."""
    certain = (distance(a, b) for a, b in combinations(found, 2) if _differ(a, b))
    return max(certain, default=0.0)


def largest_uncertain(found: Sequence[Shift]) -> float:
    """Pixels that two shots may lie apart without a certain sign of it."""
    return max(SURE * float(np.hypot(a.uncertainty, b.uncertainty)) for a, b in pairwise(found))


def distance(a: Shift, b: Shift) -> float:
    """Pixels between two positions."""
    return float(np.hypot(a.rows - b.rows, a.columns - b.columns))


def _differ(a: Shift, b: Shift) -> bool:
    return distance(a, b) > SURE * float(np.hypot(a.uncertainty, b.uncertainty))


def shift_between(first: np.ndarray, second: np.ndarray) -> Shift:
    """The shift of the second picture relative to the first, both (H, W).

    The peak of the cross-correlation, upsampled (Guizar-Sicairos, Thurman and Fienup, "Efficient
    subpixel image registration algorithms", 2008; scikit-image). First, detail too fine to survive
    the noise and slow shading are removed, and the edges, which never move, are faded out. The
    quarters of the picture are registered too: their disagreement tells how far to trust the whole.
    """
    first, second = middle(first, MOST_ROWS), middle(second, MOST_ROWS)
    size = float(max(first.shape))
    if _is_plain(first) or _is_plain(second):
        return Shift(0.0, 0.0, size)
    whole = _register(first, second)
    differences = [
        size if _is_plain(a) or _is_plain(b) else np.abs(_register(a, b) - whole).max()
        for a, b in zip(_quarters(first), _quarters(second), strict=True)
    ]
    rows, columns = whole.tolist()
    # 1.48 turns a median into a standard deviation; half, for a quarter has a fourth of the pixels.
    return Shift(rows, columns, 1.48 * float(np.median(differences)) / 2)


def whole_shifts(shots: Sequence[np.ndarray]) -> np.ndarray:
    """How many whole pixels each shot (H, W) lies further down and to the right than the first.

    Each is registered to the first one and then, cut to what all show, to the sum of the others,
    which has less noise. Returns (k, 2) integers.
    """
    shots = [middle(shot, MOST_ROWS) for shot in shots]
    found = np.array([_from_first(shots[0], shot) for shot in shots])
    first = 0 if len(shots) > 2 else 1  # if both of two moved, they would pass each other
    parts = common_parts(shots, found)
    total = np.sum(parts, axis=0)
    found[first:] += [_whole_shift(total - part, part) for part in parts[first:]]
    return found - found[0]


def _from_first(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Registered again and again, cut to what both show: faded edges make shifts seem smaller."""
    found = np.zeros((2, 2), int)
    for _ in range(ROUNDS):
        left = _whole_shift(*common_parts((first, second), found))
        if not left.any():
            break
        found[1] += left
    return found[1]


def common_parts(shots: Sequence[np.ndarray], shifts: np.ndarray) -> list[np.ndarray]:
    """What all shots (..., H, W) show, given their shifts in whole pixels (k, 2)."""
    corners = shifts - shifts.min(0)
    height, width = np.array(shots[0].shape[-2:]) - corners.max(0)
    return [
        shot[..., top : top + height, left : left + width]
        for shot, (top, left) in zip(shots, corners, strict=True)
    ]


def _whole_shift(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return _register(first, second, 1).round().astype(int)


def _is_plain(picture: np.ndarray) -> bool:
    """Whether a picture has nothing to register by."""
    return picture.size == 0 or bool(np.ptp(picture) == 0)


def _register(
    first: np.ndarray, second: np.ndarray, steps_a_pixel: int = STEPS_A_PIXEL
) -> np.ndarray:
    # Not normalised: frequencies that contain only noise would count as much as the others.
    shift, _, _ = phase_cross_correlation(
        _prepared(second),
        _prepared(first),
        upsample_factor=steps_a_pixel,
        normalization=None,
    )
    return np.asarray(shift)


def _prepared(picture: np.ndarray) -> np.ndarray:
    details = gaussian_filter(picture, FINE) - gaussian_filter(picture, COARSE)
    return details * np.outer(*(np.hanning(size) for size in picture.shape))


def _quarters(picture: np.ndarray) -> list[np.ndarray]:
    rows, columns = (size // 2 for size in picture.shape)
    return [
        picture[rows * i : rows * (i + 1), columns * j : columns * (j + 1)]
        for i in (0, 1)
        for j in (0, 1)
    ]
