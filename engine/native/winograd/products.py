"""The products of each place, summed in registers."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.native.code.blocking import Block, best_block, ranges
from engine.native.code.operand import SUFFIX, TYPES
from engine.native.code.registers import Registers
from engine.native.code.text import Text
from engine.native.toolchain.target import Machine


@dataclass(frozen=True)
class Products:
    """``y[s, m] = sum over i of x(i, s) w[i, m]``, one such matrix product per place.

    Attributes:
        rows: number of s, the scalars of x that have sums.
        results: number of m, in whole vectors; also the length of a row of w and of y.
        step, scalar: elements of x from one i to the next, and from one s to the next.
        added: whether sums are added to y instead of overwriting it.
        dtype: of all values.
        machine: what the code is for.
    """

    rows: int
    results: int
    step: int
    scalar: int
    added: bool
    dtype: torch.dtype
    machine: Machine

    def write(self, text: Text) -> None:
        """Write the functions that hold blocks of sums in registers."""
        for rows in sorted(set(ranges(self.rows, self._block.scalars).values())):
            for vectors in sorted(set(ranges(self._vectors, self._block.vectors).values())):
                self._function(text, rows, vectors)

    def call(self, text: Text, x: str, w: str, y: str, count: str) -> None:
        """Write the calls that sum over ``count`` i; x, w and y are C expressions for pointers."""
        size = self._block.scalars
        whole = self.rows // size * size
        for v, vectors in ranges(self._vectors, self._block.vectors).items():
            columns = f"{w} + {v * self._lanes}, {y} + {v * self._lanes}"
            with text.block(f"for (long s = 0; s < {whole}; s += {size})"):
                text(self._call(size, vectors, "s", x, columns, count))
            if rest := self.rows - whole:
                text(self._call(rest, vectors, str(whole), x, columns, count))

    def _call(self, rows: int, vectors: int, first: str, x: str, columns: str, count: str) -> str:
        """A call of the function for so many sums, from row ``first`` on."""
        places = f"{x} + {first} * {self.scalar}, {columns} + {first} * {self.results}"
        return f"products@_{rows}x{vectors}({places}, {count});"

    @property
    def _lanes(self) -> int:
        return self.machine.target.lanes(self.dtype)

    @property
    def _vectors(self) -> int:
        return self.results // self._lanes

    @property
    def _block(self) -> Block:
        return best_block(self.rows, self._vectors, self.machine.target.accumulators)

    def _function(self, text: Text, rows: int, vectors: int) -> None:
        kind, s, lanes = TYPES[self.dtype], SUFFIX[self.dtype], self._lanes
        sums = Registers(rows, vectors, self.dtype)
        pointers = f"const {kind} *x, const {kind} *w, {kind} *y"
        with text.block(f"NOINLINE void products@_{rows}x{vectors}({pointers}, long count)"):
            sums.declare(text)
            steps = f"i++, x += {self.step}, w += {self.results}"
            with text.block(f"for (long i = 0; i < count; {steps})"):
                sums.add_products(
                    text,
                    lambda r: f"x[{r * self.scalar}]",
                    lambda v: f"load_{s}(w + {v * lanes})",
                )
            for name, r, v in sums.each():
                at = f"y + {r * self.results + v * lanes}"
                old = f"load_{s}({at}) + " if self.added else ""
                text(f"store_{s}({at}, {old}{name});")
        text("")
