"""The memory plan: nothing overlaps, nothing is read too early, and the peak is as promised."""

from __future__ import annotations

import gc
import time

from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from engine import compile
from engine.memory import ALIGNMENT, WORTHWHILE, Buffer, Placement, aligned, lower_bound, place
from engine.order import reachable
from engine.packing import packed
from engine.plan import Plan
from graphs import GraphBuilder
from ops import Parameter
from ops.leaves import parameter
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import DOUBLE, values

MANY = settings(max_examples=20 * settings.default.max_examples)

BUFFERS = st.lists(
    st.builds(
        lambda nbytes, first, length: Buffer(nbytes, first, first + length),
        st.one_of(st.sampled_from([0, 1, 64, 65, 128]), st.integers(0, 10_000)),
        st.integers(0, 20),
        st.integers(0, 8),
    ),
    max_size=30,
)


def require_sound(buffers: list[Buffer], placement: Placement) -> None:
    """Check every guarantee of a placement."""
    assert len(placement.offsets) == len(buffers)
    ends = [o + b.nbytes for o, b in zip(placement.offsets, buffers, strict=True)]
    for i, (a, start) in enumerate(zip(buffers, placement.offsets, strict=True)):
        assert start >= 0
        assert start % ALIGNMENT == 0
        assert ends[i] <= placement.peak_bytes
        for j in range(i):
            b = buffers[j]
            together = a.first <= b.last and b.first <= a.last
            apart = ends[i] <= placement.offsets[j] or ends[j] <= start
            assert apart or not together or not a.nbytes or not b.nbytes, (a, b)
    assert placement.peak_bytes % ALIGNMENT == 0
    assert lower_bound(buffers) <= placement.peak_bytes
    assert placement.peak_bytes <= sum(-(-b.nbytes // ALIGNMENT) * ALIGNMENT for b in buffers)


@MANY
@given(BUFFERS)
def test_no_two_live_buffers_overlap(buffers: list[Buffer]) -> None:
    placement = place(buffers)
    require_sound(buffers, placement)
    assert placement == place([Buffer(b.nbytes, b.first, b.last) for b in buffers])


@given(BUFFERS)
def test_a_search_for_a_tighter_packing_is_sound(buffers: list[Buffer]) -> None:
    sizes = [aligned(buffer.nbytes) for buffer in buffers]
    lives = [(buffer.first, buffer.last) for buffer in buffers]
    offsets = packed(sizes, lives, lower_bound(buffers))
    ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
    require_sound(buffers, Placement(tuple(offsets), max(ends, default=0)))


def test_the_search_packs_what_simpler_ways_do_not() -> None:
    lives = [(3, 1, 3), (1, 6, 8), (4, 0, 2), (6, 0, 2), (6, 7, 11), (6, 3, 7), (5, 3, 4)]
    buffers = [Buffer(2 * size * WORTHWHILE, first, last) for size, first, last in lives]
    assert place(buffers).peak_bytes == lower_bound(buffers)


@given(BUFFERS)
def test_the_lower_bound_is_what_is_live_at_once(buffers: list[Buffer]) -> None:
    steps = range(30)
    aligned = {i: -(-b.nbytes // ALIGNMENT) * ALIGNMENT for i, b in enumerate(buffers)}
    live = [
        sum(aligned[i] for i, b in enumerate(buffers) if b.first <= step <= b.last)
        for step in steps
    ]
    assert lower_bound(buffers) == max(live)


def test_nothing_takes_nothing() -> None:
    assert place([]) == Placement((), 0)
    assert lower_bound([]) == 0
    assert place([Buffer(0, 0, 5)] * 3).peak_bytes == 0


def test_buffers_that_follow_each_other_share_memory() -> None:
    chain = [Buffer(1000, i, i + 1) for i in range(50)]
    assert place(chain).peak_bytes == lower_bound(chain) == 2 * 1024


def test_a_long_schedule_is_placed_in_proportionate_time() -> None:
    def seconds(count: int) -> float:
        buffers = [Buffer(64 * (i * 7 % 13 + 1), i, i + i * 3 % 11) for i in range(count)]
        start = time.process_time()
        placement = place(buffers)
        taken = time.process_time() - start
        assert placement.peak_bytes >= lower_bound(buffers)
        return taken

    gc.disable()  # it walks what other tests have left behind
    try:
        assert min(seconds(40_000) for _ in range(3)) < 12 * min(seconds(10_000) for _ in range(3))
    finally:
        gc.enable()


def plan_of(case: RandomGraph) -> Plan:
    return compile(case.graph, **case.sizes)._runtime.plan


@given(random_graphs())
def test_plans_of_random_graphs_are_sound(case: RandomGraph) -> None:
    plan = plan_of(case)
    require_sound(list(plan.buffers), plan.placement)


@given(random_graphs())
def test_every_value_is_intact_when_it_is_read(case: RandomGraph) -> None:
    """Follow the plan on an arena of bytes marked with the value last written to them."""
    plan = plan_of(case)
    (stage,) = plan.stages
    holds: dict[int, object] = {}

    def write(buffer: int, nbytes: int, what: object) -> None:
        start = plan.placement.offsets[buffer]
        assert start + nbytes <= plan.placement.peak_bytes
        holds.update(dict.fromkeys(range(start, start + nbytes), what))

    def intact(node: ops.Node) -> bool:
        owner = plan.owners[node]
        if isinstance(owner, Parameter):
            return True
        start = plan.placement.offsets[owner]
        return all(holds[i] == content[node] for i in range(start, start + written[node]))

    content: dict[ops.Node, object] = {}
    written: dict[ops.Node, int] = {}
    for node in (*plan.constants, *stage.inputs.values()):
        content[node] = node
        written[node] = plan.buffers[_index(plan, node)].nbytes
        write(_index(plan, node), written[node], node)
    for step in stage.steps:
        node = step.node
        for source in node.inputs:
            if source.operator is not parameter:
                assert intact(source), f"{source} is gone when {node} reads it"
        owner = plan.owners[node]
        if step.kernel is None:  # a view has what its source has
            content[node] = content.get(node.inputs[0])
            written[node] = written.get(node.inputs[0], 0)
            continue
        for index, spec in step.workspaces:
            write(index, spec.nbytes, ("scratch", node))
        content[node], written[node] = node, node.spec.nbytes
        if isinstance(owner, int):
            write(owner, node.spec.nbytes, node)
    for node in stage.outputs.values():
        if node.operator is not parameter:
            assert intact(node), f"the output {node} is gone at the end"


def _index(plan: Plan, node: ops.Node) -> int:
    owner = plan.owners[node]
    assert isinstance(owner, int)
    return owner


def test_elementwise_chains_work_in_place() -> None:
    g = GraphBuilder("chain", DOUBLE)
    y = x = g.input("x", (1000,))
    for _ in range(10):
        y = ops.tanh(y)
    program = compile(g.build(y=y))
    assert program.peak_bytes == program.least_bytes == 8000
    assert list(program(x=values(1000))) == ["y"]
    both = compile(g.build(x=x, y=y))  # x must survive
    assert both.peak_bytes == 2 * 8000
    assert bool((both(x=values(1000))["x"] == values(1000)).all())


def test_a_transposed_operand_is_not_overwritten_in_place() -> None:
    g = GraphBuilder("transposed", DOUBLE)
    x = g.input("x", (4, 4))
    y = ops.exp(x)
    program = compile(g.build(y=y + ops.permute(y, (1, 0))))
    t = values(4, 4).exp()
    assert bool((program(x=values(4, 4))["y"] == t + t.T).all())


def test_the_plan_reaches_everything_that_is_asked_for() -> None:
    g = GraphBuilder("all", DOUBLE)
    x = g.input("x", (4,))
    plan = compile(g.build(a=ops.exp(x), b=x))._runtime.plan
    assert reachable(plan.graph.outputs.values()) <= plan.owners.keys()
