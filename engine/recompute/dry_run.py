"""Meeting a memory target by dropping values and recomputing them.

This is a dry run of the steps in limited memory, like dynamic tensor rematerialisation (Kirisame et
al., "Dynamic Tensor Rematerialization", ICLR 2021) but ahead of time. If the next step does not
fit, a value is dropped that is cheap to recompute, large, and not read for a long time; when a
dropped value is read, it is recomputed together with whatever else it needs. Since the graph is
static, the next read of each value is known (Belady, "A Study of Replacement Algorithms", 1966),
and the result is a longer list of steps with nothing left to decide at run time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.schedule.tasks import Tasks

LOOK = 64
"""Maximum number of values visited to estimate the cost of recomputing one."""

MOST_EXTRA = 3.0
"""A run is abandoned when recomputation takes this many times the seconds of the original steps."""


@dataclass(frozen=True)
class Steps:
    """A stage's steps in execution order, and the cost of each.

    Attributes:
        tasks: the stage, without views, which take neither time nor memory.
        order: the tasks in execution order.
        seconds: the estimated time of each task.
        constant: bytes that are always in use.
    """

    tasks: Tasks
    order: Sequence[int]
    seconds: Sequence[float]
    constant: int

    @property
    def least_bytes(self) -> int:
        """The bytes that the largest step needs by itself, a lower bound for any order."""
        tasks = self.tasks
        return self.constant + max(
            (
                sum(tasks.nbytes[root] for root in tasks.reads[task]) + tasks.scratch[task]
                for task in self.order
            ),
            default=0,
        )


@dataclass
class DryRun:
    """Simulates running the steps in limited memory.

    Attributes:
        steps: the steps to run.
        target: the memory limit, in bytes.
        patience: how strongly to prefer dropping values that are not read soon: the exponent of the
            number of steps until the next read.
        order: the tasks as executed, some of them several times.
        peak: the most bytes in use at once.
        extra: seconds spent on recomputation.
        looks: how many steps and values were examined, a measure of the dry run's own time.
    """

    steps: Steps
    target: int
    patience: float

    def __post_init__(self) -> None:
        self.order: list[int] = []
        self.peak = 0
        self.extra = 0.0
        self.looks = 0
        tasks = self._tasks = self.steps.tasks
        self._now = 0
        self._uses = _uses(self.steps)
        self._resident = set(range(tasks.present))
        self._live = self.steps.constant + sum(tasks.nbytes[: tasks.present])
        self._pins: Counter[int] = Counter()  # counts uses by the steps about to run
        self._given = _given(self.steps)
        self._owed: Counter[int] = Counter()  # how many dropped values need each given value
        self._dropped: set[int] = set()
        self._victims: list[int] = []
        self._fixed = _fixed(tasks)

    def run(self) -> bool:
        """Run all steps; returns whether the target is met in reasonable time."""
        limit = MOST_EXTRA * sum(self.steps.seconds[task] for task in self.steps.order)
        for now, task in enumerate(self.steps.order):
            self._now = now
            again = self._missing(task)
            self._pins.update(root for step in (*again, task) for root in self._tasks.reads[step])
            for step in again:
                self._run(step)
                self.extra += self.steps.seconds[step]
            for root in self._tasks.reads[task]:
                self._uses[root].pop()
            self._run(task)
            if self.peak > self.target or self.extra > limit:
                return False
        self._leave_out_unread()
        return True

    def _leave_out_unread(self) -> None:
        """Remove tasks whose values are dropped before being read, and recompute the peak."""
        nbytes, live = self._tasks.nbytes, set(self._tasks.kept)
        used = self.steps.constant + sum(nbytes[root] for root in live)
        order, self.peak = [], 0
        for task in reversed(self.order):
            if task not in live:
                self.extra -= self.steps.seconds[task]
                continue
            ending = [root for root in self._tasks.reads[task] if root not in live]
            used += sum(nbytes[root] for root in ending)
            in_place = any(nbytes[donor] and donor in ending for donor in self._tasks.donors[task])
            need = used + self._tasks.scratch[task] - (nbytes[task] if in_place else 0)
            self.peak = max(self.peak, need)
            live.remove(task)
            live.update(ending)
            used -= nbytes[task]
            order.append(task)
        self.order = order[::-1]

    def _missing(self, task: int) -> list[int]:
        """The tasks that must be recomputed before this one, inputs first."""
        missing: set[int] = set()
        pending = [task]
        while pending:
            for root in self._tasks.reads[pending.pop()]:
                if root not in self._resident and root not in missing:
                    missing.add(root)
                    pending.append(root)
        return sorted(missing)

    def _run(self, task: int) -> None:
        reads, nbytes = self._tasks.reads[task], self._tasks.nbytes
        self._pins.subtract(reads)
        ending = [root for root in reads if not self._needed(root)]
        in_place = any(nbytes[donor] and donor in ending for donor in self._tasks.donors[task])
        need = self._tasks.scratch[task] + (0 if in_place else nbytes[task])
        while self._live + need > self.target:
            victim = self._victim(reads)
            if victim is None:
                break
            self._drop(victim)
        self.peak = max(self.peak, self._live + need)
        self.looks += 1
        self.order.append(task)
        self._live += nbytes[task]
        self._resident.add(task)
        if task in self._dropped:
            self._dropped.remove(task)
            self._owed.subtract(self._given[task])
            ending += self._given[task]
        for root in (*ending, task):
            if root in self._resident and not self._needed(root):
                self._resident.remove(root)
                self._live -= nbytes[root]

    def _needed(self, root: int) -> bool:
        later = self._uses[root] or root in self._tasks.kept
        return bool(later or self._pins[root] or self._owed[root])

    def _drop(self, root: int) -> None:
        self._resident.remove(root)
        self._live -= self._tasks.nbytes[root]
        self._dropped.add(root)
        self._owed.update(self._given[root])

    def _victim(self, reads: Collection[int]) -> int | None:
        """The value that costs least to drop, considering its size and its recomputation time.

        If there are many candidates, several are chosen at once to bound the search time.
        """
        while self._victims:
            victim = self._victims.pop()
            if victim in self._resident and self._droppable(victim, reads):
                return victim
        candidates = [root for root in self._resident if self._droppable(root, reads)]
        self.looks += len(self._resident)
        ranked = sorted(candidates, key=lambda root: (self._loss(root), root))
        self._victims = ranked[: max(1, len(ranked) // 16)][::-1]
        return self._victims.pop() if self._victims else None

    def _droppable(self, root: int, reads: Collection[int]) -> bool:
        return (
            root not in self._given[root]
            and self._tasks.nbytes[root] > 0
            and root not in self._fixed
            and root not in reads
            and not self._pins[root]
            and self._resident.issuperset(self._given[root])
        )

    def _loss(self, root: int) -> float:
        wait = self._uses[root][-1] - self._now
        return self._seconds_again(root) / (self._tasks.nbytes[root] * wait**self.patience)

    def _seconds_again(self, root: int) -> float:
        """The time to recompute a value, including the dropped values it needs."""
        found, pending, total = {root}, [root], 0.0
        while pending:
            current = pending.pop()
            total += self.steps.seconds[current]
            for source in self._tasks.reads[current]:
                if source not in self._resident and source not in found and len(found) < LOOK:
                    found.add(source)
                    pending.append(source)
        return total


def _uses(steps: Steps) -> list[list[int]]:
    """For each root, the positions at which it is read, in descending order (the next one last)."""
    uses: list[list[int]] = [[] for _ in steps.tasks.nodes]
    for position in reversed(range(len(steps.order))):
        for root in steps.tasks.reads[steps.order[position]]:
            uses[root].append(position)
    return uses


def _given(steps: Steps) -> list[frozenset[int]]:
    """For each value, those it would be recomputed from that cannot themselves be recomputed."""
    given: list[frozenset[int]] = []
    for number, reads in enumerate(steps.tasks.reads):
        if number < steps.tasks.present:
            given.append(frozenset([number]))
        else:
            given.append(frozenset[int]().union(*(given[root] for root in reads)))
    return given


def _fixed(tasks: Tasks) -> set[int]:
    """Values that are never dropped: results, and whatever updates compute or read.

    Updates change the parameters from which a value would be recomputed.
    """
    return set(tasks.kept).union(tasks.last, *(tasks.reads[task] for task in tasks.last))
