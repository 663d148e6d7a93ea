"""Register blocking: how sums of products are cut into blocks whose sums stay in registers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

CHAINS = 8
"""Sums that keep a core busy: two multiply-adds start per cycle, and each takes four cycles."""

LOOP = 1.0
"""Cycles of loop overhead per iteration."""


@dataclass(frozen=True)
class Block:
    """Sums that are held in registers: scalars x vectors."""

    scalars: int
    vectors: int

    @property
    def cycles(self) -> float:
        """Cycles to add one product to each sum, with two units that load and two that add."""
        adds = self.scalars * self.vectors
        return max(adds, self.scalars + self.vectors, CHAINS) / 2 + LOOP


@lru_cache
def best_block(scalars: int, vectors: int, accumulators: int) -> Block:
    """The block size with which all sums take the fewest cycles, remainders included."""
    sides = product(range(1, min(scalars, accumulators) + 1), range(1, min(vectors, 4) + 1))
    blocks = [Block(s, v) for s, v in sides if s * v <= accumulators]
    return min(blocks, key=lambda b: _total(b, scalars, vectors))


def _total(block: Block, scalars: int, vectors: int) -> float:
    return sum(
        Block(s, v).cycles
        for s in ranges(scalars, block.scalars).values()
        for v in ranges(vectors, block.vectors).values()
    )


def ranges(count: int, size: int) -> dict[int, int]:
    """Cut ``count`` things into consecutive ranges of at most ``size``: first -> how many."""
    return {first: min(size, count - first) for first in range(0, count, size)}
