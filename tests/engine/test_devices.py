"""One graph on any device: torch's ``meta`` stands in for one; CUDA, if available, is another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from engine import compile, compile_stages, interpret
from graphs import SGD, Adam, Conv2d, GraphBuilder, Sequential, Sigmoid
from tests.engine.test_allocation import OPTIMIZERS, feeds, network
from tests.support import assert_near

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(autouse=True)
def _meta_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.device.DEVICES", ("cpu", "cuda", "meta"))


class OnlyOn(TorchDispatchMode):
    """Refuses every tensor that is on another device."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_flatten((args, kwargs, result))[0]:
            if isinstance(value, torch.Tensor) and value.device.type != self.device:
                raise AssertionError(f"{func} met a tensor on {value.device}")
        return result


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_program_touches_its_own_device_only(optimizer: str) -> None:
    step = compile(network(), minimize="loss", optimizer=OPTIMIZERS[optimizer](), device="meta")
    assert step.device.type == "meta"
    given = {name: value.to("meta") for name, value in feeds().items()}
    step(**given)  # moves the parameters, allocates the arena, writes the constants
    with OnlyOn("meta"):
        results = step(**given)
    assert results["y"].device.type == "meta"
    assert results["y"].shape == (4, 4, 16, 16)


def test_stages_and_feeds_from_another_device() -> None:
    forward, loss = compile_stages(network(), [["y"], ["loss"]], device="meta")
    assert forward(x=feeds()["x"])["y"].device.type == "meta"
    assert loss(target=feeds()["target"])["loss"].device.type == "meta"


def test_interpreting_where_the_feeds_are() -> None:
    graph = network()
    for node in graph.parameters.values():
        node.attributes["parameter"].to(torch.device("meta"))
    given = {name: value.to("meta") for name, value in feeds().items()}
    with OnlyOn("meta"):
        assert interpret(graph, given)["y"].device.type == "meta"


def test_modules_and_optimizers_follow_their_input() -> None:
    for optimizer in (SGD(0.1, momentum=0.9), Adam(0.1)):
        net = Sequential(Conv2d(3, 4, 3, padding=1), Sigmoid())
        optimizer._model = net
        x = torch.empty(2, 3, 8, 8, device="meta")
        for _ in range(2):
            y = net.forward(x)
            assert y.device.type == "meta"
            assert net.backward(torch.empty_like(y)).shape == x.shape
            optimizer.step()
        assert all(p.device.type == g.device.type == "meta" for p, g in net.param())


@needs_cuda
def test_on_cuda() -> None:
    graph = network()
    expected = interpret(graph, feeds())
    program = compile(graph, device="cuda")
    for name, value in program(**{n: v.cuda() for n, v in feeds().items()}).items():
        assert value.device.type == "cuda"
        assert_near(value.cpu(), expected[name], scale=50)


@needs_cuda
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_on_cuda(optimizer: str) -> None:
    step = compile(network(), minimize="loss", optimizer=OPTIMIZERS[optimizer](), device="cuda")
    given = {name: value.cuda() for name, value in feeds().items()}
    losses = [float(step(**given)["loss"]) for _ in range(20)]
    assert losses[-1] < losses[0]


def test_the_interpreter_computes_where_its_feeds_are() -> None:
    g = GraphBuilder("constants")
    x, w = g.input("x", (2,)), g.parameter("w", (2,), init=torch.ones(2))
    graph = g.build(y=x * torch.tensor([1.0, 2.0]) + w)
    y = interpret(graph, {"x": torch.empty(2, device="meta")})["y"]
    assert y.device.type == "meta"
