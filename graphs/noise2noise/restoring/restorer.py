"""Runs a network on whole pictures of any size and number of channels, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch

from engine import Program, compile
from graphs.builder import GraphBuilder
from graphs.module import Module
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.restoring.cleaner import Advance, Cleaner, Read, Shape, Write
from graphs.noise2noise.restoring.receptive_field import receptive_field
from graphs.noise2noise.restoring.tiles import Tile, cover, even_side, least_side, up_to_multiple

PROGRAMS_KEPT = 4
"""How many compiled programs a restorer keeps; the least recently used is dropped first."""

MAX_BYTES = 1 << 30
SIDE = 512
"""Side of tiles, beyond which larger ones are not faster."""

FEW = 3
"""Tiles may be at least this many times the smallest possible side, if memory allows: with less,
most of the work is done twice."""

MANY_TILES = 16
"""The number of tiles from which compiling native code pays off."""

COPIES = 3
"""Copies of a tile outside the program: as read, as fed, as returned."""


class Restorer(Cleaner):
    """Cleans pictures with a network, in tiles if they are large or memory is short.

    Tiles overlap by the network's receptive field, so the result equals that of the whole picture
    at once. The network may keep learning between calls: its parameters are shared, not copied.

    If the network's number of channels differs from the picture's, it is applied to each of the
    picture's channels separately: it sees the channel repeated as often as it takes, and its
    results are averaged.

    Args:
        net: maps pictures (N, C, H, W) to pictures of the same shape. Pictures whose sides are not
            divisible as it requires are extended by repeating their last row and column.
        channels: the C that it takes.
        max_bytes: the most memory for the computation.
        side: the longest side of tiles, unless the network sees further; by default a fast one.

    Attributes:
        field: the network's receptive field.
    """

    def __init__(
        self,
        net: Module,
        channels: int = 3,
        *,
        max_bytes: int = MAX_BYTES,
        side: int | None = None,
    ) -> None:
        g = GraphBuilder("restorer")
        self._graph = g.build(clean=net(g.input("noisy", ("N", channels, "H", "W"))))
        self._channels = channels
        self._max_bytes = max_bytes
        self._side = side
        self.field = receptive_field(self._graph, "clean")
        self._programs = lru_cache(PROGRAMS_KEPT)(self._compile)

    def restore(self, shape: Shape, read: Read, write: Write, advance: Advance) -> None:
        """See :meth:`Cleaner.restore`.

        Raises:
            InputError: not even the smallest tile fits in the memory allowed.
        """
        count, height, width = self._seen(shape)
        side = self.tile(count, height, width)
        tiles = list(cover(height, width, *side, self.field))
        program = self._program_for(tiles, count, *side)
        height, width = shape[2:]
        done = 0
        for tile in tiles:
            clean = self._through(program, _extended(read, tile, height, width))
            rows, columns = tile.rows.within(height), tile.columns.within(width)
            write(
                slice(rows.keep_start, rows.keep_stop),
                slice(columns.keep_start, columns.keep_stop),
                clean[:, :, rows.kept, columns.kept],
            )
            done += (rows.keep_stop - rows.keep_start) * (columns.keep_stop - columns.keep_start)
            advance(done / (height * width))

    def require_memory(self, shape: Shape) -> None:
        """Check that pictures (N, C, H, W) can be cleaned in the memory allowed.

        Raises:
            InputError: not even the smallest tile fits.
        """
        self.tile(*self._seen(shape))

    def _seen(self, shape: Shape) -> tuple[int, int, int]:
        """Number, height and width of the pictures that the network is given for some pictures."""
        count, channels, height, width = shape
        return (
            count if channels == self._channels else count * channels,
            up_to_multiple(height, self.field.rows.multiple),
            up_to_multiple(width, self.field.columns.multiple),
        )

    def _through(self, program: Program, noisy: torch.Tensor) -> torch.Tensor:
        count, channels = noisy.shape[:2]
        if channels == self._channels:
            return program(noisy=noisy.contiguous())["clean"]
        each = noisy.reshape(count * channels, 1, *noisy.shape[2:])
        alike = each.expand(-1, self._channels, -1, -1).contiguous()
        return program(noisy=alike)["clean"].mean(1).reshape(noisy.shape)

    def tile(self, count: int, height: int, width: int) -> tuple[int, int]:
        """Height and width of the tiles: the whole picture if small, less if memory is short."""
        reaches = self.field.rows, self.field.columns
        least = [least_side(reach) for reach in reaches]
        most = [max(self._side or max(SIDE, FEW * low), low) for low in least]
        while True:
            rows, columns = (
                even_side(length, side, reach)
                for length, side, reach in zip((height, width), most, reaches, strict=True)
            )
            needed = self.bytes_for(count, rows, columns)
            if needed <= self._max_bytes:
                return rows, columns
            if most == least:
                raise InputError(
                    f"the network needs {needed:,} bytes for its smallest tile, {columns}x{rows} "
                    f"pixels; allowed are {self._max_bytes:,}"
                )
            most = [max(low, side * 3 // 4) for low, side in zip(least, most, strict=True)]

    def bytes_for(self, count: int, height: int, width: int) -> int:
        """The memory that a tile takes: the program, and its pixels on their way in and out."""
        pixels = count * self._channels * height * width
        program = self._programs(count, height, width, "torch")
        return program.peak_bytes + COPIES * 4 * pixels

    def _program_for(self, tiles: Sequence[Tile], count: int, height: int, width: int) -> Program:
        """The program for the tiles: native for many, if it takes no more memory than torch's."""
        program = self._programs(count, height, width, "torch")
        if len(tiles) < MANY_TILES:
            return program
        faster = self._programs(count, height, width, "auto")
        return faster if faster.peak_bytes <= program.peak_bytes else program

    def _compile(self, count: int, height: int, width: int, backend: str) -> Program:
        return compile(self._graph, outputs=["clean"], backend=backend, N=count, H=height, W=width)


def _extended(read: Read, tile: Tile, height: int, width: int) -> torch.Tensor:
    """A tile's pixels; beyond the picture, its last row and column are repeated."""
    rows, columns = tile.rows, tile.columns
    part = read(
        slice(rows.start, min(rows.stop, height)), slice(columns.start, min(columns.stop, width))
    )
    down = torch.arange(rows.stop - rows.start).clamp_(max=part.shape[2] - 1)
    across = torch.arange(columns.stop - columns.start).clamp_(max=part.shape[3] - 1)
    return part[:, :, down][:, :, :, across]
