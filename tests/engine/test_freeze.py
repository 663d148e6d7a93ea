"""Programs with frozen parameters give the same results whatever happens to the parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from engine import BudgetError, Graph, compile
from graphs import SGD, GraphBuilder, Module
from graphs.architectures import UNet, report_network
from ops import GraphError, mse
from tests.support import allocated, assert_near, same_bits

BACKENDS = ("torch", "native")
NETWORKS: tuple[Callable[[], Module], ...] = (
    lambda: report_network(5),
    lambda: report_network(16),
    lambda: UNet(8, depth=2),
)


def inference(net: Module) -> Graph:
    g = GraphBuilder("inference")
    return g.build(clean=net(g.input("noisy", ("N", 3, "H", "W"))))


def noisy(n: int = 2, height: int = 12, width: int = 20) -> torch.Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", NETWORKS)
def test_the_same_results_for_ever(make: Callable[[], Module], backend: str) -> None:
    net = make()
    graph, sizes = inference(net), {"N": 2, "H": 12, "W": 20}
    expected = compile(graph, backend=backend, **sizes)(noisy=noisy())["clean"]
    program = compile(graph, backend=backend, freeze=True, **sizes)
    assert not any("phase_weight" in step.operator for step in program.steps())
    first = program(noisy=noisy())["clean"]
    assert_near(first, expected, scale=20)
    net.load_state({name: value * 0 for name, value in net.state().items()})
    assert same_bits(program(noisy=noisy())["clean"], first)
    assert same_bits(program.replica()(noisy=noisy())["clean"], first)


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_is_what_was_promised(backend: str) -> None:
    program = compile(inference(report_network(16)), backend=backend, freeze=True, N=2, H=8, W=8)
    feed = noisy(2, 8, 8)
    assert max(allocated(lambda: program.borrow(noisy=feed))) == program.peak_bytes
    assert not allocated(lambda: program.borrow(noisy=feed))


@pytest.mark.parametrize("backend", BACKENDS)
def test_with_a_memory_budget(backend: str) -> None:
    graph, sizes = inference(UNet(8, depth=2)), {"N": 1, "H": 16, "W": 16}
    whole = compile(graph, backend=backend, freeze=True, **sizes)
    with pytest.raises(BudgetError) as refused:
        compile(graph, backend=backend, freeze=True, memory_budget=1, **sizes)
    least = refused.value.smallest
    small = compile(graph, backend=backend, freeze=True, memory_budget=least, **sizes)
    assert small.peak_bytes <= least <= whole.peak_bytes
    feed = noisy(1, 16, 16)
    assert same_bits(small(noisy=feed)["clean"], whole(noisy=feed)["clean"])


def test_what_is_trained_cannot_be_frozen() -> None:
    g = GraphBuilder("training")
    x = g.input("x", (1, 3, 8, 8))
    graph = g.build(loss=mse(report_network(4)(x), x))
    with pytest.raises(GraphError, match="freeze=True is for programs that update no parameter"):
        compile(graph, minimize="loss", optimizer=SGD(lr=0.1), freeze=True)
