"""Pairs of noisy pictures, and batches of pieces of them to train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import list_pictures, read_picture

Pair = tuple[torch.Tensor, torch.Tensor]


class NoisyPairs:
    """A source of batches: the same random piece of both pictures of a random pair.

    Pieces are mirrored and turned at random, and either picture may be the target. A picture is
    chosen the oftener the larger it is, by the root of its area.

    Args:
        pairs: two noisy pictures of one scene, (3, H, W) each; sizes may differ between pairs.
        seed: the same seed gives the same batches.
        size: side of the pieces.

    Raises:
        InputError: there is no pair, the two of a pair differ in size, or one is smaller than a
            piece.
    """

    def __init__(self, pairs: Sequence[Pair], seed: int = 0, size: int = 32) -> None:
        if not pairs:
            raise InputError("there are no pairs of pictures to train on")
        for number, (first, second) in enumerate(pairs, start=1):
            _require_fit(f"pair {number}", first, second, size)
        self.size = size
        self._generator = torch.Generator().manual_seed(seed)
        # One row of three values for each pixel of all first pictures, then of all second ones:
        # a piece is then a grid of row numbers, and a batch is one gather.
        self._pixels = torch.cat([_rows(pair[shot]) for shot in (0, 1) for pair in pairs])
        self._heights = torch.tensor([first.shape[1] for first, _ in pairs])
        self._widths = torch.tensor([first.shape[2] for first, _ in pairs])
        areas = self._heights * self._widths
        self._starts = areas.cumsum(0) - areas
        self._shot = int(areas.sum())
        self._weights = areas.double().sqrt()

    def batch(self, count: int) -> Pair:
        """Inputs and targets, each (count, 3, size, size)."""
        chosen = torch.multinomial(
            self._weights, count, replacement=True, generator=self._generator
        )
        grid = self._places(chosen)
        swapped = self._coins(count) * self._shot
        return self._gather(grid + swapped), self._gather(grid + self._shot - swapped)

    def _places(self, chosen: torch.Tensor) -> torch.Tensor:
        """Row numbers of each piece in the first picture of its pair, (count, size, size)."""
        count = len(chosen)
        rows = self._span(self._heights[chosen])[:, :, None]
        columns = self._span(self._widths[chosen])[:, None, :]
        grid = self._starts[chosen, None, None] + rows * self._widths[chosen, None, None] + columns
        return torch.where(self._coins(count) == 1, grid.mT, grid)

    def _span(self, lengths: torch.Tensor) -> torch.Tensor:
        """Consecutive positions within each length, forwards or backwards, (count, size)."""
        shares = torch.rand(len(lengths), generator=self._generator, dtype=torch.float64)
        starts = (shares * (lengths - self.size + 1)).long()[:, None]
        ahead = torch.arange(self.size)
        backwards = self._coins(len(lengths))[:, :, 0] == 1
        return starts + torch.where(backwards, self.size - 1 - ahead, ahead)

    def _coins(self, count: int) -> torch.Tensor:
        return torch.randint(2, (count, 1, 1), generator=self._generator)

    def _gather(self, grid: torch.Tensor) -> torch.Tensor:
        return self._pixels[grid].permute(0, 3, 1, 2)


def read_pairs(first: Path, second: Path, size: int = 32) -> list[Pair]:
    """The pictures of two folders, paired by file name.

    Raises:
        InputError: a folder or a picture cannot be read, a name is in one folder only, the two of a
            name differ in size, or one is smaller than ``size`` a side.
    """
    left, right = list_pictures(first), list_pictures(second)
    if alone := sorted(set(left) ^ set(right)):
        here, there = (first, second) if alone[0] in left else (second, first)
        more = f" ({len(alone)} names are unpaired)" if len(alone) > 1 else ""
        raise InputError(f"{here / alone[0]} has no partner of that name in {there}{more}")
    pairs = []
    for name in left:
        pair = _read_colours(left[name]), _read_colours(right[name])
        _require_fit(f"{name} in {first} and {second}", *pair, size)
        pairs.append(pair)
    return pairs


def _read_colours(path: Path) -> torch.Tensor:
    pixels = read_picture(path).pixels
    if len(pixels) not in (1, 3):
        raise InputError(f"{path} has {len(pixels)} channels; expected grey or RGB")
    return pixels.expand(3, -1, -1)


def _require_fit(name: str, first: torch.Tensor, second: torch.Tensor, size: int) -> None:
    sizes = [f"{picture.shape[2]}x{picture.shape[1]}" for picture in (first, second)]
    if first.shape != second.shape:
        raise InputError(f"{name}: the two pictures differ in size, {sizes[0]} and {sizes[1]}")
    if min(first.shape[1:]) < size:
        raise InputError(f"{name}: {sizes[0]} pixels; expected at least {size} a side")


def _rows(picture: torch.Tensor) -> torch.Tensor:
    return picture.permute(1, 2, 0).reshape(-1, 3)
