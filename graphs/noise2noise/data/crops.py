"""Random square crops of pictures, flipped and rotated: a batch is one gather."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from graphs.noise2noise.errors import InputError


class Crops:
    """Pictures laid out so that any set of square crops can be gathered at once.

    A scene is chosen with probability proportional to the square root of its area.

    Args:
        scenes: shots of one scene each, (k, C, H, W), float32, or uint8 where 255 stands for 1;
            all with the same dtype and C. Sizes and k may differ between scenes.
        size: side of the crops.

    Attributes:
        channels: C.
        size: as given.

    Raises:
        InputError: there is no scene, the scenes differ in channels, or one is smaller than a crop.
    """

    def __init__(self, scenes: Sequence[torch.Tensor], size: int) -> None:
        if not len(scenes):
            raise InputError("there are no pictures to train on")
        _require_alike(scenes, size)
        self.channels = scenes[0].shape[1]
        self.size = size
        # One row of C values per pixel, scene by scene and shot by shot: a crop is then a grid of
        # row numbers.
        self._pixels = torch.cat([_rows(shots) for shots in scenes])
        self._counts, self._heights, self._widths = (
            torch.tensor([shots.shape[axis] for shots in scenes]) for axis in (0, 2, 3)
        )
        self._areas = self._heights * self._widths
        sizes = self._counts * self._areas
        self._starts = sizes.cumsum(0) - sizes
        self._weights = self._areas.double().sqrt()

    def choose(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Random scenes (count,), and the row numbers (count, size, size) of a crop in each.

        The rows are those of the scene's first shot.
        """
        scenes = torch.multinomial(self._weights, count, replacement=True, generator=generator)
        rows = self._span(self._heights[scenes], generator)[:, :, None]
        columns = self._span(self._widths[scenes], generator)[:, None, :]
        grid = self._starts[scenes, None, None] + rows * self._widths[scenes, None, None] + columns
        turned = torch.randint(2, (count, 1, 1), generator=generator) == 1
        return scenes, torch.where(turned, grid.mT, grid)

    def two_shots(
        self, scenes: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Row offsets, relative to the first shot, of two different random shots of each scene."""
        counts = self._counts[scenes]
        first = _below(counts, generator)
        second = (first + 1 + _below(counts - 1, generator)) % counts
        areas = self._areas[scenes]
        return (first * areas)[:, None, None], (second * areas)[:, None, None]

    def gather(self, grid: torch.Tensor) -> torch.Tensor:
        """The pixels of some rows: (N, size, size) in, (N, C, size, size) in float32 out."""
        pixels = self._pixels[grid].permute(0, 3, 1, 2)
        return pixels if pixels.is_floating_point() else pixels.float().div_(255)

    def _span(self, lengths: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A random run of positions within each length, ascending or descending, (count, size)."""
        starts = _below(lengths - self.size + 1, generator)[:, None]
        ahead = torch.arange(self.size)
        backwards = torch.randint(2, (len(lengths), 1), generator=generator) == 1
        return starts + torch.where(backwards, self.size - 1 - ahead, ahead)


def _below(limits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """For each limit, a random integer of at least 0 and below it."""
    shares = torch.rand(len(limits), generator=generator, dtype=torch.float64)
    return (shares * limits).long()


def _rows(shots: torch.Tensor) -> torch.Tensor:
    return shots.permute(0, 2, 3, 1).reshape(-1, shots.shape[1])


def _require_alike(scenes: Iterable[torch.Tensor], size: int) -> None:
    first: torch.Tensor | None = None
    for number, shots in enumerate(scenes, start=1):
        first = shots if first is None else first
        if shots.shape[1] != first.shape[1]:
            raise InputError(
                f"the pictures differ in channels: scene 1 has {first.shape[1]}, "
                f"scene {number} has {shots.shape[1]}"
            )
        if min(shots.shape[2:]) < size:
            raise InputError(
                f"scene {number} has {shots.shape[3]}x{shots.shape[2]} pixels; "
                f"expected at least {size} a side"
            )
