"""A common form of convolutions, their gradients and their phases: sums of taps.

All of them are, for the output positions ``(i*S + a, j*S + b)`` of each class ``(a, b)``,

    y[i*S + a, j*S + b] = sum over the taps t of the class:  x[i*s + dy_t, j*s + dx_t] W_t

with x zero outside of its image. A convolution has one class, S = 1, and its stride as s. Its input
gradient has its stride as S, s = 1, and a class for each position within a stride. The convolution
of an upsampled image has S = 2 and a class for each phase; the input gradient of that has one class
and s = 2. See :mod:`.forms`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.windows import Pair

WHOLE = 16
"""Lanes of the widest vector."""


@dataclass(frozen=True, order=True)
class Tap:
    """One matrix W_t: where it reads x, and the offset of its first element in the weight."""

    dy: int
    dx: int
    weight: int


@dataclass(frozen=True)
class PositionClass:
    """Output positions that share their taps: offset (a, b), and number of rows and columns."""

    offset: Pair
    rows: int
    columns: int
    taps: tuple[Tap, ...]


@dataclass(frozen=True)
class Taps:
    """A sum of taps.

    Attributes:
        out_step: S, vertical and horizontal.
        in_step: s, vertical and horizontal.
        classes: the classes of output positions.
        image, out: rows and columns of x and of y.
        terms, results: channels of x and of y in a group, the rows and columns of W_t.
        term_stride, result_stride: strides of the weight, in elements.
        groups: of channels, each of which is a sum of its own.
        group_stride: elements of the weight from one group to the next.
    """

    out_step: Pair
    in_step: Pair
    classes: tuple[PositionClass, ...]
    image: Pair
    out: Pair
    terms: int
    results: int
    term_stride: int
    result_stride: int
    groups: int = 1
    group_stride: int = 0

    @property
    def low(self) -> Pair:
        """The smallest dy and dx of all taps."""
        taps = [tap for c in self.classes for tap in c.taps]
        return min((t.dy for t in taps), default=0), min((t.dx for t in taps), default=0)

    @property
    def high(self) -> Pair:
        """The largest dy and dx of all taps."""
        taps = [tap for c in self.classes for tap in c.taps]
        return max((t.dy for t in taps), default=0), max((t.dx for t in taps), default=0)

    @property
    def in_channels(self) -> int:
        """Channels of x."""
        return self.groups * self.terms

    @property
    def out_channels(self) -> int:
        """Channels of y."""
        return self.groups * self.results

    @property
    def in_pixel(self) -> int:
        """Elements of x from one position of a row to the next."""
        return self.in_step[1] * self.in_channels

    @property
    def out_pixel(self) -> int:
        """The same for y."""
        return self.out_step[1] * self.out_channels

    @property
    def out_row(self) -> int:
        """Elements of a row of y."""
        return self.out[1] * self.out_channels

    @property
    def out_image(self) -> int:
        """Elements of an image of y."""
        return self.out[0] * self.out_row

    @property
    def in_whole_vectors(self) -> bool:
        """Whether channels come in multiples of the lanes of the widest vector."""
        return self.terms % WHOLE == 0 == self.results % WHOLE

    @property
    def grid(self) -> Pair:
        """Rows and columns of positions of the largest class."""
        return max(c.rows for c in self.classes), max(c.columns for c in self.classes)
