"""The shots of one scene, as they are inspected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

MOST_PAIRS = 6


@dataclass(frozen=True, eq=False)
class Scene:
    """Shots of one scene.

    Attributes:
        name: for tables and messages.
        shots: (k, C, H, W) in the numbers of their files.
        reference: (C, H, W), a picture of the scene that is taken to be clean, if there is one.
        iso: the camera's sensitivity, if known.
    """

    name: str
    shots: np.ndarray
    reference: np.ndarray | None = None
    iso: int | None = None

    @property
    def is_single(self) -> bool:
        """Whether there is only one shot."""
        return len(self.shots) == 1

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Pairs of shots to compare, neighbours in time first; at most :data:`MOST_PAIRS`."""
        ordered = sorted(combinations(range(len(self.shots)), 2), key=lambda p: (p[1] - p[0], p))
        return iter(ordered[:MOST_PAIRS])


def grey(picture: np.ndarray) -> np.ndarray:
    """The mean over the channels of (C, H, W), in float64."""
    return picture.mean(0, dtype=np.float64)


def halved(picture: np.ndarray) -> np.ndarray:
    """The means of every 2x2 pixels of (C, H, W), in float64."""
    rows, columns = (size // 2 for size in picture.shape[1:])
    whole = picture[:, : 2 * rows, : 2 * columns].astype(np.float64)
    return whole.reshape(len(picture), rows, 2, columns, 2).mean((2, 4))


def blocks(planes: np.ndarray, side: int) -> np.ndarray:
    """Square blocks of (C, H, W), one row of values each."""
    channels, rows, columns = planes.shape[0], planes.shape[1] // side, planes.shape[2] // side
    whole = planes[:, : rows * side, : columns * side]
    squares = whole.reshape(channels, rows, side, columns, side).transpose(0, 1, 3, 2, 4)
    return squares.reshape(channels * rows * columns, side**2)
