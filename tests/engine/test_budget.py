"""Memory budgets: kept to the byte, with bitwise equal results, for the least time found."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from engine import BudgetError, Graph, Program, compile
from engine.planner import least_bytes_in_any_order
from engine.recompute import DryRun, Steps
from engine.schedule.smoothing import smooth
from graphs import SGD, Adam, GraphBuilder
from graphs.architectures import UNet
from ops import GraphError
from ops.provenance import RECOMPUTATION
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.engine.test_schedule import TASKS, Tasks, require_legal
from tests.support import allocated, parameter_of, same_bits, values

SHARES = st.floats(0.0, 1.0)


def smallest_budget(graph: Graph, **options: Any) -> int:
    """The smallest possible budget, as reported when a budget of one byte is refused."""
    with pytest.raises(BudgetError) as refused:
        compile(graph, memory_budget=1, **options)
    return refused.value.smallest


def training_graph() -> Graph:
    """A U-Net with skips and pooling, small, and its loss."""
    g = GraphBuilder("training")
    noisy, target = g.input("noisy", (2, 3, 32, 32)), g.input("target", (2, 3, 32, 32))
    clean = UNet(channels=8, depth=2)(noisy)
    return g.build(clean=clean, loss=ops.mse(clean, target))


def shots() -> dict[str, torch.Tensor]:
    return {n: values(2, 3, 32, 32, seed=i).float() for i, n in enumerate(("noisy", "target"))}


@settings(max_examples=max(10, settings.default.max_examples // 5))
@given(random_graphs(), SHARES)
def test_random_graphs_under_random_budgets(case: RandomGraph, share: float) -> None:
    program = compile(case.graph, **case.sizes)
    if not program.peak_bytes:
        return
    smallest = smallest_budget(case.graph, **case.sizes)
    assert smallest <= program.peak_bytes
    budget = int(smallest + share * (program.peak_bytes - smallest))
    expected = program(**case.feeds)
    for allowed in {budget, smallest}:
        small = compile(case.graph, memory_budget=allowed, **case.sizes)
        assert small.peak_bytes <= allowed
        assert allocated(lambda small=small: small.borrow(**case.feeds)) == [small.peak_bytes]
        assert allocated(lambda small=small: small.borrow(**case.feeds)) == []
        for name, value in small(**case.feeds).items():
            assert same_bits(value, expected[name]), f"{name} of {case}"


@given(random_graphs(), st.lists(SHARES, min_size=2, max_size=4))
@settings(max_examples=max(10, settings.default.max_examples // 5))
def test_a_larger_budget_is_never_slower(case: RandomGraph, shares: list[float]) -> None:
    program = compile(case.graph, **case.sizes)
    smallest = smallest_budget(case.graph, **case.sizes) if program.peak_bytes else 1
    budgets = [int(smallest + share * (program.peak_bytes - smallest)) for share in sorted(shares)]
    programs = [compile(case.graph, memory_budget=max(1, b), **case.sizes) for b in budgets]
    times = [p.estimated_seconds for p in programs] + [program.estimated_seconds]
    assert all(slow >= fast - 1e-12 for slow, fast in pairwise(times))


OPTIMIZERS = {
    "momentum": lambda: SGD(lr=0.01, momentum=0.9, weight_decay=1e-3),
    "Adam": lambda: Adam(lr=0.01),
}


@pytest.mark.parametrize(("optimizer", "backend"), [("momentum", "torch"), ("Adam", "native")])
def test_training_under_a_budget_is_the_same_to_the_bit(optimizer: str, backend: str) -> None:
    graph = training_graph()
    start = {name: p.attributes["parameter"].tensor.clone() for name, p in graph.parameters.items()}

    def trained(memory_budget: int | None) -> tuple[Program, list[torch.Tensor]]:
        for name, tensor in start.items():
            parameter_of(graph, name).assign(tensor)
        step = compile(graph, minimize="loss", optimizer=OPTIMIZERS[optimizer](), backend=backend,
                       memory_budget=memory_budget)  # fmt: skip
        results = [step(**shots())["loss"] for _ in range(3)]
        return step, results + [parameter_of(graph, name).tensor.clone() for name in start]

    whole, expected = trained(None)
    options = {"minimize": "loss", "optimizer": OPTIMIZERS[optimizer](), "backend": backend}
    budget = smallest_budget(graph, **options)
    small, actual = trained(budget)
    assert small.peak_bytes == budget < whole.peak_bytes
    assert whole.estimated_seconds < small.estimated_seconds < 1.5 * whole.estimated_seconds
    assert all(same_bits(a, b) for a, b in zip(actual, expected, strict=True))
    assert least_bytes_in_any_order(small._runtime.plan) <= small.least_bytes <= small.peak_bytes


def test_what_is_allocated_is_what_was_promised() -> None:
    graph = training_graph()
    options = {"minimize": "loss", "optimizer": SGD(lr=0.1, momentum=0.9)}
    smallest = smallest_budget(graph, **options)
    step = compile(graph, memory_budget=smallest, **options)
    given = shots()
    assert allocated(lambda: step.borrow(**given)) == [step.peak_bytes]
    assert step.peak_bytes == smallest
    assert allocated(lambda: step.borrow(**given)) == []


def test_a_deep_chain_does_with_little() -> None:
    g = GraphBuilder("deep")
    value, weight = g.input("x", (64, 64)), g.parameter("weight", (64, 64))
    for _ in range(100):
        value = ops.tanh(value * weight)
    options: dict[str, Any] = {"minimize": "loss", "optimizer": SGD(lr=0.1), "backend": "torch"}
    graph = g.build(loss=ops.mean(value))
    assert smallest_budget(graph, **options) < 0.1 * compile(graph, **options).peak_bytes


def test_a_budget_below_the_smallest_is_refused_with_it() -> None:
    graph = training_graph()
    smallest = smallest_budget(graph)
    for budget in (1, smallest // 2, smallest - 1):
        with pytest.raises(BudgetError, match=rf"={budget:,} bytes is too small.*={smallest}$"):
            compile(graph, memory_budget=budget)
    assert compile(graph, memory_budget=smallest).peak_bytes == smallest


@pytest.mark.parametrize("budget", [0, -1, -(10**9), True, 1e9, 1.5, "1 GB", torch.tensor(5)])
def test_what_is_no_number_of_bytes_is_refused(budget: Any) -> None:
    with pytest.raises(GraphError, match="memory_budget: expected a number of bytes of at least 1"):
        compile(training_graph(), memory_budget=budget)


def test_with_budget_to_spare_nothing_is_computed_twice() -> None:
    graph = training_graph()
    program = compile(graph)
    for budget in (program.peak_bytes, 10**15):
        same = compile(graph, memory_budget=budget)
        assert [s.operator for s in same.steps()] == [s.operator for s in program.steps()]
        assert same.peak_bytes == program.peak_bytes


def test_reports_show_what_is_computed_again() -> None:
    graph = training_graph()
    options: dict[str, Any] = {"minimize": "loss", "optimizer": SGD(lr=0.1), "backend": "torch"}
    whole = compile(graph, **options)
    small = compile(graph, memory_budget=smallest_budget(graph, **options), **options)
    again = [step for step in small.steps() if RECOMPUTATION in step.rewrites]
    assert len(small.steps()) == len(whole.steps()) + len(again)
    assert {step.phase for step in again} <= {step.phase for step in whole.steps()}
    assert {step.source for step in again} <= {step.source for step in whole.steps()}
    assert RECOMPUTATION in small.report()
    assert RECOMPUTATION not in whole.report()


def deep(layers: int) -> Graph:
    g = GraphBuilder("deep")
    y, w = g.input("x", (64, 64)), g.parameter("w", (64, 64))
    for _ in range(layers):
        y = ops.tanh(y @ w)
    return g.build(loss=ops.mean(y))


def test_a_deep_network_trains_in_memory_of_the_root_of_its_depth() -> None:
    """Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016: for one more forward."""
    options = {"minimize": "loss", "optimizer": SGD(lr=0.1)}
    whole = compile(deep(64), **options)
    layer = 64 * 64 * 4
    assert whole.peak_bytes > 62 * layer
    small = compile(deep(64), memory_budget=20 * layer, **options)
    assert small.estimated_seconds < 1.4 * whole.estimated_seconds


@pytest.mark.slow
def test_many_steps_take_proportionate_time() -> None:
    options = {"minimize": "loss", "optimizer": SGD(lr=0.1)}
    whole = compile(deep(1000), **options)
    assert compile(deep(1000), memory_budget=whole.peak_bytes // 4, **options).peak_bytes


def steps_of(tasks: Tasks) -> Steps:
    order = [i for i in range(len(tasks.nodes)) if i not in tasks.last] + list(tasks.last)
    return Steps(
        tasks=tasks,
        order=order,
        seconds=[1.0 + i % 3 for i in range(len(tasks.nodes))],
        constant=64,
    )


@given(TASKS, SHARES, st.sampled_from([0.0, 0.5, 2.0]))
def test_a_dry_run_keeps_what_it_promises(tasks: Tasks, share: float, patience: float) -> None:
    steps = steps_of(tasks)
    highest = 64 + max(tasks.profile(steps.order))
    target = int(steps.least_bytes + share * (highest - steps.least_bytes))
    run = DryRun(steps, target, patience)
    if not run.run():
        assert target < highest
        return
    assert run.peak <= target
    first = list(dict.fromkeys(run.order))
    assert sorted(first) == sorted(steps.order)
    assert run.order[len(run.order) - len(tasks.last) :] == list(tasks.last)
    extra = sum(steps.seconds[task] for task in run.order) - sum(map(float, steps.seconds))
    assert abs(run.extra - extra) < 1e-9
    assert run.peak == 64 + peak_of(tasks, run.order)


def peak_of(tasks: Tasks, order: list[int]) -> int:
    """The most bytes in use: each computation's value lives until its last reader."""
    made: dict[int, int] = {}
    end = list(range(len(order)))
    for position, task in enumerate(order):
        for source in tasks.reads[task]:
            assert source in made, "read before it is computed"
            end[made[source]] = position
        made[task] = position
    for root in tasks.kept:
        end[made[root]] = len(order)
    latest: dict[int, int] = {}
    peak = 0
    for position, task in enumerate(order):
        live = [i for i in range(position + 1) if end[i] >= position]
        used = sum(tasks.nbytes[order[i]] for i in live) + tasks.scratch[task]
        if any(end[latest[donor]] == position for donor in tasks.donors[task]):
            used -= tasks.nbytes[task]
        latest[task] = position
        peak = max(peak, used)
    return peak


@given(TASKS)
def test_smoothing_keeps_the_peak_and_the_law(tasks: Tasks) -> None:
    order = steps_of(tasks).order
    smoothed = smooth(tasks, order)
    require_legal(tasks, smoothed)
    assert max(tasks.profile(smoothed)) <= max(tasks.profile(order))
    squares = [sum(n * n for n in tasks.profile(each)) for each in (smoothed, order)]
    assert squares[0] <= squares[1]
