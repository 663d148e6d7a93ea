"""List schedules: greedily pick the task that is best for memory.

Source: Graham, "Bounds on Multiprocessing Timing Anomalies", 1969, for list scheduling; the
priority, least additional memory first, comes from register-pressure scheduling (Goodman and Hsu,
"Code Scheduling and Register Allocation in Large Basic Blocks", 1988). The time is proportional to
the number of edges, times a logarithm.
"""

from __future__ import annotations

import heapq

from engine.schedule.tasks import Tasks


def from_the_start(tasks: Tasks) -> list[int]:
    """Schedule forwards: of the ready tasks, run the one that takes least memory or frees most."""
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
            if left[root] == 1:  # its last reader frees it
                better += tasks.readers[root]
        for other in better:
            if other in waiting and not missing[other]:
                heapq.heappush(ready, (taken(other), other))
    return [*order, *tasks.last]


def from_the_end(tasks: Tasks) -> list[int]:
    """Schedule backwards: of the ready tasks, put last the one that needs least memory before it.

    A task is ready once all its consumers are scheduled. Values are thus computed when they are
    needed, not as soon as possible.
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
