"""Improving an order at its memory peak, move by move.

Local search: the first move that lowers the peak is taken. A task moves together with all tasks
that must stay before or after it, so every intermediate order is valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.schedule.tasks import Tasks

EFFORT = 1 << 18
"""Number of tasks visited in total, which bounds the time for graphs of any size."""


def sift(tasks: Tasks, order: Sequence[int]) -> list[int]:
    """The order after moving values that are in memory at the peak, as long as that lowers it.

    A value that is only read after the peak may be computed after it; all remaining readers of a
    value may move before the peak. Among orders with the same peak, the one that reaches it less
    often is better.
    """
    current, height = list(order), _height(tasks.profile(order))
    tries = EFFORT // max(1, len(order))
    moves = _moves(tasks, current)
    while tries > 0:
        moved = next(moves, None)
        if moved is None:
            break
        tries -= 1
        candidate = _height(tasks.profile(moved))
        if candidate < height:
            current, height, moves = moved, candidate, _moves(tasks, moved)
    return current


def _height(profile: Sequence[int]) -> tuple[int, int]:
    """The peak, and how often it is reached."""
    peak = max(profile, default=0)
    return peak, profile.count(peak)


def _moves(tasks: Tasks, order: list[int]) -> Iterator[list[int]]:
    """The orders that are one move away."""
    profile = tasks.profile(order)
    at = profile.index(max(profile)) if profile else 0
    if at >= len(order) - len(tasks.last):
        return
    cut = _Cut(tasks, order, at)
    for root in cut.live():
        delayed = cut.delayed(root)
        if delayed:
            yield cut.behind(delayed)
            sources = cut.sources_of(delayed)
            if sources:
                yield cut.behind(delayed | sources)
        advanced = cut.advanced(root)
        if advanced:
            yield cut.before(advanced)


class _Cut:
    """An order, cut at one task."""

    def __init__(self, tasks: Tasks, order: list[int], at: int) -> None:
        self.tasks = tasks
        self.order = order
        self.at = at
        self.position = [-1] * len(tasks.nodes)
        for i, task in enumerate(order):
            self.position[task] = i
        # Found once: to meet them anew on the way from each root takes quadratic time in chains.
        self.never_behind = _closure(order[at], tasks.inputs)
        self.never_before = _closure(order[at], tasks.consumers) | set(tasks.last)

    def live(self) -> list[int]:
        """The roots that are in memory at the cut and read after it, largest first."""
        before = (*range(self.tasks.present), *self.order[: self.at])
        roots = [root for root in before if self.tasks.nbytes[root] and self._read_later(root)]
        return sorted(roots, key=lambda root: -self.tasks.nbytes[root])

    def _read_later(self, root: int) -> bool:
        readers = self.tasks.readers[root]
        return root in self.tasks.kept or any(self.position[r] > self.at for r in readers)

    def delayed(self, root: int) -> set[int]:
        """The tasks that must move behind the cut with a root; empty if that is impossible."""
        if root < self.tasks.present or root in self.never_behind:
            return set()
        moved, pending = {root}, [root]
        while pending:
            for consumer in self.tasks.consumers[pending.pop()]:
                if self.position[consumer] <= self.at and consumer not in moved:
                    moved.add(consumer)
                    pending.append(consumer)
        return moved

    def sources_of(self, moved: set[int]) -> set[int]:
        """The tasks before the cut that only serve the moved tasks, directly or indirectly."""
        sources: set[int] = set()
        for task in reversed(self.order[: self.at]):
            consumers = self.tasks.consumers[task]
            if task not in moved and all(
                c in moved or c in sources or self.position[c] > self.at for c in consumers
            ):
                sources.add(task)
        return sources

    def advanced(self, root: int) -> set[int]:
        """The tasks that must move before the cut with a root's readers; empty if impossible."""
        readers = {r for r in self.tasks.readers[root] if self.position[r] > self.at}
        if root in self.tasks.kept or not readers.isdisjoint(self.never_before):
            return set()
        moved, pending = readers, list(readers)
        while pending:
            for source in self.tasks.inputs[pending.pop()]:
                if self.position[source] >= self.at and source not in moved:
                    moved.add(source)
                    pending.append(source)
        return moved

    def behind(self, moved: set[int]) -> list[int]:
        """The order with some tasks moved behind the cut."""
        head = self.order[: self.at + 1]
        stay, go = _parted(head, moved)
        return [*stay, *go, *self.order[self.at + 1 :]]

    def before(self, moved: set[int]) -> list[int]:
        """The order with some tasks moved before the cut."""
        stay, go = _parted(self.order[self.at :], moved)
        return [*self.order[: self.at], *go, *stay]


def _closure(task: int, neighbours: Sequence[Sequence[int]]) -> set[int]:
    """A task and all that are reached from it."""
    found, pending = {task}, [task]
    while pending:
        new = [n for n in neighbours[pending.pop()] if n not in found]
        found.update(new)
        pending += new
    return found


def _parted(order: list[int], moved: set[int]) -> tuple[list[int], list[int]]:
    return [t for t in order if t not in moved], [t for t in order if t in moved]
