"""One sum of taps to be written in C: how it is cut and read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from engine.native.code.blocking import Block, best_block
from engine.native.code.operand import TYPES, Operand
from engine.native.code.text import Text
from engine.native.taps.anchor import Anchor, find_anchor, taps_of
from engine.native.taps.canvas import Canvas
from engine.native.taps.geometry import PositionClass, Taps
from engine.native.toolchain.target import Machine
from ops import Node

MOST_DOTTED = 4
"""Most neighbouring pixels for which a vector of weights, once loaded, is used."""


@dataclass(frozen=True)
class TapSum:
    """A node that is a sum of taps, and the elementwise operators that follow.

    Attributes:
        node, anchor: the node, and the convolution within it.
        taps: what is summed.
        image: the images x.
        machine: what the code is for.
    """

    node: Node
    anchor: Anchor
    taps: Taps
    image: Operand
    machine: Machine

    @staticmethod
    def of(node: Node, inputs: tuple[Operand, ...], machine: Machine) -> TapSum:
        """For a node that ``is_sum_of_taps`` or ``is_depthwise`` of :mod:`.anchor` accepts."""
        anchor = find_anchor(node)
        assert anchor is not None
        taps = taps_of(node, anchor, inputs[anchor.weight])
        return TapSum(node, anchor, taps, inputs[anchor.image], machine)

    @property
    def dtype(self) -> torch.dtype:
        """The float type of all values."""
        return self.node.dtype

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.machine.target.lanes(self.dtype)

    @property
    def vectors(self) -> int:
        """Vectors per pixel of a group's result, the last of which may be partial."""
        return 1 if self.interleaved else -(-self.taps.results // self.lanes)

    @cached_property
    def interleaved(self) -> bool:
        """Whether all classes are computed at once, each in its own lanes of one vector.

        This is done where they have so few channels that all classes fit into one vector.
        """
        classes, grouped = self.taps.classes, self.taps.groups > 1
        whole = not grouped and len(classes) == self.taps.out_step[0] * self.taps.out_step[1] > 1
        alike = len({(c.rows, c.columns) for c in classes}) == 1
        return whole and alike and len(classes) * self.taps.results <= self.lanes

    @cached_property
    def positions(self) -> tuple[PositionClass, ...]:
        """The classes or, if interleaved, one class with a tap for every place that is read.

        Taps are in reading order.
        """
        if not self.interleaved:
            return tuple(replace(c, taps=tuple(sorted(c.taps))) for c in self.taps.classes)
        first = self.taps.classes[0]
        places = {(tap.dy, tap.dx): tap for c in self.taps.classes for tap in c.taps}
        return (PositionClass((0, 0), first.rows, first.columns, tuple(sorted(places.values()))),)

    def classes_at_once(self, number: int) -> tuple[PositionClass, ...]:
        """The classes that one of :attr:`positions` stands for."""
        return self.taps.classes if self.interleaved else (self.taps.classes[number],)

    def row(
        self,
        text: Text,
        canvas: Canvas,
        position: PositionClass,
        channel: str = "0",
        image: str = "in",
    ) -> None:
        """Declare where row ``i`` of a class reads, ``from``, and where it writes, ``to``.

        ``channel`` and ``image`` are C expressions: the first channel, and where images are read.
        """
        taps, (a, b) = self.taps, position.offset
        in_row = taps.in_step[0] * canvas.width * taps.in_channels
        text(
            f"const {TYPES[self.dtype]} *from = {image} + (i - first) * {in_row};",
            f"const long to = n * {taps.out_image} + (i * {taps.out_step[0]} + {a})"
            f" * {taps.out_row} + {b * taps.out_channels} + {channel};",
        )

    def tiles(
        self, text: Text, columns: int, size: int, function: str, reads: str, channel: str = ""
    ) -> None:
        """Call functions for the tiles of a row, each named after the number of its pixels."""

        def tile(pixels: int, j: str) -> str:
            of, to = (f"from + {j} * {self.taps.in_pixel}", f"to + {j} * {self.taps.out_pixel}")
            return f"{function}x{pixels}(&sides, {of}, {reads}, {to}{channel});"

        whole, rest = divmod(columns, size)
        if whole:
            with text.block(f"for (long j = 0; j < {whole * size}; j += {size})"):
                text(tile(size, "j"))
        if rest:
            text(tile(rest, str(whole * size)))

    @property
    def dots(self) -> int:
        """Sums per position, of all classes that are computed at once."""
        return self.taps.results * (len(self.taps.classes) if self.interleaved else 1)

    @cached_property
    def dotted(self) -> bool:
        """Whether vectors run over terms and each sum is a dot product; see :mod:`.dots`.

        This is done where it takes fewer steps, adding up lanes included, and the sums fit in
        registers.
        """
        if (
            self.taps.groups > 1
            or self.taps.terms % self.lanes
            or self.dots > min(self.lanes, self._accumulators)
        ):
            return False
        places = sum(len(c.taps) for c in self.positions) * self.taps.terms
        products = sum(len(c.taps) for c in self.taps.classes) * self.taps.results
        adding = len(self.positions) * 3 * self.lanes
        return products * (self.taps.terms // self.lanes) + adding < places

    def packed_size(self, number: int) -> int:
        """Elements of a class's packed weights for one group."""
        if self.dotted:
            count = sum(len(c.taps) for c in self.classes_at_once(number))
            return count * self.taps.results * self.taps.terms
        return len(self.positions[number].taps) * self.taps.terms * self.vectors * self.lanes

    @cached_property
    def block(self) -> Block:
        """The block of sums in registers: pixels x vectors."""
        columns = self.taps.grid[1]
        if self.dotted:
            return Block(max(1, min(columns, MOST_DOTTED, self._accumulators // self.dots)), 1)
        return best_block(columns, self.vectors, self._accumulators)

    @property
    def _accumulators(self) -> int:
        return self.machine.target.accumulators

    @cached_property
    def canvas(self) -> Canvas:
        """How the images are read."""
        return Canvas.of(self.taps, self.image, self.lanes, self.machine.threads)
