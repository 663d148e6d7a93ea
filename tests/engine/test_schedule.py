"""The order of the steps: legal, never worse than creation order, often optimal."""

from __future__ import annotations

import heapq
import random
import statistics
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import Graph, Update, compile, compile_stages
from engine.footprint import footprints
from engine.lowering import choose_kernel
from engine.plan import Plan
from engine.planner import least_bytes_in_any_order, plan_in_order
from engine.runtime import Runtime
from engine.schedule import by_creation, of_low_peak, tasks_by_stage
from engine.schedule.bound import least_bytes
from engine.schedule.greedy import from_the_end, from_the_start
from engine.schedule.sifting import sift
from engine.schedule.tasks import Tasks, reversed_links
from graphs import SGD, GraphBuilder
from ops import REGISTRY
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import DOUBLE, parameter_of, same_bits, values


def random_tasks(count: int, dice: random.Random) -> Tasks:
    """Tasks that read one to three earlier ones, mostly recent ones, some of them in place."""
    inputs: list[list[int]] = [[]]
    for i in range(1, count):
        first = max(0, i - dice.choice([2, 4, count]))
        inputs.append(sorted({dice.randrange(first, i) for _ in range(dice.choice([0, 1, 2, 3]))}))
    nbytes = [64 * dice.choice([1, 1, 2, 4, 8, 16]) for _ in range(count)]
    consumers = reversed_links(inputs)
    in_place = [dice.random() < 0.5 for _ in range(count)]
    donors = [
        [j for j in sources if nbytes[j] == nbytes[i]] if in_place[i] else []
        for i, sources in enumerate(inputs)
    ]
    last = {i for i in range(count) if dice.random() < 0.05}
    last = {i for i in range(count) if _depends(inputs, i, last)}
    return Tasks(
        nodes=[ops.full(value=float(i), shape=(), dtype=DOUBLE) for i in range(count)],
        present=0,
        inputs=inputs,
        consumers=consumers,
        reads=inputs,
        readers=consumers,
        nbytes=nbytes,
        scratch=[64 * dice.choice([0, 0, 0, 4]) for _ in range(count)],
        donors=donors,
        kept=frozenset(i for i in range(count) if not consumers[i] or dice.random() < 0.05),
        last=sorted(last),
    )


def there_and_back(length: int) -> Tasks:
    """A chain, and one back that reads each of its values, as gradients do."""
    forth = [[i - 1] for i in range(1, length + 1)]
    back = [[2 * length - i, i - 1] for i in range(length + 1, 2 * length)]
    inputs = [[], *forth, *back]
    consumers = reversed_links(inputs)
    return Tasks(
        nodes=[ops.full(value=float(i), shape=(), dtype=DOUBLE) for i in range(2 * length)],
        present=0,
        inputs=inputs,
        consumers=consumers,
        reads=inputs,
        readers=consumers,
        nbytes=[64] * (2 * length),
        scratch=[0] * (2 * length),
        donors=[[]] * (2 * length),
        kept=frozenset([2 * length - 1]),
        last=[],
    )


def _depends(inputs: list[list[int]], task: int, on: set[int]) -> bool:
    return task in on or any(_depends(inputs, source, on) for source in inputs[task])


TASKS = st.builds(random_tasks, st.integers(1, 25), st.randoms(use_true_random=False))


def require_legal(tasks: Tasks, order: list[int]) -> None:
    done: set[int] = set()
    for task in order:
        assert done.issuperset(tasks.inputs[task])
        assert task not in done
        done.add(task)
    assert done == set(range(len(tasks.nodes)))
    assert order[len(order) - len(tasks.last) :] == list(tasks.last)


@given(TASKS)
def test_every_order_is_legal_and_sifting_only_lowers_the_peak(tasks: Tasks) -> None:
    free = [i for i in range(len(tasks.nodes)) if i not in tasks.last]
    for start in ([*free, *tasks.last], from_the_start(tasks), from_the_end(tasks)):
        sifted = sift(tasks, start)
        require_legal(tasks, start)
        require_legal(tasks, sifted)
        assert least_bytes(tasks) <= max(tasks.profile(sifted)) <= max(tasks.profile(start))


