"""Runs recorded as one graph, by a stand-in that records torch's calls and by CUDA."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch.utils._python_dispatch import TorchDispatchMode

from engine import Program, compile, compile_stages
from engine.cuda import capture
from engine.cuda.streams import InTurn
from engine.once import warn_once
from engine.testing import Sample
from graphs import GraphBuilder
from ops import NumericsError, log, operator, same_as_input
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.engine.test_allocation import OPTIMIZERS, feeds, network
from tests.support import parameter_of, same_bits

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


class Recorder(TorchDispatchMode):
    """Records what writes into given memory, without doing it; refuses what would allocate."""

    def __init__(self, graph: StandIn) -> None:
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.is_view:
            return func(*args, **kwargs)
        named = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
        written = [
            named[argument.name]
            for argument in func._schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        if not written:
            raise RuntimeError(f"{func} allocates")
        self.graph.calls.append(lambda: func(*args, **kwargs))
        return written[0]


class StandIn:
    """A stand-in for ``torch.cuda.CUDAGraph``."""

    made = 0
    replays = 0

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []
        StandIn.made += 1

    def replay(self) -> None:
        StandIn.replays += 1
        for call in self.calls:
            call()

    def pool(self) -> tuple[int, int]:
        return (0, 1)


class Stream:
    def __init__(self, device: torch.device) -> None:
        self.device = device

    def wait_stream(self, other: Stream) -> None:
        assert other.device == self.device


@contextmanager
def recording(graph: StandIn, stream: Stream, capture_error_mode: str) -> Iterator[None]:
    with Recorder(graph):
        yield


def record_on_cpu(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    """Make the stand-in record CPU programs."""
    monkeypatch.setattr(capture, "DEVICE_TYPE", "cpu")
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # what runs on CUDA is torch calls, too
    replacements = {
        "CUDAGraph": StandIn,
        "graph": recording,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda stream: nullcontext(),
        "memory_snapshot": lambda pool: [{"total_size": 100}, {"total_size": 20}],
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    monkeypatch.setattr(StandIn, "made", 0)
    monkeypatch.setattr(StandIn, "replays", 0)
    warn_once.cache_clear()
    return StandIn


@pytest.fixture
def graphs_on_cpu(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    return record_on_cpu(monkeypatch)


def given_feeds(seed: int, device: str = "cpu") -> dict[str, torch.Tensor]:
    return {
        name: Sample((4, 4, 16, 16), dtype=torch.float32, seed=10 * seed + i).tensor().to(device)
        for i, name in enumerate(("x", "target"))
    }


def assert_captured_as_uncaptured(optimizer: str, device: str) -> Program:
    """Four steps, by calls and by ``profile``, which is never recorded: the same bits."""

    def step() -> tuple[Program, list[torch.Tensor]]:
        torch.manual_seed(0)
        graph = network()
        weights = [node.attributes["parameter"] for node in graph.parameters.values()]
        program = compile(graph, minimize="loss", optimizer=OPTIMIZERS[optimizer](), device=device)
        return program, weights

    (captured, weights), (other, expected_weights) = step(), step()
    for seed in range(4):
        results = captured(**given_feeds(seed, device))
        for name, value in other.profile(**given_feeds(seed, device)).items():
            assert same_bits(results[name], value), f"{name} of step {seed}"
    for actual, expected in zip(weights, expected_weights, strict=True):
        assert same_bits(actual.tensor, expected.tensor), actual.name
    return captured


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_recorded_training_is_training(optimizer: str, graphs_on_cpu: type[StandIn]) -> None:
    program = assert_captured_as_uncaptured(optimizer, "cpu")
    assert (graphs_on_cpu.made, graphs_on_cpu.replays) == (1, 3)
    assert program.pool_bytes == 120


def test_nothing_is_recorded_for_a_single_run(graphs_on_cpu: type[StandIn]) -> None:
    program = compile(network())
    program(**feeds())
    assert graphs_on_cpu.made == program.pool_bytes == 0


def test_a_program_that_ran_once_frees_its_memory(graphs_on_cpu: type[StandIn]) -> None:
    program = compile(network())
    program(**feeds())
    (captured,) = map(weakref.ref, program._runtime._whole)
    gc.disable()
    try:
        del program
        assert captured() is None
    finally:
        gc.enable()


def test_runs_on_other_streams_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[tuple[str, str]] = []

    class Named(str):
        def wait_stream(self, other: str) -> None:
            waits.append((self, other))

    in_turn = InTurn(torch.device("cuda", 0))
    for name in ("a", "a", "b", "b", "a"):
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device, name=name: Named(name))
        in_turn.begin(None)
    assert waits == [("b", "a"), ("a", "b")]


def test_nothing_is_recorded_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: pytest.fail("a graph"))
    program = compile(network())
    for _ in range(3):
        program(**feeds())


def test_every_stage_is_a_graph(graphs_on_cpu: type[StandIn]) -> None:
    whole = compile(network())
    forward, loss = compile_stages(network(), [["y"], ["loss"]])
    for seed in range(4):
        given = given_feeds(seed)
        expected = whole.profile(**given)
        assert forward(x=given["x"])["y"].shape == expected["y"].shape
        assert loss(target=given["target"])["loss"].shape == ()
    assert (graphs_on_cpu.made, graphs_on_cpu.replays) == (2, 6)


def test_recorded_again_when_its_parameters_have_moved(graphs_on_cpu: type[StandIn]) -> None:
    graph = network()
    program, others = compile(graph), compile(network())
    for _ in range(3):
        program(**feeds())
    weight = parameter_of(graph, "down.w")
    weight.to(torch.device("meta"))
    weight._tensor = torch.ones(weight.tensor.shape).contiguous(memory_format=torch.channels_last)
    others(**feeds())
    changed = [program(**feeds())["y"] for _ in range(3)]
    assert graphs_on_cpu.made == 2
    assert same_bits(changed[2], program.profile(**feeds())["y"])
    assert same_bits(changed[2], changed[0])


def test_not_recorded_again_when_those_of_others_have_moved(graphs_on_cpu: type[StandIn]) -> None:
    program, others = compile(network()), network()
    for i in range(4):
        program(**feeds())
        parameter_of(others, ("down.w", "down.b", "last.w", "last.b")[i]).to(torch.device("meta"))
    assert (graphs_on_cpu.made, graphs_on_cpu.replays) == (1, 3)


def test_several_programs_take_turns(graphs_on_cpu: type[StandIn]) -> None:
    graph = network()
    step = compile(graph, minimize="loss", optimizer=OPTIMIZERS["SGD"]())
    look = compile(graph, outputs=["y"])
    for seed in range(4):
        step(**given_feeds(seed))
        x = given_feeds(seed)["x"]
        assert same_bits(look(x=x)["y"], look.profile(x=x)["y"])
    assert graphs_on_cpu.made == 2


@settings(max_examples=max(10, settings.default.max_examples // 4))
@given(case=random_graphs(steps=6))
def test_random_graphs_can_be_recorded(case: RandomGraph) -> None:
    with pytest.MonkeyPatch.context() as patch:
        record_on_cpu(patch)
        program = compile(case.graph, **case.sizes)
        expected = program.profile(**case.feeds)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(3):
                for name, value in program(**case.feeds).items():
                    assert same_bits(value, expected[name]), case


def test_profiling_and_checks_are_not_recorded(graphs_on_cpu: type[StandIn]) -> None:
    program = compile(network(), check_numerics=True)
    for _ in range(3):
        program(**feeds())
        program.profile(**feeds())
    assert graphs_on_cpu.made == 0
    g = GraphBuilder("negative")
    checked = compile(g.build(y=log(g.input("x", (3,)))), check_numerics=True)
    with pytest.raises(NumericsError, match="log made"):
        checked(x=-torch.ones(3))


captured_softsign = operator(
    "captured_softsign", infer=same_as_input, forward=lambda x: x / (1 + x.abs())
)


def test_a_users_operator_runs_unrecorded_and_says_so_once(graphs_on_cpu: type[StandIn]) -> None:
    g = GraphBuilder("user's")
    x = torch.randn(3)
    program = compile(g.build(y=captured_softsign(g.input("x", (3,)))))
    with pytest.warns(UserWarning, match="'captured_softsign' has no kernel"):
        program(x=x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for other in (program, program.replica(), program):
            assert same_bits(other(x=x)["y"], x / (1 + x.abs()))
    assert graphs_on_cpu.made == 0


def test_what_cannot_be_recorded_runs_as_it_is(graphs_on_cpu: type[StandIn]) -> None:
    log: list[str] = []

    def run() -> None:
        torch.ones(3)  # allocates
        log.append("ran")

    captured = capture.Captured([run], torch.device("cpu"))
    captured()
    with pytest.warns(UserWarning, match="could not be recorded: .* allocates"):
        captured()
    captured()
    assert log == ["ran"] * 3
    assert captured.pool_bytes == 0


@needs_cuda
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_recorded_training_on_cuda(optimizer: str) -> None:
    assert_captured_as_uncaptured(optimizer, "cuda")


@needs_cuda
def test_steady_state_allocates_nothing_on_cuda() -> None:
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    step = compile(network(), minimize="loss", optimizer=OPTIMIZERS["Adam"](), device="cuda")
    given = given_feeds(0, "cuda")
    for _ in range(3):
        step.borrow(**given)
    before = torch.cuda.memory_stats()
    for _ in range(3):
        step.borrow(**given)
    after = torch.cuda.memory_stats()
    for counter in ("allocation.all.allocated", "segment.all.allocated"):
        assert after[counter] == before[counter], counter


@needs_cuda
def test_moves_and_several_programs_on_cuda() -> None:
    graph = network()
    step = compile(graph, minimize="loss", optimizer=OPTIMIZERS["SGD"](), device="cuda")
    look = compile(graph, outputs=["y"], device="cuda")
    for seed in range(6):
        given = given_feeds(seed, "cuda")
        step(**given)
        assert same_bits(look(x=given["x"])["y"], look.profile(x=given["x"])["y"])
        if seed == 3:
            parameter_of(graph, "down.w").to(torch.device("cpu"))
