"""Sums of taps cut into blocks of 2x2 results.

The taps of a class of positions (see :mod:`engine.native.taps.geometry`) that are one step of the
input apart form a filter of r x r taps. A block reads (r + 1)^2 pixels. Its transform has as many
elements, here called places: sums and differences of the pixels. The filter is transformed into
places too, and the two are multiplied place by place: (r + 1)^2 products instead of 4 r^2. Of three
taps read at every second pixel, the outer two are such a filter and the middle one is not: a block
of 5^2 pixels, and 25 products instead of 36. Source: Lavin and Gray, CVPR 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from engine.native.taps.geometry import PositionClass, Tap, Taps
from ops.windows import Pair

SIDE = 2
"""Results per block along an axis."""

CHUNK = 1 << 16
"""Most elements in a chunk's places, of pixels and results together, so that they stay in cache."""

WORTH = 32
"""Blocks from which on transforming the filters costs little compared with what it saves."""

WORTH_STRIDED = (256, 32)
"""The same for strided blocks, which save less: blocks, and channels of x and of y."""

SHARE = 0.75
"""Largest share of the products that may be left, those of blocks reaching beyond the results
included: with more, the sums and differences cost what is saved."""


@dataclass(frozen=True)
class Filter:
    """A square of r x r taps, row by row and ``step`` apart; the first reads at (dy, dx)."""

    dy: int
    dx: int
    step: Pair
    taps: tuple[Tap, ...]

    @property
    def reach(self) -> int:
        """Taps along an axis: r."""
        return math.isqrt(len(self.taps))


@dataclass(frozen=True)
class Blocks:
    """The blocks of a sum of taps.

    Attributes:
        taps: what is summed.
        batch: images.
        filters: those of each class; every class has the same number and size.
    """

    taps: Taps
    batch: int
    filters: tuple[tuple[Filter, ...], ...]

    @staticmethod
    def find(taps: Taps, batch: int) -> Blocks | None:
        """The blocks of a sum of taps; None if it has none."""
        filters = tuple(_filters(c, taps.in_step) for c in taps.classes)
        alike = len({(len(own), *((f.step, f.reach) for f in own)) for own in filters}) == 1
        if not (alike and filters[0] and taps.groups == 1 and taps.in_whole_vectors):
            return None
        return Blocks(taps, batch, filters)

    @property
    def pay_off(self) -> bool:
        """Whether they save more than the sums and differences cost."""
        count, channels = WORTH_STRIDED if self.strided else (WORTH, 0)
        enough = self.count >= count and min(self.taps.terms, self.taps.results) >= channels
        return enough and self.share <= SHARE

    @property
    def reach(self) -> int:
        """Taps of a filter along an axis."""
        return self.filters[0][0].reach

    @property
    def step(self) -> Pair:
        """Pixels from one tap of a filter to the next."""
        return self.filters[0][0].step

    @property
    def side(self) -> int:
        """Pixels, and places, of a block along an axis."""
        return self.reach + (SIDE - 1) * self.taps.in_step[0] // self.step[0]

    @property
    def strided(self) -> bool:
        """Whether positions are further apart than taps."""
        return self.step != self.taps.in_step

    @property
    def places(self) -> int:
        """Places of a block."""
        return self.side**2

    @property
    def share(self) -> float:
        """Products that are carried out, as a share of those in the sum of taps."""
        classes = self.taps.classes
        asked = self.batch * sum(c.rows * c.columns * len(c.taps) for c in classes)
        return self.count * self.places * len(classes) * len(self.filters[0]) / asked

    @property
    def grid(self) -> Pair:
        """Rows and columns of blocks in an image."""
        rows, columns = self.taps.grid
        return -(-rows // SIDE), -(-columns // SIDE)

    @property
    def count(self) -> int:
        """Blocks in all images."""
        return self.batch * self.grid[0] * self.grid[1]

    @property
    def terms(self) -> int:
        """Terms of a place: the channels of x, once for each filter of a class."""
        return len(self.filters[0]) * self.taps.terms

    @property
    def slot(self) -> int:
        """Elements of one place of a class's filters: a matrix, terms x results."""
        return self.terms * self.taps.results

    def chunk(self, threads: int) -> int:
        """Blocks per chunk: their places fit in the cache, and threads have equally many chunks."""
        fitting = max(1, CHUNK // (self.places * (self.terms + self.taps.results)))
        rounds = -(-self.count // (fitting * threads))
        return -(-self.count // (rounds * threads))

    def at(self, number: int, one: int = 0) -> int:
        """Offset of the first place of a class's filter among all places of all filters."""
        return number * self.places * self.slot + one * self.taps.terms * self.taps.results

    @property
    def packed_size(self) -> int:
        """Elements of all places of all filters."""
        return len(self.filters) * self.places * self.slot


def _filters(position: PositionClass, in_step: Pair) -> tuple[Filter, ...]:
    """The filters that a class's taps form; none if some taps form no filter."""
    by_parity: dict[Pair, list[Tap]] = {}
    for tap in sorted(position.taps):
        by_parity.setdefault((tap.dy % in_step[0], tap.dx % in_step[1]), []).append(tap)
    filters = [_square(taps, in_step) for taps in by_parity.values()]
    if in_step == (2, 2) and None in filters and len(position.taps) == 9:
        filters = [_square(sorted(position.taps), (1, 1))]
    found = tuple(one for one in filters if one)
    return found if len(found) == len(filters) else ()


def _square(taps: list[Tap], step: Pair) -> Filter | None:
    one = Filter(taps[0].dy, taps[0].dx, step, tuple(taps))
    (down, right), square = step, product(range(one.reach), repeat=2)
    expected = [(one.dy + r * down, one.dx + c * right) for r, c in square]
    fits = one.reach in (2, 3) and [(tap.dy, tap.dx) for tap in taps] == expected
    return one if fits else None
