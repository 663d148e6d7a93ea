"""3x3 convolutions with stride 1 by 16 products instead of 36, in blocks of 4x4 pixels.

A block x gives 2x2 results: ``y = A'[(G w G') * (B' x B)]A``, where ``*`` is a matrix product over
the channels at each of 16 places. The gradients are the adjoints of the same steps. A, B and G
consist of sums and differences, taken along the rows and then along the columns.

Rounding errors are relative to the largest number of a block, and non-finite values spread to all
results of their blocks. Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural
Networks", CVPR 2016: F(2x2, 3x3), after Winograd's minimal filtering.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from engine.kernels.kernel import Run, Tensors
from engine.kernels.patches import Gather, Tiling
from ops import Spec

PRODUCTS = 16 / 36
"""The fraction of a convolution's products that is executed."""


# Along one axis, given the slices along it.


def _from_pixels(x: Tensors, out: Tensors) -> list[Run]:
    """B': four pixels to four places."""
    return [
        partial(torch.sub, x[0], x[2], out=out[0]),
        partial(torch.add, x[1], x[2], out=out[1]),
        partial(torch.sub, x[2], x[1], out=out[2]),
        partial(torch.sub, x[1], x[3], out=out[3]),
    ]


def _to_results(m: Tensors, out: Tensors) -> list[Run]:
    """A': four places to two results."""
    return [
        partial(torch.add, m[0], m[1], out=out[0]),
        partial(out[0].add_, m[2]),
        partial(torch.sub, m[1], m[2], out=out[1]),
        partial(out[1].sub_, m[3]),
    ]


def _from_results(y: Tensors, out: Tensors) -> list[Run]:
    """A, the adjoint of A'."""
    return [
        partial(out[0].copy_, y[0]),
        partial(torch.add, y[0], y[1], out=out[1]),
        partial(torch.sub, y[0], y[1], out=out[2]),
        partial(torch.neg, y[1], out=out[3]),
    ]


def _from_taps(w: Tensors, out: Tensors) -> list[Run]:
    """G: three taps to four places, w0, (w0 + w1 + w2)/2, (w0 - w1 + w2)/2 and w2."""
    return [
        partial(out[0].copy_, w[0]),
        partial(torch.lerp, w[0], w[2], 0.5, out=out[3]),
        partial(torch.add, out[3], w[1], alpha=0.5, out=out[1]),
        partial(torch.sub, out[3], w[1], alpha=0.5, out=out[2]),
        partial(out[3].copy_, w[2]),
    ]


def _to_taps(u: Tensors, out: Tensors) -> list[Run]:
    """G', the adjoint of G."""
    return [
        partial(torch.add, u[1], u[2], out=out[1]),
        partial(torch.add, u[0], out[1], alpha=0.5, out=out[0]),
        partial(torch.add, u[3], out[1], alpha=0.5, out=out[2]),
        partial(torch.sub, u[1], u[2], out=out[1]),
        partial(out[1].sub_, out[1], alpha=0.5),
    ]


# Along both axes.


def from_taps(weight: torch.Tensor, rows: torch.Tensor, places: torch.Tensor) -> list[Run]:
    """Compute places [4, 4, A, B], G w G' of a weight [A, 3, 3, B], through rows [4, A, 3, B]."""
    runs = _from_taps(weight.unbind(1), rows.unbind(0))
    return runs + _from_taps(rows.unbind(2), places.unbind(1))


def from_rotated_taps(weight: torch.Tensor, rows: torch.Tensor, places: torch.Tensor) -> list[Run]:
    """Like :func:`from_taps`, but for the weight rotated by 180 degrees."""
    runs = _from_taps(weight.unbind(1)[::-1], rows.unbind(0))
    return runs + _from_taps(rows.unbind(2)[::-1], places.unbind(1))


def to_taps(places: torch.Tensor, rows: torch.Tensor, weight: torch.Tensor) -> list[Run]:
    """The adjoint of :func:`from_taps`."""
    runs = _to_taps(places.unbind(1), rows.unbind(2))
    return runs + _to_taps(rows.unbind(0), weight.unbind(1))


