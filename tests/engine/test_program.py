"""Calling programs: which feeds they accept, what they return, and who owns it."""

from __future__ import annotations

import threading

import pytest
import torch

import ops
from engine import Graph, compile, interpret
from graphs import SGD, GraphBuilder
from ops import FeedError, GraphError
from tests.support import DOUBLE, assert_near, in_threads, parameter_of, same_bits, values


def network(n: int = 2) -> Graph:
    g = GraphBuilder("network", DOUBLE)
    x = g.input("x", (n, 3, 6, 6))
    hidden = ops.tanh(ops.conv2d(x, g.parameter("w", (4, 3, 3, 3)), stride=2, padding=1))
    y = ops.sigmoid(ops.conv2d(hidden, g.parameter("v", (3, 4, 1, 1))))
    return g.build(y=y, loss=ops.mean(ops.square(y)))


def test_results_belong_to_the_caller() -> None:
    program = compile(network())
    first = program(x=values(2, 3, 6, 6))
    kept = {name: value.clone() for name, value in first.items()}
    second = program(x=values(2, 3, 6, 6, seed=1))
    for name, value in first.items():
        assert same_bits(value, kept[name])
        assert not same_bits(value, second[name])
        assert value.is_contiguous()
        value.fill_(0)  # and may be written to
    assert same_bits(program(x=values(2, 3, 6, 6))["y"], kept["y"])


def test_borrowed_results_are_overwritten_by_the_next_run_and_say_so() -> None:
    program = compile(network())
    first = program.borrow(x=values(2, 3, 6, 6))["y"]
    kept = first.clone()
    second = program.borrow(x=values(2, 3, 6, 6, seed=1))["y"]
    assert first.data_ptr() == second.data_ptr()
    assert not torch.equal(first, kept)
    assert "overwrites" in (program.borrow.__doc__ or "")


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_a_borrowed_result_can_be_fed_back(backend: str) -> None:
    g = GraphBuilder("sum", DOUBLE)
    a, b = g.input("a", (64, 64)), g.input("b", (64, 64))
    program = compile(g.build(y=2 * a + b), backend=backend)
    one, ten = (torch.full((64, 64), value, dtype=DOUBLE) for value in (1.0, 10.0))
    lent = program.borrow(a=one, b=one)["y"]
    assert bool((lent == 3).all())
    assert bool((program(a=ten, b=lent)["y"] == 23).all())
    lent = program.borrow(a=one, b=one)["y"]
    assert bool((program.borrow(a=lent.t(), b=ten)["y"] == 16).all())


def test_feeds_are_not_touched_and_not_kept() -> None:
    program = compile(network())
    x = values(2, 3, 6, 6)
    expected = program(x=x)["y"]
    assert torch.equal(x, values(2, 3, 6, 6))
    x.zero_()
    assert same_bits(program(x=values(2, 3, 6, 6))["y"], expected)


def test_feeds_of_any_layout_and_with_gradients() -> None:
    program = compile(network())
    x = values(2, 3, 6, 6)
    expected = program(x=x)["y"]
    for same in (
        x.to(memory_format=torch.channels_last),
        x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
        torch.stack([x, x], -1)[..., 0],
        x.clone().requires_grad_(),
    ):
        result = program(x=same)["y"]
        assert same_bits(result, expected)
        assert not result.requires_grad


def test_wrong_feeds_are_refused() -> None:
    program = compile(network())
    with pytest.raises(FeedError, match=r"no value for input x \(float64\[2, 3, 6, 6\]\)"):
        program()
    with pytest.raises(FeedError, match=r"there is no input 'z' \(there are: x\)"):
        program(x=values(2, 3, 6, 6), z=values(1))
    with pytest.raises(FeedError, match=r"'x': expected float64\[2, 3, 6, 6\], got float64\[3\]"):
        program(x=values(3))
    with pytest.raises(FeedError, match="got float32"):
        program(x=values(2, 3, 6, 6).float())
    with pytest.raises(FeedError, match="'x': expected a tensor, got list"):
        program(x=[1.0])


