"""Whole native programs: what they compute, allocate and report."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings

from engine import Graph, compile, interpret
from graphs import SGD, GraphBuilder, Module
from graphs.architectures import UNet, report_network
from ops import Parameter, concat, conv2d, mean, mse, relu, slice, square, tanh
from ops.leaves import parameter
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import allocated, assert_near, in_threads, values

pytestmark = pytest.mark.filterwarnings("error:no native code")

PROGRAMS = 12 if settings.default.max_examples <= 50 else 1000


def training_graph(net: Module) -> Graph:
    g = GraphBuilder("training")
    noisy, target = (g.input(name, ("N", 3, "H", "W")) for name in ("noisy", "target"))
    clean = net(noisy)
    return g.build(clean=clean, loss=mse(clean, target))


def shots(n: int, height: int, width: int) -> dict[str, torch.Tensor]:
    return {
        name: values(n, 3, height, width, seed=seed, dtype=torch.float32).sigmoid()
        for seed, name in enumerate(("noisy", "target"))
    }


@settings(max_examples=PROGRAMS)
@given(random_graphs())
def test_random_graphs(case: RandomGraph) -> None:
    program = compile(case.graph, backend="native", **case.sizes)
    for _ in range(2):
        for name, value in program(**case.feeds).items():
            assert_near(value, case.expected[name], scale=100, case=f"{name} of {case}")


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "make", [lambda: report_network(5), lambda: report_network(16), lambda: UNet(4, depth=2)]
)
def test_training_as_with_torch_kernels(make: Callable[[], Module], threads: int) -> None:
    feeds, states = shots(3, 12, 20), []
    before = torch.get_num_threads()
    for backend in ("torch", "native"):
        torch.manual_seed(0)
        net = make()
        torch.set_num_threads(threads)
        try:
            step = compile(
                training_graph(net), minimize="loss", optimizer=SGD(lr=0.5), backend=backend,
                N=3, H=12, W=20,
            )  # fmt: skip
        finally:
            torch.set_num_threads(before)
        losses = [float(step(**feeds)["loss"]) for _ in range(4)]
        states.append((losses, net.state()))
    (expected, state), (actual, other) = states
    assert actual == pytest.approx(expected, rel=1e-5)
    assert actual[-1] < actual[0]
    for name, tensor in state.items():
        assert_near(other[name], tensor, scale=5, case=name)


def test_a_run_allocates_what_was_promised() -> None:
    net = report_network(8)
    step = compile(
        training_graph(net), minimize="loss", optimizer=SGD(lr=0.1), outputs=["loss"],
        backend="native", N=2, H=16, W=16,
    )  # fmt: skip
    feeds = shots(2, 16, 16)
    assert sum(allocated(lambda: step.borrow(**feeds))) == step.peak_bytes
    assert sum(allocated(lambda: step.borrow(**feeds))) == 0


@pytest.mark.parametrize("kept", [False, True])
def test_a_gradient_overwrites_the_image_that_masks_it(kept: bool) -> None:
    g = GraphBuilder("masked")
    x, w1 = g.input("x", (1, 3, 32, 32)), g.parameter("w1", (4, 3, 3, 3))
    w2 = g.parameter("w2", (4, 4, 3, 3))
    hidden = relu(conv2d(x, w1, padding=1))
    loss = mean(square(conv2d(hidden, w2, padding=1)))
    graph = g.build(loss=loss, hidden=hidden) if kept else g.build(loss=loss)
    feeds = {"x": values(1, 3, 32, 32, dtype=torch.float32)}
    expected = interpret(graph, feeds)
    step = compile(graph, minimize="loss", optimizer=SGD(0.1), backend="native")
    plan = step._runtime.plan
    owners = [
        (plan.owners[s.node], [plan.owners[source] for source in s.node.inputs])
        for s in plan.stages[0].steps
        if s.kernel is not None and s.kernel.name == "C: taps"
    ]
    assert any(own in sources for own, sources in owners) != kept
    for name, value in step(**feeds).items():
        assert_near(value, expected[name])


def test_the_same_bits_every_time() -> None:
    graph, feeds = training_graph(report_network(8)), shots(5, 16, 12)
    step = compile(graph, backend="native", N=5, H=16, W=12)
    first = step(**feeds)
    for _ in range(5):
        assert all(torch.equal(value, first[name]) for name, value in step(**feeds).items())


def test_programs_in_several_threads() -> None:
    graph, feeds = training_graph(report_network(4)), {"noisy": shots(2, 8, 8)["noisy"]}
    program = compile(graph, outputs=["clean"], backend="native", N=2, H=8, W=8)
    expected = program(**feeds)["clean"]
    replicas = [program.replica() for _ in range(4)]

    def work(index: int) -> None:
        for _ in range(20):
            assert torch.equal(replicas[index](**feeds)["clean"], expected)

    in_threads(4, work)


def test_a_forked_process_has_threads_of_its_own() -> None:
    program = compile(training_graph(report_network(4)), backend="native", N=2, H=8, W=8)
    feeds = shots(2, 8, 8)
    expected = program(**feeds)["clean"]
    child = os.fork()
    if not child:  # without Python's own clean-up, which belongs to the parent
        alike = torch.equal(program.borrow(**feeds)["clean"], expected)
        os._exit(0 if alike else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_process_forked_during_a_run_can_run() -> None:
    """The thread that holds the pool's lock does not exist in the new process."""
    long, short = convolving(512, threads=2), convolving(32, threads=2)
    expected = short().clone()
    with running(long) as thread:
        child = os.fork()
        if not child:
            signal.alarm(20)
            os._exit(0 if torch.equal(short(), expected) else 1)
        assert thread.is_alive()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_on_one_thread_each_programs_run_at_the_same_time() -> None:
    long, short = convolving(512, threads=1), convolving(32, threads=1)
    with running(long) as thread:
        for _ in range(5):
            short()
        assert thread.is_alive()


