"""List schedules: always the task that is best for the memory now.

Source: Graham, "Bounds on Multiprocessing Timing Anomalies", 1969, for list scheduling; the
priority, least memory taken first, is that of register-pressure scheduling (Goodman and Hsu, "Code
Scheduling and Register Allocation in Large Basic Blocks", 1988). Each takes time in proportion to
the edges, times a logarithm.
"""

from __future__ import annotations

import heapq

from engine.schedule.tasks import Tasks


def from_the_start(tasks: Tasks) -> list[int]:
    """Of the tasks whose inputs are there, first the one that takes least memory or frees most."""
    left, missing = tasks.readings(), [len(inputs) for inputs in tasks.inputs]
    waiting = set(range(tasks.present, len(tasks.nodes))).difference(tasks.last)

    def taken(task: int) -> int:
        freed = sum(tasks.nbytes[root] for root in tasks.reads[task] if left[root] == 1)
        return tasks.nbytes[task] - freed

    ready = [(taken(task), task) for task in waiting if not missing[task]]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        key, task = heapq.heappop(ready)
        if task not in waiting or key != taken(task):
            continue
        waiting.remove(task)
        order.append(task)
        better = []
        for consumer in tasks.consumers[task]:
            missing[consumer] -= 1
            better.append(consumer)
        for root in tasks.reads[task]:
            left[root] -= 1
            if left[root] == 1:  # whoever reads it last frees it
                better += tasks.readers[root]
        for other in better:
            if other in waiting and not missing[other]:
                heapq.heappush(ready, (taken(other), other))
    return [*order, *tasks.last]


def from_the_end(tasks: Tasks) -> list[int]:
    """Backwards: of the tasks whose consumers follow, last the one that needs least memory before.

    So a value is computed when it is needed, not when it is possible.
    """
    missing = [len(consumers) for consumers in tasks.consumers]
    waiting = set(range(tasks.present, len(tasks.nodes)))
    live = set(tasks.kept)
    order: list[int] = []
    ready: list[tuple[int, int]] = []

    def needed(task: int) -> int:
        inputs = sum(tasks.nbytes[root] for root in tasks.reads[task] if root not in live)
        return inputs - (tasks.nbytes[task] if task in live else 0)

    def put(task: int) -> None:
        waiting.remove(task)
        order.append(task)
        live.discard(task)
        better = list(tasks.inputs[task])
        for source in better:
            missing[source] -= 1
        for root in tasks.reads[task]:
            if root not in live:
                live.add(root)
                better += [root, *tasks.readers[root]]
        for other in better:
            if other in waiting and not missing[other]:
                heapq.heappush(ready, (needed(other), -other))

    for task in reversed(tasks.last):
        put(task)
    for task in waiting:
        if not missing[task]:
            heapq.heappush(ready, (needed(task), -task))
    while ready:
        key, negative = heapq.heappop(ready)
        if -negative in waiting and key == needed(-negative):
            put(-negative)
    return order[::-1]