@dataclass(frozen=True)
class Blocks:
    """The blocks of padded images, in tiles that stay in the cache.

    Attributes:
        images: gathers the padded images that blocks are read from.
        results: number of channels of the results.
    """

    images: Gather
    results: int

    @property
    def count(self) -> tuple[int, int]:
        """Number of rows and columns of blocks in an image."""
        rows, columns = self.images.windows
        return rows // 2, columns // 2

    @property
    def tiling(self) -> Tiling:
        """How the blocks are split into tiles."""
        block = 16 * (self.images.channels + self.results) * self.images.dtype.itemsize
        return Tiling.of(self.images.batch, self.count, block)

    @property
    def traffic(self) -> int:
        """Bytes that the steps write and read; every sum has two terms."""
        rows, columns = self.count
        block = (64 * self.images.channels + 88 * self.results) * self.images.dtype.itemsize
        return self.images.batch * rows * columns * block

    def workspace(self) -> list[Spec]:
        """The specs of the scratch tensors, shared by all tiles."""
        tiling, images = self.tiling, self.images
        shapes = self._shapes(tiling.images, tiling.rows)
        return [*(Spec(shape, images.dtype) for shape in shapes), *images.canvas(tiling.images)]

    def _shapes(self, images: int, rows: int) -> tuple[tuple[int, ...], ...]:
        """A tile's scratch shapes: rows of pixels, pixels, results and rows of results."""
        _, width = self.images.window.padded(self.images.size)
        blocks, channels = (images, rows, self.count[1]), self.images.channels
        return (
            (4, images, rows, width, channels),
            (4, 4, *blocks, channels),
            (4, 4, *blocks, self.results),
            (4, *blocks, 2, self.results),
        )

    def tiles(self, images: torch.Tensor, scratch: Tensors) -> Iterator[Tile]:
        """The tiles, which must be computed in this order."""
        spaces, canvas = scratch[:4], scratch[4:]
        for n0, n1 in self.tiling.image_ranges(self.images.batch):
            read, padded = self.images.pad(images, n0, n1, canvas)
            for r0, r1 in self.tiling.row_ranges(self.count[0]):
                shapes = self._shapes(n1 - n0, r1 - r0)
                rows, pixels, results, result_rows = map(_front, spaces, shapes)
                read += _from_pixels(_every_second(padded[:, 2 * r0 :], 1, r1 - r0), rows.unbind())
                read += _from_pixels(_every_second(rows, 3, self.count[1]), pixels.unbind(1))
                place = slice(n0, n1), slice(2 * r0, 2 * r1)
                yield Tile(read, pixels, results, result_rows, place)
                read = []


@dataclass(frozen=True)
class Tile:
    """Some blocks: ``read`` transforms their pixels.

    Attributes:
        pixels, results: the transformed values, [4, 4, images, rows, columns, channels].
        rows: scratch for results between the transforms along the two axes.
        place: the images and rows of the results.
    """

    read: list[Run]
    pixels: torch.Tensor
    results: torch.Tensor
    rows: torch.Tensor
    place: tuple[slice, slice]

    def write(self, images: torch.Tensor) -> list[Run]:
        """Transform the results and write them to NHWC images."""
        runs = _to_results(self.results.unbind(1), self.rows.unbind(4))
        return runs + _to_results(self.rows.unbind(), self._pairs(images))

    def spread(self, images: torch.Tensor) -> list[Run]:
        """The adjoint of :meth:`write`."""
        runs = _from_results(self._pairs(images), self.rows.unbind())
        return runs + _from_results(self.rows.unbind(4), self.results.unbind(1))

    def _pairs(self, images: torch.Tensor) -> Tensors:
        """The even and the odd rows, each [images, rows, columns, 2, channels]."""
        return images[self.place].unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).unbind(2)


def matrices(places: torch.Tensor) -> torch.Tensor:
    """View places [4, 4, ..., channels] as 16 matrices, one row per block."""
    return places.flatten(2, -2).flatten(0, 1)


def _every_second(x: torch.Tensor, axis: int, count: int) -> Tensors:
    """Four views of ``count`` slices, every second one, starting at the first to the fourth."""
    before = (slice(None),) * axis
    return [x[(*before, slice(k, k + 2 * count - 1, 2))] for k in range(4)]


def _front(space: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The leading elements of a scratch tensor, in this shape."""
    return space.view(-1)[: math.prod(shape)].view(shape)
