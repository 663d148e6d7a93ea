"""Topological orders of nodes."""

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
    """Every node the roots depend on, inputs first, otherwise in the order they were requested.

    Forward nodes are requested first, then their gradients in reverse-topological order, then the
    updates. Keeping the order of the user and the transformations yields the classic schedule.
    """
    nodes = reachable(roots)
    as_asked = sorted(nodes, key=lambda node: (node.order, id(node)))
    return tuple(as_asked if _follow_inputs(as_asked) else _inputs_first(nodes))


def _follow_inputs(nodes: Iterable[Node]) -> bool:
    done: set[Node] = set()
    for node in nodes:
        if not done.issuperset(node.inputs):
            return False
        done.add(node)
    return True


def _inputs_first(nodes: Iterable[Node]) -> list[Node]:
    """Kahn's algorithm; among the ready nodes, the one requested first comes first."""
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
    return ordered
