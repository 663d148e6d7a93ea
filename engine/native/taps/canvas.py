"""Bands of images with their borders: the pixels that the taps of some rows of positions read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.kernels.patches import lies_channels_last
from engine.native.code.loops import shares
from engine.native.code.operand import TYPES, Operand
from engine.native.code.text import Text
from engine.native.taps.geometry import Tap, Taps
from ops import Node, Spec

BAND_BYTES = 128 << 10
"""Target size of a band: it is read many times and should stay in a core's own cache."""


@dataclass(frozen=True)
class Canvas:
    """How the images x of a sum of taps are read.

    They are cut into bands: some rows of positions each. A band's pixels are copied into the
    thread's own canvas, with zeros around the image, unless they can be read in place.

    Attributes:
        taps: the sum of taps.
        batch: number of images.
        rows: rows of positions in a band.
        lanes: elements of a vector: how far a read may reach beyond a pixel's channels.
        in_place: whether the images are read in place, not copied.
    """

    taps: Taps
    batch: int
    rows: int
    lanes: int
    in_place: bool

    @staticmethod
    def of(taps: Taps, image: Operand, lanes: int, threads: int, vectors_of: int = 0) -> Canvas:
        """The canvas for images.

        ``vectors_of``: contiguous channels that are read in whole vectors, which may reach further.
        """
        (low_y, low_x), (high_y, high_x) = taps.low, taps.high
        rows, columns = taps.grid
        inside = (
            low_y >= 0
            and low_x >= 0
            and (rows - 1) * taps.in_step[0] + high_y < taps.image[0]
            and (columns - 1) * taps.in_step[1] + high_x < taps.image[1]
        )
        in_place = inside and image.dense and not vectors_of % lanes
        width = (columns - 1) * taps.in_step[1] + high_x - low_x + 1
        row_bytes = width * taps.in_channels * image.dtype.itemsize * taps.in_step[0]
        fitting = BAND_BYTES // row_bytes - (high_y - low_y) // taps.in_step[0]
        # With few images, let every thread have a band.
        band = max(1, min(rows, fitting, -(-rows * image.shape[0] // threads)))
        even = -(-rows // -(-rows // band))
        return Canvas(taps, image.shape[0], even, lanes, in_place)

    @property
    def bands(self) -> int:
        """Bands per image."""
        return -(-self.taps.grid[0] // self.rows)

    @property
    def width(self) -> int:
        """Pixels in a row of the canvas."""
        if self.in_place:
            return self.taps.image[1]
        return (
            (self.taps.grid[1] - 1) * self.taps.in_step[1]
            + self.taps.high[1]
            - self.taps.low[1]
            + 1
        )

    @property
    def height(self) -> int:
        """Rows of the canvas."""
        return (self.rows - 1) * self.taps.in_step[0] + self.taps.high[0] - self.taps.low[0] + 1

    def scratch(self, image: Node, threads: int) -> list[Spec]:
        """Scratch for all threads' canvases; none if the images are sure to be read in place."""
        if self.in_place and lies_channels_last(image):
            return []
        return [Spec((threads, self._size), image.dtype)]

    def at(self, tap: Tap) -> int:
        """Where a tap reads, in elements from the first pixel of a position's window."""
        low_y, low_x = (0, 0) if self.in_place else self.taps.low
        return ((tap.dy - low_y) * self.width + tap.dx - low_x) * self.taps.in_channels

    def emit(self, text: Text, image: Operand, scratch: Operand | None) -> None:
        """Write code that points ``in`` at band ``u``'s canvas: image ``n`` from row ``first``."""
        kind, taps = TYPES[image.dtype], self.taps
        text(f"const long n = u / {self.bands}, first = u % {self.bands} * {self.rows};")
        if self.in_place:
            start = f"n * {image.strides[0]} + first * {taps.in_step[0] * image.strides[2]}"
            text(f"const {kind} *in = x + {start};")
            return
        assert scratch is not None
        text(f"{kind} *in = ({kind} *)({scratch.address}) + me * {self._size};")
        left = min(self.width, max(0, -taps.low[1]))
        columns = max(0, min(self.width, taps.image[1] - taps.low[1]) - left)
        skipped = max(0, taps.low[1])
        row, k = self.width * taps.in_channels, taps.in_channels
        with text.block(f"for (long r = 0; r < {self.height}; r++)"):
            text(
                f"const long from = first * {taps.in_step[0]} + r + {taps.low[0]};",
                f"{kind} *to = in + r * {row};",
            )
            with text.block(f"if (from < 0 || from >= {taps.image[0]})"):
                text(f"memset(to, 0, {row} * sizeof *to);", "continue;")
            text(f"const {kind} *row = x + n * {image.strides[0]} + from * {image.strides[2]};")
            if left:
                text(f"memset(to, 0, {left * k} * sizeof *to);")
            start = f"row + {skipped * image.strides[3]}" if skipped else "row"
            _copy(text, image, f"to + {left * k}", start, columns, k)
            if rest := self.width - left - columns:
                text(f"memset(to + {(left + columns) * k}, 0, {rest * k} * sizeof *to);")

    @property
    def _size(self) -> int:
        """Elements of one canvas, with room for a vector that begins at its last element."""
        whole = self.height * self.width * self.taps.in_channels + self.lanes
        return -(-whole // self.lanes) * self.lanes

    def bands_loop(self) -> str:
        """The head of the loop over this thread's bands."""
        first, last = shares(self.batch * self.bands)
        return f"for (long u = {first}; u < {last}; u++)"


def runs_of(places: Sequence[tuple[int, ...]], terms: int) -> list[tuple[int, ...]]:
    """Contiguous runs of what taps read: the places of each run's first tap, and its length.

    Args:
        places: each tap's offsets, one in everything that is read, in the order of reading.
        terms: elements that a tap reads.
    """
    runs: list[tuple[int, ...]] = []
    for place in places:
        *first, length = runs[-1] if runs else (0,)
        if runs and place == tuple(at + length for at in first):
            runs[-1] = (*first, length + terms)
        else:
            runs.append((*place, terms))
    return runs


def _copy(text: Text, image: Operand, to: str, start: str, columns: int, channels: int) -> None:
    if image.strides[1] in (1, 0) and channels == 1 and image.strides[3] == 1:
        text(f"memcpy({to}, {start}, {columns} * sizeof *to);")
    elif image.strides[1] == 1 and image.strides[3] == channels:
        text(f"memcpy({to}, {start}, {columns * channels} * sizeof *to);")
    else:
        with (
            text.block(f"for (long c = 0; c < {columns}; c++)"),
            text.block(f"for (long k = 0; k < {channels}; k++)"),
        ):
            read = f"({start})[c * {image.strides[3]} + k * {image.strides[1]}]"
            text(f"({to})[c * {channels} + k] = {read};")