def test_what_a_program_takes_cannot_be_changed() -> None:
    program = compile(network())
    with pytest.raises(TypeError):
        program.inputs["z"] = program.inputs["x"]


def test_bool_inputs_and_outputs() -> None:
    g = GraphBuilder("bool", DOUBLE)
    x, mask = g.input("x", (2, 2)), g.input("mask", (2, 2), torch.bool)
    program = compile(g.build(y=ops.where(mask, x, 0.0), mask=mask, positive=x > 0))
    keep = torch.tensor([[True, False], [False, True]])
    results = program(x=values(2, 2), mask=keep)
    assert torch.equal(results["y"], values(2, 2) * keep)
    assert torch.equal(results["mask"], keep)
    assert torch.equal(results["positive"], values(2, 2) > 0)
    with pytest.raises(FeedError, match=r"'mask': expected bool\[2, 2\], got float64\[2, 2\]"):
        program(x=values(2, 2), mask=values(2, 2))


def test_a_refused_call_changes_nothing() -> None:
    g = GraphBuilder("training", DOUBLE)
    x, w = g.input("x", (3,)), g.parameter("w", (3,), init=values(3))
    graph = g.build(loss=ops.sum(x * w))
    step = compile(graph, minimize="loss", optimizer=SGD(lr=1.0))
    with pytest.raises(FeedError):
        step(x=values(4))
    assert torch.equal(parameter_of(graph, "w").tensor, values(3))
    step(x=torch.ones(3, dtype=DOUBLE))
    assert_near(parameter_of(graph, "w").tensor, values(3) - 1)


def test_outputs_that_are_inputs_constants_parameters_or_each_other() -> None:
    g = GraphBuilder("identity", DOUBLE)
    x, w = g.input("x", (2, 2)), g.parameter("w", (2, 2), init=values(2, 2, seed=1))
    y = ops.exp(x)
    one = ops.full(value=1.0, shape=(3,), dtype=DOUBLE)
    graph = g.build(
        x=x, w=w, wt=ops.permute(w, (1, 0)), y=y, again=y, row=ops.slice(y, 0, 1), one=one
    )
    program = compile(graph)
    results = program(x=values(2, 2))
    for name, value in interpret(graph, {"x": values(2, 2)}).items():
        assert same_bits(results[name], value), name
    results["w"].zero_()
    results["one"].zero_()
    results["y"].zero_()
    for name, value in interpret(graph, {"x": values(2, 2)}).items():
        assert same_bits(program(x=values(2, 2))[name], value), name


def test_a_program_without_inputs_and_one_without_steps() -> None:
    g = GraphBuilder("none", DOUBLE)
    w = g.parameter("w", (2,), init=values(2))
    assert torch.equal(compile(g.build(w=w))()["w"], values(2))
    assert torch.equal(compile(g.build(y=ops.exp(w)))()["y"], values(2).exp())


def test_values_without_elements() -> None:
    g = GraphBuilder("empty", DOUBLE)
    x, w = g.input("x", (0, 3, 4, 4)), g.parameter("w", (2, 3, 3, 3))
    y = ops.upsample_nearest(ops.conv2d(ops.relu(x), w, padding=1), 2)
    graph = g.build(y=y, total=ops.sum(y), mean=ops.mean(y), none=ops.slice(y, 3, 4, 4))
    results = compile(graph)(x=values(0, 3, 4, 4))
    assert results["y"].shape == (0, 2, 8, 8)
    assert results["none"].shape == (0, 2, 8, 0)
    assert results["total"] == 0
    assert results["mean"].isnan()


