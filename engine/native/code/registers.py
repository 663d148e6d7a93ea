"""Sums of products that stay in registers: of every scalar of a few with every vector of a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from engine.native.code.operand import SUFFIX, TYPES
from engine.native.code.text import Text

Expression = Callable[[int], str]
"""A C expression for a scalar or a vector, by its number."""


@dataclass(frozen=True)
class Registers:
    """Sums ``s<scalar>_<vector>`` in generated code.

    Attributes:
        scalars, vectors: how many of each.
        dtype: of all elements.
    """

    scalars: int
    vectors: int
    dtype: torch.dtype

    def declare(self, text: Text) -> None:
        """Write the declaration of the sums, which are zero."""
        for s in range(self.scalars):
            zeros = (f"{self._name(s, v)} = {{}}" for v in range(self.vectors))
            text(f"v{SUFFIX[self.dtype]} {', '.join(zeros)};")

    def add_products(self, text: Text, scalar: Expression, vector: Expression) -> None:
        """Write code that adds one product to each sum."""
        for v in range(self.vectors):
            text(f"const v{SUFFIX[self.dtype]} v{v} = {vector(v)};")
        for s in range(self.scalars):
            adds = " ".join(f"{self._name(s, v)} += c{s} * v{v};" for v in range(self.vectors))
            text(f"const {TYPES[self.dtype]} c{s} = {scalar(s)}; {adds}")

    def each(self) -> Iterator[tuple[str, int, int]]:
        """Each sum's name, and the numbers of its scalar and of its vector."""
        for s in range(self.scalars):
            for v in range(self.vectors):
                yield self._name(s, v), s, v

    def _name(self, scalar: int, vector: int) -> str:
        return f"s{scalar}_{vector}"
