"""Shots against a picture of their scene that is taken for clean."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from graphs.noise2noise.inspection.differences import correlation_of_neighbours


class Affine(NamedTuple):
    """A straight line from one picture's values to another's."""

    gain: float
    offset: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The line's values there."""
        return self.gain * values + self.offset


@dataclass(frozen=True)
class AgainstReference:
    """How shots differ from a reference, the mean over shots.

    Attributes:
        fit: the line that turns the reference into the shots best.
        decibels: what PSNR gains by that line: high where the reference was rescaled by itself.
        sigma: of what is left after it.
        correlation: of what is left, between neighbours along rows and along columns.
        between_shots: correlation of what is left of one shot with what is left of another; None
            for a single shot. A reference that is the mean of n shots, these among them, makes it
            -1/(n - 1) where nothing else is shared.
    """

    fit: Affine
    decibels: float
    sigma: float
    correlation: tuple[float, float]
    between_shots: float | None


def against_reference(shots: np.ndarray, reference: np.ndarray) -> AgainstReference:
    """Compare shots (k, C, H, W) with a reference (C, H, W)."""
    reference = reference.astype(np.float64)
    fits = [fit_affine(reference, shot) for shot in shots]
    errors = [shot - fit(reference) for shot, fit in zip(shots, fits, strict=True)]
    plain = [np.mean((shot - reference) ** 2) for shot in shots]
    fitted = [np.mean(error**2) for error in errors]
    gains = [10 * np.log10(p / f) for p, f in zip(plain, fitted, strict=True) if f > 0]
    neighbours = [
        [correlation_of_neighbours(error, 1, axis) for axis in (2, 1)] for error in errors
    ]
    pairs = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in combinations(errors, 2)]
    return AgainstReference(
        fit=Affine(*np.mean(fits, axis=0).tolist()),
        decibels=float(np.mean(gains)) if gains else 0.0,
        sigma=float(np.sqrt(np.mean(fitted))),
        correlation=(
            float(np.mean([rows for rows, _ in neighbours])),
            float(np.mean([columns for _, columns in neighbours])),
        ),
        between_shots=float(np.mean(pairs)) if pairs else None,
    )


def fit_affine(source: np.ndarray, target: np.ndarray) -> Affine:
    """The line from source to target with the least squared error."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    deviations = source - source.mean()
    power = float((deviations**2).sum())
    gain = float((deviations * (target - target.mean())).sum() / power) if power else 1.0
    return Affine(gain, float(target.mean() - gain * source.mean()))