@given(TASKS)
def test_the_profile_is_what_is_in_use(tasks: Tasks) -> None:
    order = from_the_end(tasks)
    at = {task: i for i, task in enumerate(order)}
    end = {i: max([at[r] for r in tasks.readers[i]], default=at[i]) for i in order}
    end.update(dict.fromkeys(tasks.kept, len(order)))
    for step, used in enumerate(tasks.profile(order)):
        live = [i for i in order if at[i] <= step <= end[i]]
        task = order[step]
        in_place = any(end[donor] == step for donor in tasks.donors[task])
        own = tasks.nbytes[task] if in_place else 0
        assert used == sum(tasks.nbytes[i] for i in live) - own + tasks.scratch[task]


def test_sifting_takes_proportionate_time() -> None:
    """Also where hardly a value can move, so that few of the orders are ever tried."""

    def seconds(length: int) -> float:
        tasks = there_and_back(length)
        start = time.process_time()
        sift(tasks, range(2 * length))
        return time.process_time() - start

    short, long = (min(seconds(length) for _ in range(3)) for length in (2_000, 8_000))
    assert long < 8 * short  # 4 times if in proportion, 16 times if quadratic


def lowest_peak(tasks: Tasks) -> int:
    """The lowest peak of any order: a shortest path through the sets of finished tasks."""
    count = len(tasks.nodes)
    sources = [sum(1 << j for j in inputs) for inputs in tasks.inputs]
    readers = [sum(1 << j for j in consumers) for consumers in tasks.consumers]
    fixed = {task: tasks.last[:i] for i, task in enumerate(tasks.last)}

    def live(done: int) -> int:
        return sum(
            tasks.nbytes[i]
            for i in range(count)
            if done >> i & 1 and (i in tasks.kept or readers[i] & ~done)
        )

    best, queue = {0: 0}, [(0, 0)]
    while queue:
        peak, done = heapq.heappop(queue)
        if done == (1 << count) - 1:
            return peak
        if best[done] < peak:
            continue
        used = live(done)
        for i in range(count):
            if done >> i & 1 or sources[i] & ~done:
                continue
            if i in fixed and any(not done >> j & 1 for j in range(count) if j not in tasks.last):
                continue
            if i in fixed and any(not done >> j & 1 for j in fixed[i]):
                continue
            after = done | 1 << i
            free = [d for d in tasks.donors[i] if not readers[d] & ~after and d not in tasks.kept]
            need = used + tasks.scratch[i] + (0 if free else tasks.nbytes[i])
            if max(peak, need) < best.get(after, 1 << 60):
                best[after] = max(peak, need)
                heapq.heappush(queue, (best[after], after))
    raise AssertionError("no order")


def test_most_small_graphs_get_the_best_order_there_is() -> None:
    ratios = []
    for seed in range(120):
        tasks = random_tasks(10, random.Random(seed))
        free = [i for i in range(10) if i not in tasks.last]
        starts = [*free, *tasks.last], from_the_start(tasks), from_the_end(tasks)
        found = min(max(tasks.profile(sift(tasks, start))) for start in starts)
        best = lowest_peak(tasks)
        assert least_bytes(tasks) <= best <= found
        ratios.append(found / best)
    assert statistics.mean(ratios) < 1.01
    assert sum(ratio == 1 for ratio in ratios) > 0.9 * len(ratios)


def by_creation_of(plan: Plan) -> Plan:
    """The same graph with torch's kernels, planned in the order of creation."""
    stages = [list(stage.outputs) for stage in plan.stages]
    return plan_in_order(
        plan.graph, stages, footprints(plan.graph, choose_kernel), by_creation(plan.graph, stages)
    )


@given(random_graphs())
def test_no_higher_peak_than_by_creation_and_the_same_bits(case: RandomGraph) -> None:
    program = compile(case.graph, backend="torch", **case.sizes)
    plan = program._runtime.plan
    classic = by_creation_of(plan)
    assert plan.placement.peak_bytes <= classic.placement.peak_bytes
    assert least_bytes_in_any_order(plan) <= program.least_bytes <= program.peak_bytes
    expected = Runtime(classic, torch.device("cpu")).run(0, case.feeds, owned=False)
    for name, value in program(**case.feeds).items():
        assert same_bits(value, expected[name]), name


