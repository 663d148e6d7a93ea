"""Rows of channels as one loop.

Elements of a few channels, or of a number of them that is no multiple of a vector's lanes, would
leave lanes empty in a loop over each row. Where rows lie side by side, vectors cross from one row
to the next instead. An operand that has the same row everywhere is read from a table, in which the
row is repeated until a vector can begin anywhere in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.native.code.elements import Elements
from engine.native.code.loops import Nest
from engine.native.code.operand import TYPES, Operand
from engine.native.code.text import Text


@dataclass(frozen=True)
class Flat:
    """A nest whose two innermost loops, over rows and over channels, are one.

    Attributes:
        nest: the nest with the two loops as one.
        channels: elements of a row; 1 if there was only one loop to begin with.
        repeated: the operands that have the same row everywhere, with their stride along it.
    """

    nest: Nest
    channels: int
    repeated: Mapping[int, int]

    @staticmethod
    def as_is(nest: Nest) -> Flat:
        """A nest whose innermost loop is the only one over contiguous elements."""
        return Flat(nest, 1, {})

    @staticmethod
    def of(nest: Nest, operands: Sequence[int]) -> Flat | None:
        """A nest as flat as these operands allow; None if their rows do not lie side by side."""
        if len(nest.sizes) == 1:
            flat = all(nest.strides[i][-1] in (0, 1) for i in operands)
            return Flat.as_is(nest) if flat else None
        *_, rows, channels = nest.sizes
        repeated = {}
        for i in operands:
            *_, row, step = nest.strides[i]
            if row == 0 and step:
                repeated[i] = step
            elif (row, step) not in ((channels, 1), (0, 0)):
                return None
        merged = tuple((*steps[:-2], steps[-1]) for steps in nest.strides)
        return Flat(Nest((*nest.sizes[:-2], rows * channels), merged), channels, repeated)

    def fill(self, text: Text, inputs: Sequence[Operand], lanes: int) -> None:
        """Write the tables of inputs, whose numbers as operands are by one larger."""
        size = self.channels + lanes
        for n, x in enumerate(inputs):
            if step := self.repeated.get(n + 1):
                row = f"(x{n} + {self.nest.offset(n + 1)})[l % {self.channels} * {step}]"
                text(f"{TYPES[x.dtype]} row{n}[{size}];")
                text(f"for (int l = 0; l < {size}; l++) row{n}[l] = {row};")

    def elements(self, inputs: Sequence[Operand], channel: str) -> list[Elements]:
        """Where the inputs are at index ``j``, which is at a channel, a C expression."""
        return [
            Elements(f"row{n} + {channel}", 1, x.dtype)
            if n + 1 in self.repeated
            else Elements.of(f"x{n}", x, self.nest, n + 1)
            for n, x in enumerate(inputs)
        ]
