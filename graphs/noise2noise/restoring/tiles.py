"""Covers a picture with overlapping tiles, whose middles together form the whole result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graphs.noise2noise.restoring.receptive_field import Reach, ReceptiveField


@dataclass(frozen=True)
class Span:
    """What the network is given along one axis, and which part of its result is kept.

    Attributes:
        start, stop: of the tile.
        keep_start, keep_stop: of the pixels that come out as if it had seen the whole picture.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int

    @property
    def kept(self) -> slice:
        """The part that is kept, relative to the tile."""
        return slice(self.keep_start - self.start, self.keep_stop - self.start)

    def within(self, length: int) -> Span:
        """The same span, keeping nothing beyond a length."""
        start, stop = min(self.keep_start, length), min(self.keep_stop, length)
        return replace(self, keep_start=start, keep_stop=stop)


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture."""

    rows: Span
    columns: Span


def cover(
    height: int, width: int, tile_height: int, tile_width: int, field: ReceptiveField
) -> Iterator[Tile]:
    """Tiles of one size, row by row, whose kept parts cover a picture exactly once.

    Args:
        height, width: of the picture, divisible by the field's multiples.
        tile_height, tile_width: of the tiles, also divisible by them; at least :func:`least_side`,
            unless a tile is the whole picture.
        field: the network's receptive field.
    """
    for rows in spans(height, tile_height, field.rows):
        for columns in spans(width, tile_width, field.columns):
            yield Tile(rows, columns)


def spans(length: int, size: int, reach: Reach) -> Iterator[Span]:
    """Spans of one size along an axis, each starting at a multiple of ``reach.multiple``."""
    if size >= length:
        yield Span(0, length, 0, length)
        return
    kept = 0
    while kept < length:
        begin = max(kept - reach.before, 0) // reach.multiple * reach.multiple
        start = min(begin, length - size)
        stop = start + size
        keep_stop = length if stop == length else stop - reach.after
        yield Span(start, stop, kept, keep_stop)
        kept = keep_stop


def least_side(reach: Reach) -> int:
    """The smallest side of a tile of which something is kept, wherever the tile is placed."""
    return up_to_multiple(reach.before + reach.after + reach.multiple, reach.multiple)


def even_side(length: int, most: int, reach: Reach) -> int:
    """The smallest side of tiles that cover a length with no more tiles than ``most`` would."""
    overlap = reach.before + reach.after + reach.multiple - 1
    count = max(1, -(-(length - overlap) // max(1, most - overlap)))
    side = up_to_multiple(-(-(length + (count - 1) * overlap) // count), reach.multiple)
    return min(length, max(side, least_side(reach)))


def up_to_multiple(size: int, multiple: int) -> int:
    """A size rounded up to the next multiple."""
    return -(-size // multiple) * multiple
