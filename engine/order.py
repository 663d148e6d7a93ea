"""Orders of nodes in which every node follows its inputs."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from ops.node import Node


def reachable(roots: Iterable[Node]) -> set[Node]:
    """The roots and everything they depend on."""
    found: set[Node] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending.extend(node.inputs)
    return found


def topological(roots: Iterable[Node]) -> tuple[Node, ...]:
    """Every node the roots depend on, inputs first, otherwise in the order they were asked for.

    Forward nodes are asked for first, then their gradients in reverse-topological order, then the
    updates: following the user's and the transformations' own order gives the classic schedule.
    """
    nodes = reachable(roots)
    consumers: dict[Node, list[Node]] = {node: [] for node in nodes}
    missing = {node: len(set(node.inputs)) for node in nodes}
    for node in nodes:
        for source in set(node.inputs):
            consumers[source].append(node)
    ready = [(node.order, id(node), node) for node in nodes if not missing[node]]
    heapq.heapify(ready)
    ordered = []
    while ready:
        node = heapq.heappop(ready)[-1]
        ordered.append(node)
        for consumer in consumers[node]:
            missing[consumer] -= 1
            if not missing[consumer]:
                heapq.heappush(ready, (consumer.order, id(consumer), consumer))
    return tuple(ordered)
