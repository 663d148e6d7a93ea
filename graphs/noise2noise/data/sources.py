"""Sources of training batches. Each provides the inputs of its objective.

Sources are stateless: a generator in the same state gives the same batch.
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
"""The parts of a batch that are pictures; the others select pixels."""


class Source(Protocol):
    """Where a training gets its batches from.

    Attributes:
        channels: of the pictures.
        size: side of the crops that the network is given.
    """

    channels: int
    size: int

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``count`` examples, as tensors named after the objective's inputs."""
        ...


class Brightened:
    """Another source's crops, half of them made brighter or darker, noise and signal alike.

    This makes a network less dependent on the brightness of the training pictures.

    Args:
        source: of the crops.
        gain: the largest factor; factors are log-uniform between its inverse and itself. With 1,
            the batches are left as they are.
        black: the value of the source that stands for black.
    """

    def __init__(self, source: Source, gain: float, black: float = 0.0) -> None:
        self._source, self._range, self._black = source, math.log(gain), black
        self.channels, self.size = source.channels, source.size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """The source's batch: one factor for all pictures of an example, masks unchanged."""
        batch = self._source.batch(count, generator)
        chosen, exponent = torch.rand(2, count, 1, 1, 1, generator=generator)
        factor = torch.where(chosen < 0.5, (2 * exponent - 1).mul(self._range).exp(), 1.0)
        shift = self._black * (1 - factor)
        return {name: x * factor + shift if name in PICTURES else x for name, x in batch.items()}


class RepeatedShots:
    """Noise2Noise: two or more noisy shots of each scene, from which random pairs are drawn.

    Args:
        scenes: (k, C, H, W) each, k at least 2; see :class:`Crops`.
        size: side of the crops.

    Raises:
        InputError: as :class:`Crops`.
    """

    def __init__(self, scenes: Sequence[torch.Tensor], size: int = 32) -> None:
        self._crops = Crops(scenes, size)
        self.channels, self.size = self._crops.channels, size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``noisy`` and ``target``, the same crops of two shots, (count, C, size, size)."""
        scenes, grid = self._crops.choose(count, generator)
        first, second = self._crops.two_shots(scenes, generator)
        return {
            "noisy": self._crops.gather(grid + first),
            "target": self._crops.gather(grid + second),
        }


class SyntheticShots:
    """Clean pictures with fresh synthetic noise each time, for experiments.

    Args:
        pictures: clean, (C, H, W) each; see :class:`Crops`.
        noise: the model.
        size: side of the crops.
        targets: whether the targets are other noisy shots or, for comparison, the clean pictures.

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
        """Clean crops to add noise to, (count, C, size, size)."""
        return self._crops.gather(self._crops.choose(count, generator)[1])


class NeighbourShots:
    """Neighbor2Neighbor: one noisy picture per scene, from which two subsampled ones are made.

    Of each 2x2 block, one pixel goes to the first and its vertical or horizontal neighbour to the
    second. Source: Huang et al., "Neighbor2Neighbor: Self-Supervised Denoising from Single Noisy
    Images", CVPR 2021.

    Args:
        pictures: noisy, (C, H, W) each; see :class:`Crops`.
        size: side of the subsampled crops, which come from crops twice as large.

    Raises:
        InputError: as :class:`Crops`.
    """

    def __init__(self, pictures: Sequence[torch.Tensor], size: int = 32) -> None:
        self._crops = Crops([picture[None] for picture in pictures], 2 * size)
        self.channels, self.size = self._crops.channels, size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``whole`` crops, and masks for the pixels of the ``first`` and ``second`` subsampling.

        Returns:
            ``whole`` (count, C, 2 size, 2 size); the masks (count, 1, size, 2, size, 2), with a
            single 1 in each 2x2 block.
        """
        whole = self._crops.gather(self._crops.choose(count, generator)[1])
        shape = (count, self.size, self.size)
        corner = torch.randint(4, shape, generator=generator)
        # The order 0 1 3 2 goes around the block: the neighbours are the ones before and after.
        step = 1 + 2 * torch.randint(2, shape, generator=generator)
        neighbour = (corner + step) % 4
        return {"whole": whole, "first": _corners(corner), "second": _corners(neighbour)}


_ROUND = torch.eye(4)[[0, 1, 3, 2]]
"""One-hot masks of a 2x2 block's pixels, each row by row, in order around the block."""


def _corners(numbers: torch.Tensor) -> torch.Tensor:
    """Masks (N, 1, H, 2, W, 2) that choose one pixel in each 2x2 block."""
    n, height, width = numbers.shape
    places = _ROUND[numbers].reshape(n, height, width, 2, 2)
    return places.permute(0, 1, 3, 2, 4).reshape(n, 1, height, 2, width, 2).contiguous()
