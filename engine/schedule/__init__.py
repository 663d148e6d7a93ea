"""The order of the steps: creation order, or one with a lower memory peak."""

from __future__ import annotations

from collections.abc import Sequence

from engine.footprint import Footprints, is_leaf
from engine.graph import Graph
from engine.order import reachable
from engine.schedule.greedy import from_the_end, from_the_start
from engine.schedule.sifting import sift
from engine.schedule.tasks import Tasks, tasks_of
from ops import Node
from ops.leaves import is_constant

Schedule = Sequence[Sequence[Node]]
"""For each stage, its nodes in the order of execution, without constants."""


def by_creation(graph: Graph, stages: Sequence[Sequence[str]]) -> Schedule:
    """For each stage, the nodes that no earlier stage has computed, in creation order.

    This is the classic order: forward, then the gradients in reverse-topological order, then the
    updates, which belong to the last stage.
    """
    done: set[Node] = set()
    result = []
    for i, names in enumerate(stages):
        roots = [graph.outputs[name] for name in names]
        if i == len(stages) - 1:
            roots += [update.value for update in graph.updates]
        needed = reachable(roots) - done
        result.append([n for n in graph.nodes if n in needed and not is_constant(n)])
        done |= needed
    return result


def of_low_peak(graph: Graph, stages: Sequence[Sequence[str]], footprints: Footprints) -> Schedule:
    """The nodes of each stage in an order with a low memory peak.

    The best of three orders, each improved by sifting: creation order, and list schedules built
    from the start and from the end.
    """
    return [
        [node for node in nodes if is_leaf(node)] + _of_low_peak(tasks)
        for nodes, tasks in tasks_by_stage(graph, stages, footprints)
    ]


def tasks_by_stage(
    graph: Graph, stages: Sequence[Sequence[str]], footprints: Footprints
) -> list[tuple[Sequence[Node], Tasks]]:
    """Each stage's nodes in creation order, and the corresponding tasks."""
    kept = [update.value for update in graph.updates]
    updates: set[Node] = set(kept)
    result = []
    for nodes, names in reversed(list(zip(by_creation(graph, stages), stages, strict=True))):
        kept += [graph.outputs[name] for name in names]
        last = _updating(nodes, updates)
        tasks = tasks_of(nodes, footprints, kept=kept, last=last, elsewhere=updates)
        result.append((nodes, tasks))
        kept += [source for node in nodes for source in node.inputs]
        updates = set()
    return result[::-1]


def _updating(nodes: Sequence[Node], values: set[Node]) -> set[Node]:
    """Nodes that serve only the updates, if there are any, and all nodes that depend on them.

    They run last, so that an error during a run leaves the parameters unchanged.
    """
    read = {source for node in nodes for source in node.inputs}
    found: set[Node] = set()
    for node in nodes:
        updating = node.provenance.update or (node in values and node not in read)
        if values and (updating or not found.isdisjoint(node.inputs)):
            found.add(node)
    return found


def _of_low_peak(tasks: Tasks) -> list[Node]:
    creation = list(range(tasks.present, len(tasks.nodes)))
    orders = [
        sift(tasks, start) for start in (creation, from_the_start(tasks), from_the_end(tasks))
    ]
    best = min(orders, key=lambda order: max(tasks.profile(order), default=0))
    return [tasks.nodes[task] for task in best]
