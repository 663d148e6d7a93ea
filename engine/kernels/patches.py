"""Windows of NHWC images as views, and tiles in which they are gathered.

In an NHWC image, one row of a window (kw pixels of C channels) is contiguous, so gathering the
windows of a few images is a strided copy that stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import torch

from engine.kernels.kernel import Run, channels_last, in_sequence
from engine.kernels.movement import VIEWS
from ops import Node, Spec
from ops.leaves import full
from ops.windows import Pair, output_size

TILE_BYTES = 4 << 20
"""Target size of the gathered windows of one tile. Up to about this size they stay in the caches;
smaller tiles would only add synchronization between threads."""


def lies_channels_last(node: Node) -> bool:
    """Whether a four-axis value is stored as contiguous NHWC: not a view or a repeated number."""
    return node.operator.name not in VIEWS and node.operator is not full


@dataclass(frozen=True)
class Window:
    """The geometry of a convolution."""

    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @staticmethod
    def of(node: Node, kernel_size: Sequence[int]) -> Window:
        """The windows of a convolution, of a gradient of one, or of an unfolding."""
        (rows, columns), a = kernel_size, node.attributes
        return Window((rows, columns), a["stride"], a["padding"], a["dilation"])

    def padded(self, size: Sequence[int]) -> Pair:
        """Rows and columns of an image with its padding."""
        return size[0] + 2 * self.padding[0], size[1] + 2 * self.padding[1]

    def count(self, size: Sequence[int]) -> Pair:
        """Number of rows and columns of windows in an image."""
        return output_size(size, self.kernel_size, self.stride, self.padding, self.dilation)

    def view(self, canvas: torch.Tensor) -> torch.Tensor:
        """All windows of a contiguous, padded NHWC canvas: [N, H', W', kh, kw, C]."""
        n, height, width, channels = canvas.shape
        (sh, sw), (dh, dw) = self.stride, self.dilation
        windows = replace(self, padding=(0, 0)).count((height, width))
        image, row, pixel = height * width * channels, width * channels, channels
        return canvas.as_strided(
            (n, *windows, *self.kernel_size, channels),
            (image, sh * row, sw * pixel, dh * row, dw * pixel, 1),
        )

    def disjoint_taps(self) -> Iterator[tuple[slice, slice]]:
        """Blocks of taps, as (rows, columns), within which no two windows share a pixel."""

        def blocks(axis: int) -> list[slice]:
            block = self.stride[axis] if self.dilation[axis] == 1 else 1
            return [slice(i, i + block) for i in range(0, self.kernel_size[axis], block)]

        return product(blocks(0), blocks(1))

    def interior(self, canvas: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
        """The image within its padded NHWC canvas."""
        (top, left), (height, width) = self.padding, size
        return canvas[:, top : top + height, left : left + width]


@dataclass(frozen=True)
class Tiling:
    """How images are split into tiles whose windows stay in the cache.

    A tile holds either several whole images or some rows of windows of a single image.
    """

    images: int
    rows: int

    @staticmethod
    def of(batch: int, windows: Sequence[int], row_bytes: int) -> Tiling:
        """Tiles for ``batch`` images with ``windows`` (rows, columns), each of ``row_bytes``."""
        image_bytes = max(1, windows[0] * windows[1] * row_bytes)
        images = max(1, min(batch, TILE_BYTES // image_bytes))
        rows = max(1, min(windows[0], TILE_BYTES // max(1, windows[1] * row_bytes)))
        return Tiling(images, windows[0] if images > 1 else rows)

    def image_ranges(self, batch: int) -> Iterator[tuple[int, int]]:
        """Consecutive ranges of images; each range is one or several tiles."""
        for first in range(0, batch, self.images):
            yield first, min(first + self.images, batch)

    def row_ranges(self, rows: int) -> Iterator[tuple[int, int]]:
        """Consecutive ranges of rows of windows, within the images of one range."""
        for first in range(0, rows, self.rows):
            yield first, min(first + self.rows, rows)


@dataclass(frozen=True)
class Gather:
    """Gathers the windows of images, tile by tile, into a matrix with one row per window.

    The scratch tensors are the matrix and a padded canvas for the images of a tile (not needed if
    the images can be read in place).
    """

    window: Window
    channels: int
    groups: int
    batch: int
    size: Pair
    dtype: torch.dtype
    in_place: bool

    @staticmethod
    def of(window: Window, images: Node, groups: int) -> Gather:
        """Gather windows of the images that a node computes."""
        n, channels, height, width = images.sizes
        in_place = lies_channels_last(images) and window.padding == (0, 0)
        return Gather(window, channels, groups, n, (height, width), images.dtype, in_place)

    @property
    def tiling(self) -> Tiling:
        """How the images are split into tiles."""
        return Tiling.of(self.batch, self.windows, self.width * self.dtype.itemsize)

    @property
    def windows(self) -> Pair:
        """Number of rows and columns of windows in an image."""
        return self.window.count(self.size)

    @property
    def width(self) -> int:
        """Number of elements in a window of one group."""
        kh, kw = self.window.kernel_size
        return kh * kw * self.channels // self.groups

    @property
    def traffic(self) -> int:
        """Bytes written to the matrix and read from it, over all tiles and groups."""
        rows, columns = self.windows
        windows = self.batch * rows * columns * self.groups
        return 2 * windows * self.width * self.dtype.itemsize

    def workspace(self) -> list[Spec]:
        """The specs of the scratch tensors: the matrix, then the canvas, if needed."""
        tiling, (_, columns) = self.tiling, self.windows
        matrix = Spec((tiling.images * tiling.rows * columns, self.width), self.dtype)
        return [matrix, *self.canvas(tiling.images)]

    def canvas(self, images: int) -> list[Spec]:
        """The scratch tensor for this many padded images; none if they are read in place."""
        shape = (images, *self.window.padded(self.size), self.channels)
        return [] if self.in_place else [Spec(shape, self.dtype)]

    def pad(
        self, images: torch.Tensor, n0: int, n1: int, scratch: Sequence[torch.Tensor]
    ) -> tuple[list[Run], torch.Tensor]:
        """The runs that pad images n0 to n1 on the canvas, and the padded images in NHWC.

        Must be called for consecutive ranges, starting at 0; the first zeroes the padding.
        ``scratch`` holds the tensors that :meth:`canvas` specifies.
        """
        source = channels_last(images)[n0:n1]
        if self.in_place:
            return [], source
        canvas = scratch[0][: n1 - n0]
        inner = self.window.interior(canvas, self.size)
        runs: list[Run] = [partial(inner.copy_, source)]
        if n0 == 0 and inner.shape != canvas.shape:
            runs.insert(0, scratch[0].zero_)
        return runs, canvas

    def tiles(self, images: torch.Tensor, scratch: Sequence[torch.Tensor]) -> Iterator[Tile]:
        """The tiles of the images, which must be gathered in this order."""
        rows, columns = self.windows
        for n0, n1 in self.tiling.image_ranges(self.batch):
            prepare, canvas = self.pad(images, n0, n1, scratch[1:])
            windows = self.window.view(canvas).unflatten(-1, (self.groups, -1))
            for r0, r1 in self.tiling.row_ranges(rows):
                part = windows[:, r0:r1]
                first = (n0 * rows + r0) * columns
                count = part.shape[0] * part.shape[1] * columns
                matrix = scratch[0][:count]
                yield Tile(prepare, part, matrix, slice(first, first + count))
                prepare = []


@dataclass(frozen=True)
class Tile:
    """Some windows: run ``prepare`` to pad their images, then gather one group after the other.

    Attributes:
        windows: [images, rows, columns, kh, kw, groups, channels per group].
        matrix: receives the windows of a group, one row per window.
        rows: the range of these windows among all windows.
    """

    prepare: list[Run]
    windows: torch.Tensor
    matrix: torch.Tensor
    rows: slice

    def gather(self, group: int) -> Run:
        """Copy the windows of a group into the matrix.

        Copies one row of all windows at a time. Torch's inner loop then runs over windows, which
        takes half the time if rows are short.
        """
        part = self.windows.select(-2, group)
        matrix = self.matrix.view(part.shape)
        rows = zip(matrix.unbind(3), part.unbind(3), strict=True)
        return in_sequence(partial(to.copy_, row) for to, row in rows)
