"""The memory plan: from buffers' lifetimes to their offsets in one arena.

This is offline dynamic storage allocation. Heuristics are tried until one reaches the lower bound,
and the lowest peak wins: best fit in order of time, which stays fast for any number of buffers;
largest buffer first (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
Inference", 2020); and a local search (:mod:`engine.packing`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from engine.packing import packed

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register."""

MOST_FOR_PAIRS = 2000
"""With more buffers only best fit is tried, because the others compare all pairs."""

WORTHWHILE = 1 << 16
"""Bytes above the lower bound that make the local search worthwhile."""


@dataclass
class Buffer:
    """Memory that is in use from step ``first`` to step ``last``, inclusive."""

    nbytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Placement:
    """The position of each buffer in the arena.

    Attributes:
        offsets: in bytes, one per buffer, multiples of ALIGNMENT.
        peak_bytes: the size of the arena.
    """

    offsets: tuple[int, ...]
    peak_bytes: int


def place(buffers: Sequence[Buffer]) -> Placement:
    """Give every buffer an offset such that no two in use at the same step overlap."""
    bound = lower_bound(buffers)
    best = _best_fit(buffers)
    for heuristic, gap in (_largest_first, 0), (_packed, WORTHWHILE):
        if best.peak_bytes > bound + gap and len(buffers) <= MOST_FOR_PAIRS:
            best = min(best, heuristic(buffers), key=lambda placement: placement.peak_bytes)
    return best


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The maximum of the bytes in use at one step: no placement has a lower peak."""
    return max(live_bytes(buffers), default=0)


def live_bytes(buffers: Sequence[Buffer]) -> list[int]:
    """The bytes in use at every step, from the first to the last."""
    changes = [0] * (max((buffer.last for buffer in buffers), default=-1) + 2)
    for buffer in buffers:
        changes[buffer.first] += aligned(buffer.nbytes)
        changes[buffer.last + 1] -= aligned(buffer.nbytes)
    return list(accumulate(changes[:-1]))


def aligned(nbytes: int) -> int:
    """The bytes that a buffer of ``nbytes`` takes up."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def _largest_first(buffers: Sequence[Buffer]) -> Placement:
    offsets = [0] * len(buffers)
    placed: list[int] = []  # by offset
    for index in sorted(range(len(buffers)), key=lambda i: (-buffers[i].nbytes, i)):
        buffer, size = buffers[index], aligned(buffers[index].nbytes)
        end_of_last, best, best_gap = 0, None, None
        for other in placed:
            if buffers[other].first > buffer.last or buffers[other].last < buffer.first:
                continue
            gap = offsets[other] - end_of_last
            if gap >= size and (best_gap is None or gap < best_gap):
                best, best_gap = end_of_last, gap
            end_of_last = max(end_of_last, offsets[other] + aligned(buffers[other].nbytes))
        offsets[index] = end_of_last if best is None else best
        insort(placed, index, key=offsets.__getitem__)
    return _placement(buffers, offsets)


def _packed(buffers: Sequence[Buffer]) -> Placement:
    sizes = [aligned(buffer.nbytes) for buffer in buffers]
    lives = [(buffer.first, buffer.last) for buffer in buffers]
    return _placement(buffers, packed(sizes, lives, lower_bound(buffers)))


def _best_fit(buffers: Sequence[Buffer]) -> Placement:
    offsets = [0] * len(buffers)
    holes = _Holes()
    starts = sorted(range(len(buffers)), key=lambda i: (buffers[i].first, -buffers[i].nbytes, i))
    ends = sorted(range(len(buffers)), key=lambda i: (buffers[i].last, i))
    next_end = 0
    for index in starts:
        while next_end < len(ends) and buffers[ends[next_end]].last < buffers[index].first:
            done = ends[next_end]
            holes.give_back(offsets[done], aligned(buffers[done].nbytes))
            next_end += 1
        offsets[index] = holes.take(aligned(buffers[index].nbytes))
    return _placement(buffers, offsets)


class _Holes:
    """The free parts of an arena that grows at its end."""

    def __init__(self) -> None:
        self._by_size: list[tuple[int, int]] = []  # (size, offset)
        self._by_start: dict[int, int] = {}  # offset -> size
        self._by_end: dict[int, int] = {}  # end -> offset
        self._end = 0

    def take(self, size: int) -> int:
        """Allocate ``size`` bytes in the smallest hole that fits; returns their offset."""
        if not size:
            return 0
        position = bisect_left(self._by_size, (size, 0))
        if position < len(self._by_size):
            hole, offset = self._by_size[position]
            self._remove(offset)
            if hole > size:
                self._add(offset + size, hole - size)
            return offset
        # Nothing fits: grow, from the hole at the end of the arena if there is one.
        start = self._by_end.get(self._end, self._end)
        if start != self._end:
            self._remove(start)
        self._end = start + size
        return start

    def give_back(self, offset: int, size: int) -> None:
        """Free bytes, merging them with adjacent holes."""
        if not size:
            return
        if offset + size in self._by_start:
            size += self._remove(offset + size)
        if offset in self._by_end:
            start = self._by_end[offset]
            size += self._remove(start)
            offset = start
        self._add(offset, size)

    def _add(self, offset: int, size: int) -> None:
        insort(self._by_size, (size, offset))
        self._by_start[offset] = size
        self._by_end[offset + size] = offset

    def _remove(self, offset: int) -> int:
        size = self._by_start.pop(offset)
        del self._by_end[offset + size]
        del self._by_size[bisect_left(self._by_size, (size, offset))]
        return size


def _placement(buffers: Sequence[Buffer], offsets: Sequence[int]) -> Placement:
    ends = [o + aligned(b.nbytes) for o, b in zip(offsets, buffers, strict=True)]
    return Placement(tuple(offsets), max(ends, default=0))