def convolving(side: int, threads: int) -> Callable[[], torch.Tensor]:
    """The run of a native program, warm; with 512 pixels it takes a good part of a second."""
    g = GraphBuilder("convolving")
    x, w = g.input("x", (4, 64, side, side)), g.parameter("w", (64, 64, 3, 3))
    graph = g.build(y=relu(conv2d(x, w, padding=1)))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        program = compile(graph, backend="native")
    finally:
        torch.set_num_threads(before)
    feed = torch.rand(4, 64, side, side)
    program.borrow(x=feed)
    return lambda: program.borrow(x=feed)["y"]


@contextmanager
def running(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """While a thread is in the middle of some work."""
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.02)
    yield thread
    thread.join()


def test_moved_parameters_are_followed() -> None:
    net = report_network(4)
    program = compile(training_graph(net), outputs=["clean"], backend="native", N=1, H=8, W=8)
    feeds = {"noisy": shots(1, 8, 8)["noisy"]}
    program(**feeds)
    for trainable in net.trainable():
        trainable.value._tensor = trainable.value.tensor.clone()
        trainable.value.assign(torch.full_like(trainable.value.tensor, 0.01))
    expected = interpret(training_graph(net).select(["clean"]), feeds)["clean"]
    assert_near(program(**feeds)["clean"], expected)


def test_the_source_can_be_read() -> None:
    graph = training_graph(report_network(4))
    program = compile(graph, outputs=["clean"], backend="native", N=1, H=8, W=8)
    source = program.source()
    assert "/* conv2d, add, relu: float32[1, 4, 4, 4] */" in source
    assert "/* conv2d, interleave_phases, add, sigmoid: float32[1, 3, 8, 8] */" in source
    assert compile(graph, outputs=["clean"], N=1, H=8, W=8).source() == ""
    kernels = {step.kernel for step in program.steps()}
    assert kernels == {"view", "C: taps", "C: sums of taps"}


