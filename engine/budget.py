"""The fastest plan that stays within a memory budget, by recomputing values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from engine.cost import seconds
from engine.footprint import footprints, is_leaf
from engine.plan import Plan
from engine.planner import plan_in_order
from engine.recompute import DryRun, Repeated, Steps
from engine.schedule import tasks_by_stage
from engine.schedule.smoothing import smooth
from ops import GraphError
from ops.leaves import is_constant

PATIENCES = (0.0, 0.25, 0.5, 1.0, 2.0)
"""The patience values of the dry runs for each target."""

TARGETS = 64
"""Number of targets between the plan's peak and its largest step's bytes; a power of two."""

EFFORT = 1 << 19
"""What all dry runs together may look at, beside those that find the smallest target; then no
further targets are tried."""


class BudgetError(GraphError):
    """The memory budget is too small.

    Attributes:
        smallest: the smallest feasible budget, in bytes.
    """

    def __init__(self, budget: int, needed: int, smallest: int) -> None:
        super().__init__(
            f"memory_budget={budget:,} bytes is too small: without computing anything again the "
            f"program needs {needed:,}, and the smallest budget that can be kept is "
            f"memory_budget={smallest}"
        )
        self.smallest = smallest


def require_budget(budget: object) -> None:
    """Refuse anything but a positive number of bytes; raises GraphError."""
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 1:
        raise GraphError(f"memory_budget: expected a number of bytes of at least 1, got {budget!r}")


def fit(plan: Plan, budget: int) -> Plan:
    """The plan itself if its peak is within the budget, else one that recomputes some values.

    The candidates come from dry runs for a range of targets that does not depend on the budget. Of
    those within the budget, the one with the least extra time by the cost rule is chosen, so a
    larger budget never yields a slower program. All of them compute the same bits.

    Args:
        plan: a plan with one stage.
        budget: bytes, for everything that the program allocates.

    Raises:
        BudgetError: no candidate is within the budget.
    """
    if plan.placement.peak_bytes <= budget:
        return plan
    candidates = _candidates(plan)
    for candidate in sorted(candidates, key=lambda candidate: candidate.run.extra):
        if candidate.run.peak <= budget and candidate.peak_bytes <= budget:
            return candidate.plan
    raise BudgetError(budget, plan.placement.peak_bytes, _smallest(plan, candidates))


def _smallest(plan: Plan, candidates: list[_Candidate]) -> int:
    smallest = plan.placement.peak_bytes
    for candidate in sorted(candidates, key=lambda candidate: candidate.run.peak):
        if candidate.run.peak >= smallest:
            break
        smallest = min(smallest, max(candidate.run.peak, candidate.peak_bytes))
    return smallest


@dataclass(frozen=True)
class _Candidate:
    """A potential plan: the dry run of its steps."""

    original: Plan
    run: DryRun

    @property
    def peak_bytes(self) -> int:
        return self.plan.placement.peak_bytes

    @cached_property
    def plan(self) -> Plan:
        """The plan in which the steps of the run are nodes of a graph."""
        repeated = Repeated(self.original.graph, self.original.kernels)
        for task in self.run.order:
            repeated.compute(self.run.steps.tasks.nodes[task])
        graph = repeated.graph()
        leaves = [n for n in graph.nodes if is_leaf(n) and not is_constant(n)]
        shapes = footprints(graph, repeated.kernels.__getitem__)
        return plan_in_order(graph, [list(graph.outputs)], shapes, [leaves + repeated.order])


def _candidates(plan: Plan) -> list[_Candidate]:
    """Dry runs for targets from the plan's peak down to what a single step needs.

    First those that bisect to the smallest target that is kept, then others from coarse to fine.
    """
    search = _Search(plan)
    kept, missed = 0, TARGETS + 1
    while missed - kept > 1:
        number = (kept + missed) // 2
        if search.keeps(number):
            kept = number
        else:
            missed = number
    limit = search.looks + EFFORT
    for number in sorted(range(1, TARGETS + 1), key=lambda i: (i > kept, -(i & -i), i)):
        if search.looks > limit:
            break
        search.keeps(number)
    return list(search.found.values())


class _Search:
    """Dry runs of a plan's steps, by the number of their target: the higher, the less memory."""

    def __init__(self, plan: Plan) -> None:
        self.found: dict[tuple[int, ...], _Candidate] = {}
        self.looks = 0
        self._plan = plan
        steps = _steps(plan)
        self._variants = steps, replace(steps, order=smooth(steps.tasks, steps.order))
        self._range = plan.placement.peak_bytes, steps.least_bytes
        self._kept: dict[int, bool] = {}

    def keeps(self, number: int) -> bool:
        """Whether a run keeps to the target; runs are remembered."""
        if number not in self._kept:
            highest, lowest = self._range
            target = highest - (highest - lowest) * number // TARGETS
            self._kept[number] = False
            for steps, patience in product(self._variants, PATIENCES):
                self._kept[number] |= self._try(DryRun(steps, target, patience))
        return self._kept[number]

    def _try(self, run: DryRun) -> bool:
        kept = run.run()
        if kept:
            self.found.setdefault(tuple(run.order), _Candidate(self._plan, run))
        self.looks += run.looks
        return kept


def _steps(plan: Plan) -> Steps:
    kernels = plan.kernels
    (stage,) = plan.stages
    shapes = footprints(plan.graph, kernels.__getitem__)
    ((_, tasks),) = tasks_by_stage(plan.graph, [list(stage.outputs)], shapes)
    number = {node: i for i, node in enumerate(tasks.nodes)}
    views = {i for node, i in number.items() if i >= tasks.present and node not in kernels}
    return Steps(
        tasks=tasks.without(views),
        order=[number[step.node] for step in stage.steps if step.kernel is not None],
        seconds=[seconds(n, kernels[n]) if n in kernels else 0.0 for n in tasks.nodes],
        constant=plan.constant_bytes,
    )
