"""Sums of contiguous terms that are added up in registers, several vectors side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.native.code.blocking import CHAINS
from engine.native.code.elements import compute
from engine.native.code.expression import CHEAP
from engine.native.code.flat import Flat
from engine.native.code.loops import ADDITIONS, shares
from engine.native.code.operand import SUFFIX, TYPES, Operands
from engine.native.code.text import Text
from ops import Node
from ops.fused import body_of

MOST = 16
"""Most vectors that are added up side by side, in registers."""

MOST_UNROLLED = 64
"""Most operators in the code for all of these, which would take long to compile otherwise."""


@dataclass(frozen=True)
class SideBySide:
    """Vectors of a flat loop, added up so that each lane has the elements of one channel.

    Attributes:
        node: the sum.
        operands: its values.
        flat: the loop over all rows of channels or, for a number, over each row.
        lanes: elements in a vector.
    """

    node: Node
    operands: Operands
    flat: Flat
    lanes: int

    @property
    def count(self) -> int:
        """Vectors side by side: all that begin at different channels, or more."""
        period = self.flat.channels // math.gcd(self.flat.channels, self.lanes)
        return period * -(-CHAINS // period)

    def write(self, text: Text) -> None:
        """Write code that adds up this thread's share, and adds it to ``sums``."""
        count, flat, lanes = self.count, self.flat, self.lanes
        kind, vector = TYPES[self.node.dtype], f"v{SUFFIX[self.node.dtype]}"
        turns, alone = flat.nest.inner // (count * lanes), len(flat.nest.sizes) == 1
        text(f"{vector} sum[{count}] = {{}}, total[{count}] = {{}};", "int added = 0;")
        with flat.nest.outer(text):
            flat.fill(text, self.operands.inputs, lanes)
            begin, end = shares(turns) if alone else ("0", str(turns))
            with text.block(f"for (long turn = {begin}; turn < {end}; turn++)"):
                self._add(text, count, f"turn * {count * lanes}")
                self._carry(text)
            with text.block("if (me == team->threads - 1)" if alone else ""):
                self._add_rest(text, turns * count * lanes)
                self._carry(text)
        text(f"for (int p = 0; p < {count}; p++) total[p] += sum[p];")
        text(f"const {kind} *each = (const {kind} *)total;")
        into = f"sums[i % {math.prod(self.node.sizes)}]"
        text(f"for (int i = 0; i < {count * lanes}; i++) {into} += each[i];")

    def _loop(self, vectors: int) -> str:
        body = body_of(self.node)[:-1]
        cheap = all(step.operator.name in CHEAP for step in body)
        unrolled = cheap and self.count * len(body) <= MOST_UNROLLED
        return f"{f'UNROLL({MOST}) ' if unrolled else ''}for (int p = 0; p < {vectors}; p++)"

    def _add(self, text: Text, vectors: int, first: str) -> None:
        """Add the elements from the first on to as many sums as they are vectors."""
        with text.block(self._loop(vectors)):
            text(f"const long j = {first} + p * {self.lanes};")
            text(f"sum[p] += {self._terms(text, None)};")

    def _add_rest(self, text: Text, first: int) -> None:
        """Add the elements that are not enough for all sums."""
        whole, part = divmod(self.flat.nest.inner - first, self.lanes)
        if whole:
            self._add(text, whole, str(first))
        if part:
            text(f"const int p = {whole};", f"const long j = {first + whole * self.lanes};")
            terms = self._terms(text, part)
            text(f"sum[p] += first_{SUFFIX[self.node.dtype]}({terms}, {part});")

    def _terms(self, text: Text, lanes: int | None) -> str:
        channel = f"p * {self.lanes} % {self.flat.channels}"
        elements = self.flat.elements(self.operands.inputs, channel)
        return compute(text, body_of(self.node)[:-1], elements, self.node.dtype, lanes)

    def _carry(self, text: Text) -> None:
        """Add the sums to the totals after some additions, and begin new ones."""
        with text.block(f"if (++added >= {ADDITIONS})"):
            with text.block(self._loop(self.count)):
                text("total[p] += sum[p];", f"sum[p] = (v{SUFFIX[self.node.dtype]}){{}};")
            text("added = 0;")
