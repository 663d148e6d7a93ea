"""A stage's nodes as numbered tasks, and the memory profile of an order of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from engine.footprint import Footprints, has_memory, is_leaf
from engine.memory import aligned
from ops import Node
from ops.leaves import input


@dataclass(frozen=True)
class Tasks:
    """What a search for a good order needs to know, in lists indexed by number.

    Values that exist before the stage begins are numbered first, then the tasks, both in creation
    order. A view has no memory of its own; it belongs to its root.

    Attributes:
        nodes: the node with each number.
        present: how many values exist before the stage begins.
        inputs, consumers: the tasks that must run before and after.
        reads: the roots whose memory a task reads, each once.
        readers: the tasks that read a root's memory.
        nbytes: the bytes of memory of its own.
        scratch: the bytes of scratch memory while a task runs.
        donors: the roots that the result may overwrite.
        kept: roots that are needed after the stage.
        last: tasks that run last, in this order.
    """

    nodes: Sequence[Node]
    present: int
    inputs: Sequence[Sequence[int]]
    consumers: Sequence[Sequence[int]]
    reads: Sequence[Sequence[int]]
    readers: Sequence[Sequence[int]]
    nbytes: Sequence[int]
    scratch: Sequence[int]
    donors: Sequence[Sequence[int]]
    kept: frozenset[int]
    last: Sequence[int]

    def readings(self) -> list[int]:
        """How often each root will be read, counting being kept as one more read."""
        return [len(readers) + (i in self.kept) for i, readers in enumerate(self.readers)]

    def profile(self, order: Iterable[int]) -> list[int]:
        """The bytes in use while each task runs, in this order."""
        walk = Walk(self)
        return [walk.step(task) for task in order]

    def without(self, views: Collection[int]) -> Tasks:
        """The same tasks without views; their readers depend on the root instead."""
        reads = [[] if i in views else roots for i, roots in enumerate(self.reads)]
        inputs = [[root for root in roots if root >= self.present] for roots in reads]
        return replace(
            self,
            inputs=inputs,
            consumers=reversed_links(inputs),
            reads=reads,
            readers=reversed_links(reads),
        )


class Walk:
    """Steps through tasks, tracking the bytes in use."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._left = tasks.readings()
        self._live = sum(tasks.nbytes[: tasks.present])

    def step(self, task: int) -> int:
        """Run a task; returns the bytes in use while it runs."""
        tasks, left = self._tasks, self._left
        nbytes, freed = tasks.nbytes, 0
        for root in tasks.reads[task]:
            left[root] -= 1
            if not left[root]:
                freed += nbytes[root]
        need = self._live + tasks.scratch[task] + nbytes[task]
        for donor in tasks.donors[task]:
            if not left[donor] and nbytes[donor]:
                need -= nbytes[task]
                break
        self._live += nbytes[task] - freed
        return need

    def undo(self, task: int) -> None:
        """Undo the last step, which must have been this task."""
        for root in self._tasks.reads[task]:
            if not self._left[root]:
                self._live += self._tasks.nbytes[root]
            self._left[root] += 1
        self._live -= self._tasks.nbytes[task]


def tasks_of(
    nodes: Sequence[Node],
    footprints: Footprints,
    *,
    kept: Iterable[Node],
    last: Collection[Node],
    elsewhere: Collection[Node],
) -> Tasks:
    """Number the nodes of a stage.

    Args:
        nodes: the nodes, in creation order.
        footprints: footprints of these nodes and of those they read.
        kept: nodes whose values are needed after the stage.
        last: nodes that run last; must include their consumers.
        elsewhere: nodes whose values are written to memory outside the program.
    """
    tasks = [node for node in nodes if not is_leaf(node)]
    here = set(nodes)
    roots = [footprints[s].root for task in tasks for s in task.inputs if s not in here]
    present = [node for node in nodes if node.operator is input]
    present += [root for root in dict.fromkeys(roots) if has_memory(root)]
    numbered = [*present, *tasks]
    number = {node: i for i, node in enumerate(numbered)}

    def numbers(wanted: Iterable[Node]) -> list[int]:
        return [number[node] for node in dict.fromkeys(wanted) if node in number]

    def own_bytes(node: Node) -> int:
        own = footprints[node].root is node and node not in elsewhere
        return aligned(node.spec.nbytes) if own else 0

    leaves: list[list[int]] = [[] for _ in present]
    inputs = leaves + [[i for i in numbers(n.inputs) if i >= len(present)] for n in tasks]
    reads = leaves + [numbers(footprints[s].root for s in n.inputs) for n in tasks]
    return Tasks(
        nodes=numbered,
        present=len(present),
        inputs=inputs,
        consumers=reversed_links(inputs),
        reads=reads,
        readers=reversed_links(reads),
        nbytes=[own_bytes(node) for node in numbered],
        scratch=[sum(aligned(s.nbytes) for s in footprints[n].workspace) for n in numbered],
        donors=[numbers(footprints[node].donors) for node in numbered],
        kept=frozenset(numbers(footprints[node].root for node in kept)),
        last=[number[node] for node in tasks if node in last],
    )


def reversed_links(links: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each number, those whose links lead to it."""
    result: list[list[int]] = [[] for _ in links]
    for i, targets in enumerate(links):
        for target in targets:
            result[target].append(i)
    return result
