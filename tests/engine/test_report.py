"""The order of the steps, and the report that shows it."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

from hypothesis import given

import ops
from engine import Program, compile, compile_stages
from engine.plan import Plan
from engine.work import flops
from graphs import SGD, GraphBuilder
from ops.fused import fuse
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import values

THIS = "/".join(Path(__file__).parts[-2:])


def training_step() -> Program:
    g = GraphBuilder("reported")
    x, w = g.input("x", (2, 3, 8, 8)), g.parameter("w", (4, 3, 3, 3))
    b = g.parameter("b", (4,))
    y = ops.relu(ops.conv2d(x, w, b, stride=2, padding=1))
    loss = ops.mean(ops.square(ops.sigmoid(y)))
    return compile(g.build(loss=loss), minimize="loss", optimizer=SGD(lr=0.1, momentum=0.9))


def test_forward_then_gradients_then_updates() -> None:
    phases = [step.phase for step in training_step().steps()]
    kinds = [phase.split(" ")[0] for phase in phases]
    assert set(kinds) == {"forward", "gradient", "update"}
    assert kinds == sorted(kinds, key=["forward", "gradient", "update"].index)


def test_gradients_come_in_the_reverse_order_of_the_forward() -> None:
    steps = training_step().steps()
    forward = [s.operator for s in steps if s.phase == "forward"]
    order = [s.phase.removeprefix("gradient of ") for s in steps if s.phase.startswith("grad")]
    positions = [forward.index(name) for name in order if name in ("conv2d", "relu", "square")]
    assert positions == sorted(positions, reverse=True)
    assert len(set(positions)) == 3


@given(random_graphs())
def test_every_step_follows_its_inputs(case: RandomGraph) -> None:
    plan: Plan = compile(case.graph, **case.sizes)._runtime.plan
    done = {node for node in plan.graph.nodes if not node.inputs}
    for step in plan.stages[0].steps:
        assert set(step.node.inputs) <= done
        assert step.node not in done
        done.add(step.node)
    assert done == set(plan.graph.nodes)


@given(random_graphs())
def test_compiling_again_gives_the_same_steps_at_the_same_places(case: RandomGraph) -> None:
    first, second = (compile(case.graph, **case.sizes) for _ in range(2))
    assert first.steps() == second.steps()
    assert first.peak_bytes == second.peak_bytes
    assert first.report() == second.report()


def test_the_report_is_a_table_of_every_step() -> None:
    program = training_step()
    lines = program.report().splitlines()
    header = lines[0].split()
    assert header[:5] == ["#", "operator", "kernel", "result", "bytes"]
    steps = program.steps()
    assert len(lines) == 1 + len(steps) + 1
    for i, (line, step) in enumerate(zip(lines[1:-1], steps, strict=True)):
        assert line.split()[0] == str(i)
        for text in (step.operator, step.kernel, step.spec, step.phase, f"{step.nbytes:,}"):
            assert text in line
        assert f"{THIS}:" in line
        assert ("parameter" in line) == (step.offset is None)
    assert lines[-1].startswith(f"{len(steps)} steps")
    assert f"peak {program.peak_bytes:,} bytes, at least {program.least_bytes:,}" in lines[-1]


def test_a_step_knows_its_shape_bytes_and_place() -> None:
    program = training_step()
    for step in program.steps():
        shape = [int(size) for size in re.findall(r"\d+", step.spec.split("[")[1])]
        elements = 1
        for size in shape:
            elements *= size
        assert step.nbytes == elements * (1 if step.spec.startswith("bool") else 4)
        if step.offset is not None and step.kernel != "view":
            assert step.offset + step.nbytes <= program.peak_bytes
        assert step.seconds is None


def test_profiling_times_every_step_and_gives_the_results() -> None:
    program = training_step()
    x = values(2, 3, 8, 8).float()
    loss = program.profile(x=x)["loss"]
    assert 0 < float(program(x=x)["loss"]) < float(loss)  # the profiled run was a step too
    timed = [s for s in program.steps() if s.kernel != "view"]
    assert timed
    assert all(s.seconds is not None and s.seconds > 0 for s in timed)
    assert " ms;" in program.report().splitlines()[-1]
    table = program.report().splitlines()[1:-1]
    for line, step in zip(table, program.steps(), strict=True):
        if step.flops and step.seconds is not None:
            assert step.gflops_per_second == step.flops / step.seconds / 1e9
            assert f"{step.gflops_per_second:.2f}" in line
        else:
            assert not step.gflops_per_second


def test_a_step_names_the_rewrite_that_made_it() -> None:
    g = GraphBuilder("upsampled")
    x, w = g.input("x", (1, 2, 4, 4)), g.parameter("w", (3, 2, 3, 3))
    y = ops.tanh(ops.conv2d(ops.upsample_nearest(x, 2), w, padding=1))
    flat = ops.reshape(ops.reshape(y, (-1, 8)), (-1,))
    graph = g.build(loss=ops.mean(ops.square(flat)))
    program = compile(graph, minimize="loss", optimizer=SGD(lr=0.1))
    made = {(step.operator, step.phase): step.rewrites for step in program.steps()}
    assert made["conv2d", "forward"] == ("convolve_before_upsampling",)
    assert made["phase_weight", "forward"] == ("convolve_before_upsampling",)
    assert made["reshape", "forward"] == ("simplify_identities",)
    assert made["tanh", "forward"] == made["sub", "update"] == ()
    of_made = made["conv2d_weight_gradient", "gradient of conv2d"]
    assert of_made == ("convolve_before_upsampling",)
    assert "convolve_before_upsampling" in program.report()
    plain = compile(graph, rewrites=[])
    assert {step.rewrites for step in plain.steps()} == {()}


def test_a_step_of_several_operators_names_all_and_counts_their_work() -> None:
    g = GraphBuilder("fused")
    x, w = g.input("x", (2, 3, 8, 8)), g.parameter("w", (4, 3, 3, 3))
    convolved = ops.conv2d(x, w, padding=1)
    y = ops.relu(convolved * 2)
    whole = fuse([convolved, y.inputs[0].inputs[1], y.inputs[0], y])
    (step,) = compile(g.build(y=whole), backend="torch", rewrites=[]).steps()
    assert step.operator == "conv2d + full + mul + relu"
    assert step.flops == flops(convolved) + flops(y.inputs[0]) + flops(y)
    assert step.moved == 4 * (2 * 3 * 8 * 8 + 4 * 3 * 3 * 3 + 2 * 4 * 8 * 8)


@given(random_graphs())
def test_buffers_are_the_programs_memory(case: RandomGraph) -> None:
    program = compile(case.graph, **case.sizes)
    buffers, steps = program.buffers(), program.steps()
    assert max((b.offset + b.nbytes for b in buffers), default=0) <= program.peak_bytes
    assert all(-1 <= b.first <= b.last <= len(steps) for b in buffers)
    for a, b in combinations((b for b in buffers if b.nbytes), 2):
        apart_in_time = a.last < b.first or b.last < a.first
        assert apart_in_time or a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset
    for i, step in enumerate(steps):
        if step.kernel != "view" and step.offset is not None and step.nbytes:
            assert any(b.offset == step.offset and b.first <= i <= b.last for b in buffers)


def test_buffers_of_each_stage_are_those_it_uses() -> None:
    g = GraphBuilder("staged")
    x = g.input("x", (64, 64))
    early = ops.relu(ops.exp(x) @ ops.exp(x))
    graph = g.build(early=early, late=ops.exp(ops.tanh(early) @ early))
    for program in compile_stages(graph, [["early"], ["late"]]):
        buffers, count = program.buffers(), len(program.steps())
        assert all(-1 <= b.first <= b.last <= count for b in buffers)
        assert {b.phase for b in buffers} & {"forward"}


def test_buffers_tell_what_they_hold() -> None:
    held = {(buffer.holds, buffer.phase) for buffer in training_step().buffers()}
    assert {("x", "input"), ("conv2d", "forward")} <= held
    assert any(phase.startswith("gradient of ") for _, phase in held)
