"""Everything that is measured for one scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from graphs.noise2noise.images import middle
from graphs.noise2noise.inspection.clipping import clipped_shares
from graphs.noise2noise.inspection.differences import NoiseOfPair, noise_of_pair
from graphs.noise2noise.inspection.reference import AgainstReference, against_reference
from graphs.noise2noise.inspection.registration import Shift, distance, misalignment, positions
from graphs.noise2noise.inspection.scene import Scene, grey
from graphs.noise2noise.inspection.single import NoiseOfOne, noise_of_one

MOST_ROWS = 2048
"""Side of the part that is measured, in the middle of the picture."""

AGREEING = 1.0
"""The most pixels that shots may lie apart and still count as agreeing."""


@dataclass(frozen=True)
class PairFindings:
    """Two shots, as indices from 0, and their noise."""

    first: int
    second: int
    noise: NoiseOfPair


@dataclass(frozen=True)
class Findings:
    """What is known about a scene, with all values in the numbers of its files.

    Attributes:
        name: of the scene.
        shots, channels, height, width: sizes.
        lowest, highest: the extreme values.
        clipped: fractions of pixels clipped at the lowest and at the highest value.
        brightness: mean of each shot.
        colour_drift: the largest difference between shots in the mean of a channel.
        identical: pairs of shots, as indices from 0, that are equal to the last bit.
        positions: of each shot relative to the mean position; empty for a single shot.
        alone: the noise of a single shot; None for several.
        pairs: the noise of pairs of shots, without identical ones.
        reference: how the shots differ from a reference; None if there is none.
    """

    name: str
    shots: int
    channels: int
    height: int
    width: int
    lowest: float
    highest: float
    clipped: tuple[float, float]
    brightness: tuple[float, ...]
    colour_drift: float
    identical: tuple[tuple[int, int], ...]
    positions: tuple[Shift, ...]
    alone: NoiseOfOne | None
    pairs: tuple[PairFindings, ...]
    reference: AgainstReference | None

    @property
    def quietest(self) -> PairFindings | None:
        """The pair whose difference is least correlated: motion and drift only add correlation."""
        return min(self.pairs, key=lambda pair: pair.noise.correlation, default=None)

    @property
    def noise(self) -> NoiseOfPair | NoiseOfOne | None:
        """The best estimate of the noise: from two shots, otherwise from one; None without any."""
        return self.quietest.noise if self.quietest else self.alone

    @property
    def straying(self) -> float:
        """The largest relative deviation of a shot's brightness from the mean."""
        mean = float(np.mean(self.brightness))
        return float(np.abs(np.array(self.brightness) / mean - 1).max()) if mean else 0.0

    @property
    def drift(self) -> float:
        """The largest difference in brightness between two shots."""
        return max(self.brightness) - min(self.brightness)

    @property
    def misalignment(self) -> float:
        """Pixels between the two shots furthest apart, among pairs whose distance is certain."""
        return misalignment(self.positions)

    @property
    def agreeing(self) -> tuple[int, ...]:
        """The largest group of shots, as indices from 0, all within a pixel of one of them."""
        groups = (
            tuple(i for i, p in enumerate(self.positions) if distance(p, centre) <= AGREEING)
            for centre in self.positions
        )
        return max(groups, key=len, default=())


def inspect_scene(scene: Scene) -> Findings:
    """Measure everything; in large pictures, noise and positions only in the middle."""
    shots = scene.shots
    identical = tuple(_identical(shots))
    parts = middle(shots, MOST_ROWS)
    reference = None if scene.reference is None else middle(scene.reference, MOST_ROWS)
    means = shots.mean((2, 3), dtype=np.float64)
    return Findings(
        name=scene.name,
        shots=len(shots),
        channels=shots.shape[1],
        height=shots.shape[2],
        width=shots.shape[3],
        lowest=float(shots.min()),
        highest=float(shots.max()),
        clipped=clipped_shares(shots),
        brightness=tuple(means.mean(1).tolist()),
        colour_drift=float(np.ptp(means, axis=0).max()),
        identical=identical,
        positions=() if scene.is_single else positions([grey(shot) for shot in parts]),
        alone=noise_of_one(parts[0], scene.iso) if scene.is_single else None,
        pairs=tuple(
            PairFindings(i, j, noise_of_pair(parts[i], parts[j]))
            for i, j in scene.pairs()
            if (i, j) not in identical
        ),
        reference=None if reference is None else against_reference(parts, reference),
    )


def _identical(shots: np.ndarray) -> Iterator[tuple[int, int]]:
    for i, j in combinations(range(len(shots)), 2):
        if np.array_equal(shots[i], shots[j]):
            yield i, j