def test_steps_that_differ_only_in_addresses_share_a_kernel() -> None:
    g = GraphBuilder("residual")
    value = g.input("x", (1, 4, 8, 8))
    for i in range(6):
        value = value + relu(conv2d(value, g.parameter(f"w{i}", (4, 4, 3, 3)), padding=1))
    graph = g.build(y=value)
    program = compile(graph, backend="native")
    computing = [step for step in program.steps() if step.kernel == "C: taps"]
    assert len(computing) == 6
    assert program.source().count("/* conv2d, relu, add: float32[1, 4, 8, 8] */") == 1 + 6
    feeds = {"x": values(1, 4, 8, 8, dtype=torch.float32)}
    assert_near(program(**feeds)["y"], interpret(graph, feeds)["y"])


def test_views_at_other_places_share_a_kernel_too() -> None:
    g = GraphBuilder("pieces")
    x = g.input("x", (2, 24, 5, 4))
    pieces = [tanh(slice(x, 1, 4 * i, 4 * i + 4)) for i in range(6)]
    graph = g.build(y=concat(pieces, 1))
    program = compile(graph, backend="native")
    assert len([step for step in program.steps() if step.kernel == "C: elementwise"]) == 6
    assert program.source().count("KERNEL(") == 2 * 4  # with the feed, concat and the result
    feeds = {"x": values(2, 24, 5, 4, dtype=torch.float32)}
    assert_near(program(**feeds)["y"], interpret(graph, feeds)["y"])


@pytest.mark.filterwarnings("error:no native code")
@pytest.mark.parametrize("name", ["*/", "*/ int", "@", "\\", "a\nb", '"', "a*\\\n/ int x;"])
def test_names_are_no_code(name: str) -> None:
    g = GraphBuilder("named")
    program = compile(g.build(**{name: relu(g.input("x", (4,)))}), backend="native")
    assert torch.equal(program(x=-torch.ones(4))[name], torch.zeros(4))


def test_what_has_no_native_kernel_runs_between_native_steps() -> None:
    g = GraphBuilder("mixed")
    x = g.input("x", (4, 4))
    graph = g.build(y=relu(relu(x) @ x + 1.0))
    program = compile(graph, backend="native")
    assert [step.kernel for step in program.steps()] == [
        "C: elementwise", "torch.bmm", "C: elementwise",
    ]  # fmt: skip
    feeds = {"x": values(4, 4, dtype=torch.float32)}
    assert_near(program(**feeds)["y"], interpret(graph, feeds)["y"])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("make", [lambda: report_network(5), lambda: UNet(channels=4, depth=2)])
def test_nothing_is_read_before_it_is_written(make: Callable[[], Module], threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        step = compile(
            training_graph(make()), minimize="loss", optimizer=SGD(lr=0.5), backend="native",
            N=3, H=12, W=20,
        )  # fmt: skip
    finally:
        torch.set_num_threads(before)
    runtime, feeds = step._runtime, shots(3, 12, 20)
    weights = [parameter.tensor for parameter in runtime.plan.parameters]
    first = [weight.clone() for weight in weights]
    step(**feeds)
    expected = [weight.clone() for weight in weights]
    for weight, value in zip(weights, first, strict=True):
        weight.copy_(value)
    assert runtime._arena is not None
    runtime._arena.fill_(255)  # NaN, whatever the type
    runtime._bind_tensors()  # constants lie there from the start
    step(**feeds)
    for weight, value in zip(weights, expected, strict=True):
        assert torch.equal(weight, value)


@pytest.mark.parametrize(("side", "native"), [(4, False), (256, True)])
def test_moving_many_weights_is_worth_compiling(side: int, native: bool) -> None:
    weight, slope = (Parameter(name, torch.ones(side, side)) for name in ("weight", "slope"))
    step = SGD(0.1).updates(
        parameter(name="w", parameter=weight), parameter(name="s", parameter=slope)
    )
    program = compile(Graph({}, tuple(step)))
    assert bool(program.source()) is native
    program()
    assert_near(weight.tensor, torch.full((side, side), 0.9))