def test_parameters_are_shared_between_programs() -> None:
    graph = network()
    step = compile(graph, minimize="loss", optimizer=SGD(lr=0.5))
    predict = compile(graph, outputs=["y"])
    before = predict(x=values(2, 3, 6, 6))["y"]
    losses = [float(step(x=values(2, 3, 6, 6))["loss"]) for _ in range(5)]
    after = predict(x=values(2, 3, 6, 6))["y"]
    assert losses == sorted(losses, reverse=True)
    assert float(after.square().mean()) < losses[-1] < float(before.square().mean()) + 1e-12
    parameter_of(graph, "w").assign(torch.zeros(4, 3, 3, 3))
    assert torch.equal(
        predict(x=values(2, 3, 6, 6))["y"], torch.full((2, 3, 3, 3), 0.5, dtype=DOUBLE)
    )


def test_the_same_bits_twice_in_a_row_and_in_another_program() -> None:
    graph = network()
    program = compile(graph)
    results = [p(x=values(2, 3, 6, 6)) for p in (program, program, compile(graph))]
    for name in ("y", "loss"):
        assert same_bits(results[0][name], results[1][name])
        assert same_bits(results[0][name], results[2][name])


@pytest.mark.parametrize("replicate", [False, True])
def test_several_threads_get_right_answers(replicate: bool) -> None:
    graph = network()
    program = compile(graph)
    feeds = [values(2, 3, 6, 6, seed=i) for i in range(6)]
    expected = [interpret(graph, {"x": x})["y"] for x in feeds]

    def work(index: int) -> None:
        mine = program.replica() if replicate else program
        for i in range(60):
            which = (index + i) % len(feeds)
            assert_near(mine(x=feeds[which])["y"], expected[which])

    in_threads(4, work)


def test_training_from_several_threads_loses_no_step() -> None:
    g = GraphBuilder("counter", DOUBLE)
    w = g.parameter("w", (1,), init=torch.zeros(1))
    graph = g.build(loss=ops.sum(w))
    step = compile(graph, minimize="loss", optimizer=SGD(lr=1.0))
    in_threads(4, lambda index: [step() for _ in range(100)] and None)
    assert parameter_of(graph, "w").tensor.item() == -400


def test_replicas_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def meet(x: torch.Tensor) -> torch.Tensor:
        meeting.wait()  # passes only if two are inside at once
        return x.clone()

    operator = ops.operator("test meet", infer=ops.same_as_input, forward=meet)
    g = GraphBuilder("meeting", DOUBLE)
    program = compile(g.build(y=operator(g.input("x", (2,)))))
    replicas = [program, program.replica()]
    in_threads(2, lambda i: replicas[i](x=values(2)) and None)


def test_a_replica_has_memory_of_its_own_and_the_same_parameters() -> None:
    graph = network()
    program = compile(graph)
    replica = program.replica()
    assert replica.peak_bytes == program.peak_bytes
    lent = program.borrow(x=values(2, 3, 6, 6))["y"]
    kept = lent.clone()
    replica.borrow(x=values(2, 3, 6, 6, seed=1))
    assert torch.equal(lent, kept)
    parameter_of(graph, "v").assign(torch.zeros(3, 4, 1, 1))
    assert bool((replica(x=values(2, 3, 6, 6))["y"] == 0.5).all())


def test_options_that_do_not_fit_together() -> None:
    graph = network()
    with pytest.raises(GraphError, match="come together"):
        compile(graph, minimize="loss")
    with pytest.raises(GraphError, match="come together"):
        compile(graph, optimizer=SGD(lr=1.0))
    with pytest.raises(GraphError, match="has no output 'cost'"):
        compile(graph, minimize="cost", optimizer=SGD(lr=1.0))
    for device in ("cpux", "xpu", "meta", None):
        with pytest.raises(GraphError, match=f"unknown device {device!r}; expected cpu or cuda"):
            compile(graph, device=device)
    g = GraphBuilder("fixed")
    fixed = g.build(loss=ops.sum(g.input("x", (2,))))
    with pytest.raises(GraphError, match="depends on no parameter"):
        compile(fixed, minimize="loss", optimizer=SGD(lr=1.0))
    if not torch.cuda.is_available():
        with pytest.raises(GraphError, match="finds no CUDA device"):
            compile(graph, device="cuda")
