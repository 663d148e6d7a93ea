"""Packing buffers more tightly: local search over the order in which they are placed.

Placing buffers in some order, each at the lowest offset that is free for its whole lifetime, gives
a placement, and some order gives an optimal one. Like TVM's hill climbing (``tvm.tir.usmp``), the
search moves a buffer that ends at the peak ahead of an overlapping one that was placed earlier.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from math import inf

Life = tuple[int, int]
"""The first and the last step at which a buffer is in use."""

EFFORT = 1 << 17
"""Pairs of buffers that each search may examine, which bounds its time."""

SEARCHES = 4
"""Searches from the same start with different random seeds; luck decides how far each gets."""

LARGE = 1 / 200
"""Fraction of the lower bound; smaller buffers are placed last, wherever there is room."""


def packed(sizes: Sequence[int], lives: Sequence[Life], bound: int) -> list[int]:
    """Offsets for buffers with these sizes and lifetimes, with the lowest peak found.

    ``bound`` is a lower bound of the peak.
    """
    by_size = sorted(range(len(sizes)), key=lambda i: (-sizes[i], i))
    large = [i for i in by_size if sizes[i] >= LARGE * bound]
    neighbours = _neighbours(large, lives)
    orders = (_searched(large, sizes, neighbours, bound, seed) for seed in range(SEARCHES))
    order = min(orders, key=lambda order: _peak(_stacked(order, sizes, neighbours), sizes))
    everything = order + by_size[len(large) :]
    offsets = _stacked(everything, sizes, _neighbours(everything, lives))
    return [offsets[i] for i in range(len(sizes))]


def _searched(
    order: list[int],
    sizes: Sequence[int],
    neighbours: Mapping[int, Sequence[int]],
    bound: int,
    seed: int,
) -> list[int]:
    """The order with the lowest peak found, starting from the given one."""
    dice = random.Random(seed)
    offsets = _stacked(order, sizes, neighbours)
    peak = least = _peak(offsets, sizes)
    best = order
    for _ in range(EFFORT // max(1, sum(map(len, neighbours.values())))):
        if least <= bound:
            break
        highest = [i for i in order if offsets[i] + sizes[i] == peak]
        candidate = _moved(order, highest, neighbours, dice)
        placed = _stacked(candidate, sizes, neighbours, _alike(order, candidate, offsets), peak)
        height = _peak(placed, sizes)
        if height > peak:
            # An occasional step up escapes local minima.
            if dice.random() >= 0.02:
                continue
            placed = _stacked(candidate, sizes, neighbours, placed)
            height = _peak(placed, sizes)
        order, offsets, peak = candidate, placed, height
        if height < least:
            best, least = candidate, height
    return best


def _alike(
    order: Iterable[int], other: Iterable[int], offsets: Mapping[int, int]
) -> dict[int, int]:
    """The offsets of the first buffers, as far as both orders are alike."""
    both = takewhile(lambda pair: pair[0] == pair[1], zip(order, other, strict=True))
    return {i: offsets[i] for i, _ in both}


def _moved(
    order: list[int],
    highest: Sequence[int],
    neighbours: Mapping[int, Sequence[int]],
    dice: random.Random,
) -> list[int]:
    """The order with a buffer from the peak moved ahead of a neighbour, or with any two swapped."""
    result = list(order)
    top = dice.choice(highest)
    at = order.index(top)
    before = set(order[:at])
    below = [i for i in neighbours[top] if i in before]
    if below and dice.random() < 0.7:
        result.pop(at)
        result.insert(order.index(dice.choice(below)), top)
    else:
        i, j = dice.randrange(len(order)), dice.randrange(len(order))
        result[i], result[j] = result[j], result[i]
    return result


def _neighbours(buffers: Iterable[int], lives: Sequence[Life]) -> dict[int, list[int]]:
    """For each buffer, the others whose lifetimes overlap its own."""
    by_start = sorted(buffers, key=lambda i: lives[i][0])
    result: dict[int, list[int]] = {i: [] for i in by_start}
    open_ones: list[int] = []
    for i in by_start:
        open_ones = [j for j in open_ones if lives[j][1] >= lives[i][0]]
        for j in open_ones:
            result[i].append(j)
            result[j].append(i)
        open_ones.append(i)
    return result


def _stacked(
    order: Sequence[int],
    sizes: Sequence[int],
    neighbours: Mapping[int, Sequence[int]],
    first: Mapping[int, int] | None = None,
    most: float = inf,
) -> dict[int, int]:
    """Offsets of buffers placed in this order, each at the lowest free for its whole lifetime.

    Args:
        order, sizes, neighbours: the buffers.
        first: the offsets of the first of them, if they are known.
        most: after a buffer that ends above it, no other is placed.
    """
    offsets = dict(first or {})
    for i in order[len(offsets) :]:
        size, lowest = sizes[i], 0
        taken = [(offsets[j], offsets[j] + sizes[j]) for j in neighbours[i] if j in offsets]
        for start, end in sorted(taken):
            if start - lowest >= size:
                break
            lowest = max(lowest, end)
        offsets[i] = lowest
        if lowest + size > most:
            break
    return offsets


def _peak(offsets: Mapping[int, int], sizes: Sequence[int]) -> int:
    return max((offset + sizes[i] for i, offset in offsets.items()), default=0)
