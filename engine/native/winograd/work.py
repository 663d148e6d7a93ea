"""A thread's memory for a chunk of blocks: places of pixels, places of results, and a patch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, TYPES, Operand
from engine.native.code.text import Text
from engine.native.toolchain.target import Machine
from engine.native.winograd.blocks import SIDE, Blocks
from engine.native.winograd.squares import Squares
from ops import Spec

APART = 16
"""Padding between places, in elements, so that a block's places fall into different cache sets."""


@dataclass(frozen=True)
class Work:
    """The work on blocks, chunk by chunk.

    Attributes:
        blocks: all blocks.
        image: the images x.
        machine: what the code is for.
    """

    blocks: Blocks
    image: Operand
    machine: Machine

    @property
    def chunk(self) -> int:
        """Blocks per chunk."""
        return self.blocks.chunk(self.machine.threads)

    @property
    def pixel_place(self) -> int:
        """Elements from one place of pixels to the next."""
        return self.chunk * self.blocks.terms + APART

    @property
    def result_place(self) -> int:
        """The same for results."""
        return self.chunk * self.blocks.taps.results + APART

    @property
    def squares(self) -> Squares:
        """The squares that are read from x."""
        side, step = self.blocks.side, self.blocks.step
        transform = f"from_pixels_{side}"
        return Squares(self.image, side, step, transform, "pixels@", self.pixel_place)

    def scratch(self) -> Spec:
        """Scratch for all threads."""
        return Spec((self.machine.threads, self._size), self.image.dtype)

    @property
    def _size(self) -> int:
        taps, places = self.blocks.taps, self.blocks.places
        patch = max(places * taps.terms, SIDE**2 * taps.results)
        return places * (self.pixel_place + self.result_place) + patch

    def pointers(self, text: Text, scratch: Operand) -> None:
        """Declare this thread's ``pixels``, ``results`` and ``patch``."""
        kind, places = TYPES[self.image.dtype], self.blocks.places
        text(
            f"{kind} *pixels = ({kind} *)({scratch.address}) + me * {self._size};",
            f"{kind} *results = pixels + {places * self.pixel_place};",
            f"{kind} *patch = results + {places * self.result_place};",
        )

    def chunks_loop(self) -> str:
        """The head of the loop over this thread's chunks."""
        first, last = shares(-(-self.blocks.count // self.chunk))
        return f"for (long u = {first}; u < {last}; u++)"

    def bounds(self, text: Text) -> None:
        """Declare ``first`` and ``last`` (excluded), the blocks of chunk ``u``."""
        end = f"(u + 1) * {self.chunk}"
        text(f"const long first = u * {self.chunk};")
        text(f"const long last = least({end}, {self.blocks.count});")

    def blocks_loop(self) -> str:
        """The head of the loop over a chunk's blocks."""
        return "for (long b = first; b < last; b++)"

    def position(self, text: Text) -> None:
        """Declare the image ``n`` of block ``b``, and its first row ``i`` and column ``j``."""
        rows, columns = self.blocks.grid
        text(
            f"const long n = b / {rows * columns};",
            f"const long i = b / {columns} % {rows} * {SIDE}, j = b % {columns} * {SIDE};",
        )

    def read(self, text: Text, number: int) -> None:
        """Transform the pixels that a class reads for block ``b`` into places, in ``pixels``."""
        taps, (down, right) = self.blocks.taps, self.blocks.taps.in_step
        for f, one in enumerate(self.blocks.filters[number]):
            to = f"pixels + (b - first) * {self.blocks.terms} + {f * taps.terms}"
            first = f"i * {down} + {one.dy}, j * {right} + {one.dx}"
            text(f"pixels@(x + n * {self.image.strides[0]}, {first}, patch, {to});")

    def transform(self, text: Text, name: str, at: str, row: int) -> None:
        """Transform a thread's terms of a filter's taps into places, or back, in place.

        ``row``: how many elements there are in a row of the square that is transformed.
        """
        slot, results = self.blocks.slot, self.blocks.taps.results
        place = f"{at} + begin * {results}"
        squares = f"{name}_{self.blocks.side}_squares_{SUFFIX[self.image.dtype]}"
        count = f"(end - begin) * {results}"
        text(f"{squares}({place}, {row * slot}, {slot}, {place}, {slot}, {count});")
