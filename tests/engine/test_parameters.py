"""Programs follow their parameters wherever torch puts them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import ops
from engine import compile, interpret
from graphs import SGD, Conv2d, GraphBuilder, Module, ReLU, Sequential
from ops import GraphError, Node
from tests.support import assert_near, values

BACKENDS = ("torch", "native")


def shared(tensor: torch.Tensor) -> None:
    tensor.share_memory_()  # as pickling for another process does


def replaced(tensor: torch.Tensor) -> None:
    tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("move", [shared, replaced])
def test_new_storage_is_read_and_written(
    move: Callable[[torch.Tensor], None], backend: str
) -> None:
    torch.manual_seed(0)
    net = Sequential(Conv2d(3, 5, 3, padding=1), ReLU(), Conv2d(5, 3, 3, padding=1))
    g = GraphBuilder("moving")
    x = g.input("x", (2, 3, 6, 7))
    y = net(x)
    graph = g.build(y=y, loss=ops.mean(ops.square(y)))
    program = compile(graph, outputs=["y"], backend=backend)
    step = compile(graph, minimize="loss", optimizer=SGD(0.1), backend=backend)
    feeds = {"x": values(2, 3, 6, 7).float()}
    program(**feeds)
    step(**feeds)
    for tensor, _ in net.param():
        move(tensor)
        tensor.mul_(1.5)
    expected = interpret(graph, feeds)
    assert_near(program(**feeds)["y"], expected["y"])
    assert_near(step(**feeds)["loss"], expected["loss"])
    assert float(step(**feeds)["loss"]) < float(expected["loss"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_first_run_in_inference_mode_is_a_run_like_any_other(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", backend)
    x = values(1, 2, 4, 4).float()
    with torch.inference_mode():
        net = Sequential(Conv2d(2, 3, 3), ReLU())
        first = net.forward(x)
    assert torch.equal(net.forward(x), first)
    net.backward(torch.ones_like(first))
    SGD(0.1, net).step()
    assert not torch.equal(net.forward(x), first)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_that_require_gradients_of_torch(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", backend)
    net, x = Sequential(Conv2d(2, 3, 3), ReLU()), values(1, 2, 4, 4).float()
    for tensor, _ in net.param():
        tensor.requires_grad_()
    before = net.forward(x)
    net.backward(torch.ones_like(before))
    SGD(0.1, net).step()
    assert not torch.equal(net.forward(x), before)


def test_results_are_on_the_programs_device_whatever_torchs_default() -> None:
    g = GraphBuilder("default device")
    program = compile(g.build(y=ops.exp(g.input("x", (40,)))), backend="native")
    x = torch.linspace(-1, 1, 40)
    program(x=x)
    torch.set_default_device("meta")
    try:
        y = program(x=x)["y"]
    finally:
        torch.set_default_device(None)
    assert_near(y, x.exp())


def test_weights_can_be_swapped() -> None:
    net = Sequential(Conv2d(2, 2, 1), Conv2d(2, 2, 1))
    before = net.state()
    live = {name: t.value.tensor for name, t in net.named_trainable().items()}
    swap = {"0": "1", "1": "0"}
    net.load_state({name: live[swap[name[0]] + name[1:]] for name in live})
    for name, value in net.state().items():
        assert torch.equal(value, before[swap[name[0]] + name[1:]])


class First(Module):
    takes = 2

    def build(self, *inputs: Node) -> Node:
        return inputs[0] * 2.0


class Signs(Module):
    def build(self, *inputs: Node) -> Node:
        return ops.sign(inputs[0])


def test_inputs_that_do_not_matter() -> None:
    x = values(3).float()
    first = First()
    assert torch.equal(first.forward(x, x), 2 * x)
    slopes = first.backward(torch.ones(3))
    assert [slope.tolist() for slope in slopes] == [[2.0] * 3, [0.0] * 3]
    signs = Signs()
    assert torch.equal(signs.forward(x), x.sign())
    with pytest.raises(GraphError, match=r"Signs\.backward: expected one gradient, got 2"):
        signs.backward(torch.ones(3), torch.ones(3))
    assert torch.equal(signs.backward(torch.ones(3)), torch.zeros(3))