@given(random_graphs())
def test_a_schedule_of_low_peak_is_legal(case: RandomGraph) -> None:
    """Even where it was not chosen."""
    graph = compile(case.graph, **case.sizes)._runtime.plan.graph
    stages = [list(graph.outputs)]
    shapes = footprints(graph, choose_kernel)
    (nodes,) = of_low_peak(graph, stages, shapes)
    ((_, tasks),) = tasks_by_stage(graph, stages, shapes)
    number = {node: i for i, node in enumerate(tasks.nodes)}
    order = [number[node] for node in nodes if number.get(node, -1) >= tasks.present]
    assert sorted(order) == list(range(tasks.present, len(tasks.nodes)))
    done = set(graph.nodes) - set(tasks.nodes[tasks.present :])
    for node in nodes:
        assert done.issuperset(node.inputs)
        done.add(node)


def test_branches_are_computed_one_after_the_other() -> None:
    g = GraphBuilder("wide", DOUBLE)
    x, w = g.input("x", (30, 30)), g.parameter("w", (30, 30))
    branches = [ops.exp(x * float(i + 1)) @ w for i in range(20)]
    total = branches[0]
    for branch in branches[1:]:
        total = total + branch
    program = compile(g.build(total=total), backend="torch")
    classic = by_creation_of(program._runtime.plan)
    assert program.peak_bytes < 0.3 * classic.placement.peak_bytes


def test_what_is_only_needed_as_a_mask_is_not_kept() -> None:
    g = GraphBuilder("masks", DOUBLE)
    x, w = g.input("x", (40, 40)), g.parameter("w", (40, 40))
    layers = [x @ w]
    for _ in range(9):
        layers.append(layers[-1] @ w)
    slope = layers[-1]
    for layer in reversed(layers):
        slope = ops.where(layer > 0, slope @ w, 0.0)
    program = compile(g.build(slope=slope), backend="torch")
    classic = by_creation_of(program._runtime.plan)
    assert program.peak_bytes < 0.6 * classic.placement.peak_bytes


def test_updates_come_last_so_that_an_error_before_leaves_the_parameters() -> None:
    broken = [False]

    def forward(x: torch.Tensor) -> torch.Tensor:
        if broken[0]:
            raise RuntimeError("out of order")
        return x.clone()

    late = ops.operator("late", infer=ops.same_as_input, forward=forward, vjp=lambda g, y, x: g)
    slow = ops.operator("slow", infer=ops.same_as_input, forward=lambda x: x.clone(),
                        vjp=lambda g, y, x: late(g))  # fmt: skip
    try:
        g = GraphBuilder("failing", DOUBLE)
        y = g.input("x", (50,))
        for i in range(4):
            y = ops.sum(slow(y) * g.parameter(f"w{i}", (50, 50), init=values(50, 50)), 0)
        graph = g.build(loss=ops.sum(y))
        step = compile(graph, minimize="loss", optimizer=SGD(lr=0.1, momentum=0.9))
        step(x=values(50))
        before = [parameter_of(graph, f"w{i}").tensor.clone() for i in range(4)]
        broken[0] = True
        with pytest.raises(RuntimeError, match="out of order"):
            step(x=values(50))
        for i, value in enumerate(before):
            assert torch.equal(parameter_of(graph, f"w{i}").tensor, value)
    finally:
        del REGISTRY["late"], REGISTRY["slow"]


def test_each_stage_has_an_order_of_its_own() -> None:
    g = GraphBuilder("stages", DOUBLE)
    x = g.input("x", (500,))
    big = [ops.exp(x * float(i)) for i in range(8)]
    first = ops.sum(big[0])
    total = big[0]
    for value in big[1:]:
        total = total + ops.tanh(value)
    w = g.parameter("w", (500,), init=values(500))
    parameter = w.attributes["parameter"]
    graph = Graph({"first": first, "total": total * w}, (Update(parameter, w - total),))
    programs = compile_stages(graph, [["first"], ["total"]])
    plan = programs[0]._runtime.plan
    classic = by_creation_of(plan)
    assert plan.placement.peak_bytes <= classic.placement.peak_bytes
    start = parameter.tensor.clone()
    one = programs[0](x=values(500))["first"]
    two = programs[1]()["total"]
    after = parameter.tensor.clone()
    parameter.assign(start)
    runtime = Runtime(classic, torch.device("cpu"))
    assert same_bits(one, runtime.run(0, {"x": values(500)}, owned=False)["first"])
    assert same_bits(two, runtime.run(1, {}, owned=False)["total"])
    assert same_bits(after, parameter.tensor)
