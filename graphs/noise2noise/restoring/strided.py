"""Cleans pictures in which neighbouring pixels share noise: pixels further apart hardly do.

Every third pixel of every third row form a picture that is a third as large and whose noise is
nearly white; the nine of these are cleaned and put together again. The mean of 3x3 pixels smooths
away what they disagree in, and what it blurs is restored where the picture differs from it by more
than noise would. Source: Zhou et al., "When AWGN-based Denoiser Meets Real Noises", AAAI 2020; for
the restoring, Lee, "Digital image enhancement and noise filtering by use of local statistics", IEEE
Transactions on Pattern Analysis and Machine Intelligence 2, 1980.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import uniform_filter

from graphs.noise2noise.images import release, spooled
from graphs.noise2noise.restoring.cleaner import Advance, Cleaner, Read, Shape, Write, advance_part

STRIDE = 3

WINDOW = 7
"""Side of the squares in which the picture is compared with the clean one."""

NOISE = 2.0
"""How many times the noise variance still counts as noise, since it varies between squares."""

ROWS_AT_ONCE = 128


class Strided(Cleaner):
    """Cleans pictures in which neighbouring pixels share noise.

    Args:
        cleaner: for white noise of the same strength.
        sigma: the noise's standard deviation.
    """

    def __init__(self, cleaner: Cleaner, sigma: float) -> None:
        self._cleaner = cleaner
        self._variance = sigma**2

    def restore(self, shape: Shape, read: Read, write: Write, advance: Advance) -> None:
        """See :meth:`Cleaner.restore`."""
        clean = spooled(None, shape, np.dtype(np.float32))
        phases = [(row, column) for row in range(STRIDE) for column in range(STRIDE)]
        for i, phase in enumerate(phases):
            self._clean_phase(clean, phase, read, advance_part(advance, i, len(phases)))
        height, width = shape[2:]
        for start in range(0, height, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, height))
            write(rows, slice(0, width), self._joined(clean, rows, read))

    def _clean_phase(
        self, clean: np.ndarray, phase: tuple[int, int], read: Read, advance: Advance
    ) -> None:
        """Clean every third pixel of every third row, starting at row and column ``phase``."""
        apart = clean[:, :, phase[0] :: STRIDE, phase[1] :: STRIDE]

        def spread(part: slice, first: int) -> slice:
            stop = first + STRIDE * (part.stop - 1) + 1
            return slice(first + STRIDE * part.start, stop, STRIDE)

        def read_apart(rows: slice, columns: slice) -> torch.Tensor:
            return read(spread(rows, phase[0]), spread(columns, phase[1]))

        def write_apart(rows: slice, columns: slice, part: torch.Tensor) -> None:
            apart[:, :, rows, columns] = part.numpy()
            release(clean)

        self._cleaner.restore(apart.shape, read_apart, write_apart, advance)

    def _joined(self, clean: np.ndarray, rows: slice, read: Read) -> torch.Tensor:
        """Some rows of the result."""
        height, width = clean.shape[2:]
        seen = (STRIDE + WINDOW) // 2
        around = slice(max(rows.start - seen, 0), min(rows.stop + seen, height))
        smooth = _mean(clean[:, :, around], STRIDE)
        release(clean)
        rest = read(around, slice(0, width)).numpy() - smooth
        energy = _mean(np.square(rest).mean(1, keepdims=True), WINDOW)
        share = 1 - NOISE * self._variance / np.maximum(energy, NOISE * self._variance)
        kept = slice(rows.start - around.start, rows.stop - around.start)
        return torch.from_numpy((smooth + share * rest)[:, :, kept])


def _mean(pictures: np.ndarray, side: int) -> np.ndarray:
    """Means of the squares around each pixel of (N, C, H, W), the borders repeated outwards."""
    return np.asarray(uniform_filter(pictures, (1, 1, side, side), mode="nearest"))
