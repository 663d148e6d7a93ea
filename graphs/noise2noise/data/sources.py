"""Sources of batches to train on. What each gives is what its objective takes as inputs.

The same generator gives the same batch: a source remembers nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import torch

from graphs.noise2noise.data.crops import Crops
from graphs.noise2noise.data.noise import Noise

Batch = Mapping[str, torch.Tensor]
Targets = Literal["noisy", "clean"]
PICTURES = ("noisy", "target", "whole")
"""What of a batch are pictures; the rest says which pixels count."""


class Source(Protocol):
    """Where a training gets its batches from.

    Attributes:
        channels: of the pictures.
        size: side of the squares that the network is given.
    """

    channels: int
    size: int

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``count`` examples, whose tensors are named as the objective's inputs."""
        ...


class Brightened:
    """Another source's squares, half of them brighter or darker: the noise with the signal.

    A network that has seen them does not depend on the brightness of what it was trained on.

    Args:
        source: of squares.
        gain: the largest factor; they lie between its inverse and itself, evenly on a log scale.
            With 1, batches are the source's.
    """

    def __init__(self, source: Source, gain: float) -> None:
        self._source, self._range = source, math.log(gain)
        self.channels, self.size = source.channels, source.size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """The source's, an example's pictures all by the same factor, its masks as they are."""
        batch = self._source.batch(count, generator)
        chosen, exponent = torch.rand(2, count, 1, 1, 1, generator=generator)
        factor = torch.where(chosen < 0.5, (2 * exponent - 1).mul(self._range).exp(), 1.0)
        return {name: x * factor if name in PICTURES else x for name, x in batch.items()}


class RepeatedShots:
    """Noise2Noise: two or more noisy shots of each scene, each pair of which can come up.

    Args:
        scenes: (k, C, H, W) each, k at least 2; see :class:`Crops`.
        size: side of the squares.

    Raises:
        InputError: as :class:`Crops`.
    """

    def __init__(self, scenes: Sequence[torch.Tensor], size: int = 32) -> None:
        self._crops = Crops(scenes, size)
        self.channels, self.size = self._crops.channels, size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``noisy`` and ``target``, the same squares of two shots, (count, C, size, size)."""
        scenes, grid = self._crops.choose(count, generator)
        first, second = self._crops.two_shots(scenes, generator)
        return {
            "noisy": self._crops.gather(grid + first),
            "target": self._crops.gather(grid + second),
        }


class SyntheticShots:
    """Noise put on clean pictures, anew each time: for experiments.

    Args:
        pictures: clean, (C, H, W) each; see :class:`Crops`.
        noise: the model.
        size: side of the squares.
        targets: whether the targets are other noisy shots, or the clean pictures to compare with.

    Raises:
        InputError: as :class:`Crops`.
    """

    def __init__(
        self,
        pictures: Sequence[torch.Tensor],
        noise: Noise,
        size: int = 32,
        targets: Targets = "noisy",
    ) -> None:
        self._crops = Crops([picture[None] for picture in pictures], size)
        self._noise, self._targets = noise, targets
        self.channels, self.size = self._crops.channels, size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``noisy`` and ``target``, and the target's ``mask`` where its noise deletes pixels."""
        clean = self.clean(count, generator)
        noisy = self._noise(clean, generator).pixels
        if self._targets == "clean":
            return {"noisy": noisy, "target": clean}
        target, kept = self._noise(clean, generator)
        batch = {"noisy": noisy, "target": target}
        return batch if kept is None else batch | {"mask": kept}

    def clean(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Squares to put noise on, (count, C, size, size)."""
        return self._crops.gather(self._crops.choose(count, generator)[1])


class NeighbourShots:
    """Neighbor2Neighbor: one noisy picture a scene, of which two thinned out ones are made.

    Of each 2x2 pixels one goes to the first and a neighbour of it, above, below or beside, to the
    second. Source: Huang et al., "Neighbor2Neighbor: Self-Supervised Denoising from Single Noisy
    Images", CVPR 2021.

    Args:
        pictures: noisy, (C, H, W) each; see :class:`Crops`.
        size: side of the thinned out squares; they are cut from squares twice as large.

    Raises:
        InputError: as :class:`Crops`.
    """

    def __init__(self, pictures: Sequence[torch.Tensor], size: int = 32) -> None:
        self._crops = Crops([picture[None] for picture in pictures], 2 * size)
        self.channels, self.size = self._crops.channels, size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``whole`` squares, and the pixels of the ``first`` and the ``second`` thinned out ones.

        Returns:
            ``whole`` (count, C, 2 size, 2 size); the others (count, 1, size, 2, size, 2), with a
            single 1 in each 2x2 pixels.
        """
        whole = self._crops.gather(self._crops.choose(count, generator)[1])
        shape = (count, self.size, self.size)
        corner = torch.randint(4, shape, generator=generator)
        # The corners in the order 0 1 3 2 go round: the neighbours are before and after.
        step = 1 + 2 * torch.randint(2, shape, generator=generator)
        neighbour = (corner + step) % 4
        return {"whole": whole, "first": _corners(corner), "second": _corners(neighbour)}


_ROUND = torch.eye(4)[[0, 1, 3, 2]]
"""The one-hot places in 2x2 pixels, row by row, in the order in which they go round."""


def _corners(numbers: torch.Tensor) -> torch.Tensor:
    """Which of each 2x2 pixels, as (N, 1, H, 2, W, 2) of 0 and 1."""
    n, height, width = numbers.shape
    places = _ROUND[numbers].reshape(n, height, width, 2, 2)
    return places.permute(0, 1, 3, 2, 4).reshape(n, 1, height, 2, width, 2).contiguous()
