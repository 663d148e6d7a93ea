"""Compares shots with a picture of their scene that is taken to be clean."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from graphs.noise2noise.inspection.differences import correlation_of_neighbours
from graphs.noise2noise.quality.fitting import Affine, fit_affine


@dataclass(frozen=True)
class AgainstReference:
    """How shots differ from a reference, averaged over the shots.

    Attributes:
        fit: the line from the reference's values that best fits the shots.
        decibels: how much PSNR gains from that fit: much if the reference was rescaled on its own.
        sigma: of the residual after the fit.
        correlation: of the residual, between neighbours along rows and along columns.
        between_shots: correlation between the residuals of two shots; None for a single shot. It is
            -1/(n - 1) if the reference is the mean of n shots, these among them, and nothing else
            is shared.
    """

    fit: Affine
    decibels: float
    sigma: float
    correlation: tuple[float, float]
    between_shots: float | None


def against_reference(shots: np.ndarray, reference: np.ndarray) -> AgainstReference:
    """Compare shots (k, C, H, W) with a reference (C, H, W)."""
    reference = reference.astype(np.float64)
    fits = [_fit(reference, shot) for shot in shots]
    errors = [
        shot - fit.gain * reference - fit.offset for shot, fit in zip(shots, fits, strict=True)
    ]
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


def _fit(source: np.ndarray, target: np.ndarray) -> Affine:
    return fit_affine(*(torch.from_numpy(p.astype(np.float64)) for p in (source, target)))
