"""A lower bound of the memory peak that holds for every order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.schedule.tasks import Tasks

MOST = 3000
"""With more tasks a cheaper bound considers each task alone, since this one compares all pairs."""


def least_bytes(tasks: Tasks) -> int:
    """The largest number of bytes that some task needs in memory, whatever the order.

    While a task runs, a value must be in memory if the task depends on it and it is read by the
    task or by a task that depends on it.
    """
    unavoidable = _unavoidable(tasks) if len(tasks.nodes) <= MOST else _read(tasks)
    needs = [sum(tasks.nbytes[: tasks.present])]
    for task in range(tasks.present, len(tasks.nodes)):
        in_place = any(tasks.nbytes[donor] for donor in tasks.donors[task])
        own = 0 if in_place else tasks.nbytes[task]
        needs.append(unavoidable[task] + tasks.scratch[task] + own)
    return max(needs)


def _read(tasks: Tasks) -> list[int]:
    """For each task, the bytes of the values it reads."""
    return [sum(tasks.nbytes[root] for root in roots) for roots in tasks.reads]


def _unavoidable(tasks: Tasks) -> list[int]:
    """For each task, the bytes of other values that are in memory whenever it runs."""
    everyone = (1 << len(tasks.nodes)) - 1
    before = _closed(tasks.inputs, range(len(tasks.nodes)))
    after = _closed(tasks.consumers, reversed(range(len(tasks.nodes))))
    result = [0] * len(tasks.nodes)
    for root, nbytes in enumerate(tasks.nbytes):
        if not nbytes:
            continue
        made = everyone if root < tasks.present else after[root]
        needed = everyone if root in tasks.kept else 0
        for reader in tasks.readers[root]:
            needed |= before[reader]
        for task in _members(made & needed & ~(1 << root)):
            result[task] += nbytes
    return result


def _closed(links: Sequence[Sequence[int]], order: Iterable[int]) -> list[int]:
    """The transitive closure: for each number, the set of numbers reachable from it, as bits."""
    result = [0] * len(links)
    for i in order:
        result[i] = 1 << i
        for target in links[i]:
            result[i] |= result[target]
    return result


def _members(bits: int) -> list[int]:
    return [i for i, bit in enumerate(reversed(bin(bits)[2:])) if bit == "1"]
