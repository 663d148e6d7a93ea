"""Lowering the memory of an order away from its peak, by exchanging neighbours.

The peak of an order says nothing about its other steps. Lowering the peak further, by recomputing
values, immediately runs into the next highest step.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.schedule.tasks import Tasks, Walk

PASSES = 32
"""Maximum number of passes through the order."""


def smooth(tasks: Tasks, order: Sequence[int]) -> list[int]:
    """The order after exchanging neighbours as long as that evens out their memory.

    Two steps are exchanged if that lowers the sum of squares of the bytes in use during them and
    does not raise the overall peak.
    """
    result = list(order)
    peak = max(tasks.profile(result), default=0)
    for _ in range(PASSES):
        if not _pass(tasks, result, peak):
            break
    return result


def _pass(tasks: Tasks, order: list[int], peak: int) -> bool:
    """Go through the order once and exchange neighbours; returns whether any were exchanged."""
    walk, exchanged, last = Walk(tasks), False, set(tasks.last)
    for i in range(len(order) - 1):
        a, b = order[i : i + 2]
        if a not in tasks.inputs[b] and b not in last:
            now, then = _needed(walk, a, b), _needed(walk, b, a)
            if max(then) <= peak and sum(n * n for n in then) < sum(n * n for n in now):
                order[i], order[i + 1] = b, a
                exchanged = True
        walk.step(order[i])
    return exchanged


def _needed(walk: Walk, first: int, second: int) -> tuple[int, int]:
    """The bytes in use during each of two tasks if they ran next."""
    needs = walk.step(first), walk.step(second)
    walk.undo(second)
    walk.undo(first)
    return needs
