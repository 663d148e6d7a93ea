"""Building graphs by hand."""

from __future__ import annotations

import math

import pytest
import torch

import ops
from engine import compile, interpret
from graphs import SGD, Conv2d, GraphBuilder, ReLU, Sequential
from ops import FeedError, GraphError, SpecError
from tests.support import DOUBLE, assert_near, parameter_of, values


def test_several_inputs_outputs_shared_weights_and_skips() -> None:
    g = GraphBuilder("two branches", DOUBLE)
    left, right = g.input("left", ("N", 2, 4, 4)), g.input("right", ("N", 2, 4, 4))
    w = g.parameter("shared", (2, 2, 3, 3))
    a, b = (ops.relu(ops.conv2d(x, w, padding=1)) + x for x in (left, right))
    graph = g.build(a=a, b=b, both=ops.concat([a, b], 1), distance=ops.mse(a, b))
    feeds = {"left": values(3, 2, 4, 4), "right": values(3, 2, 4, 4, seed=1)}
    results = compile(graph, N=3)(**feeds)
    weight = parameter_of(graph, "shared").tensor

    def branch(x: torch.Tensor) -> torch.Tensor:
        return torch.conv2d(x, weight, padding=1).relu() + x

    expected_a, expected_b = branch(feeds["left"]), branch(feeds["right"])
    assert_near(results["a"], expected_a)
    assert_near(results["b"], expected_b)
    assert_near(results["both"], torch.cat([expected_a, expected_b], 1))
    assert_near(results["distance"], (expected_a - expected_b).square().mean())


def test_parameters_start_as_pytorchs_do() -> None:
    g = GraphBuilder("start")
    w, b = g.parameter("w", (16, 8, 3, 3)), g.parameter("b", (16,))
    graph = g.build(y=ops.sum(w) + ops.sum(b))
    torch.manual_seed(0)
    weight, bias = (parameter_of(graph, name).tensor for name in ("w", "b"))
    assert 0.9 / math.sqrt(72) < float(weight.abs().max()) <= 1 / math.sqrt(72)
    assert torch.equal(bias, torch.zeros(16))


def test_parameters_start_as_asked() -> None:
    g = GraphBuilder("init", DOUBLE)
    given = torch.arange(6.0).reshape(2, 3)
    first = g.parameter("first", (2, 3), init=given)
    second = g.parameter(
        "second", (2,), init=lambda shape, dtype: torch.full(shape, 3, dtype=dtype)
    )
    graph = g.build(first=first, second=second)
    given.zero_()
    results = interpret(graph, {})
    assert torch.equal(results["first"], torch.arange(6, dtype=DOUBLE).reshape(2, 3))
    assert torch.equal(results["second"], torch.tensor([3.0, 3.0], dtype=DOUBLE))


def test_what_cannot_be_a_leaf() -> None:
    g = GraphBuilder("refused")
    with pytest.raises(SpecError, match="expected float32 or float64, got int64"):
        GraphBuilder("integers", torch.int64)
    with pytest.raises(GraphError, match="expected a name, got ''"):
        g.input("", (1,))
    for size in (2.5, True, "", None):
        with pytest.raises(SpecError, match="input 'x': expected sizes of at least 0 or names"):
            g.input("x", (size,))
        g = GraphBuilder("refused")
    with pytest.raises(SpecError, match="sizes of at least 0"):
        g.input("negative", (-1,))
    with pytest.raises(SpecError, match="parameter 'values': expected sizes") as refused:
        g.parameter("values", torch.zeros(1000, 10))
    assert len(str(refused.value)) < 300
    with pytest.raises(SpecError, match=r"parameter 'w': expected known sizes, got \[N\]"):
        g.parameter("w", ("N",))
    with pytest.raises(
        SpecError, match=r"parameter 'v': expected a value of shape \[2\], got \[3\]"
    ):
        g.parameter("v", (2,), init=torch.zeros(3))
    with pytest.raises(SpecError, match="expected init to be or to make a tensor, got int"):
        g.parameter("u", (2,), init=0)


def test_modules_are_parts_of_graphs_too() -> None:
    net = Sequential(Conv2d(2, 3, 3, padding=1), ReLU())
    g = GraphBuilder("with modules")
    x = g.input("x", ("N", 2, 5, 5))
    y = net(x, name="net")
    loss = ops.mse(y, g.input("t", ("N", 3, 5, 5)))
    graph = g.build(y=y, loss=loss)
    assert list(graph.parameters) == ["net.0.weight", "net.0.bias"]
    feeds = {"x": values(2, 2, 5, 5).float(), "t": values(2, 3, 5, 5, seed=1).float()}
    assert_near(compile(graph, outputs=["y"], N=2)(x=feeds["x"])["y"], net.forward(feeds["x"]))
    step = compile(graph, minimize="loss", optimizer=SGD(lr=0.1), N=2)
    before = net[0].weight.clone()
    losses = [float(step(**feeds)["loss"]) for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert not torch.equal(net[0].weight, before)
    assert_near(compile(graph, outputs=["y"], N=2)(x=feeds["x"])["y"], net.forward(feeds["x"]))


def test_one_module_twice_in_a_graph_shares_its_weights() -> None:
    convolution = Conv2d(2, 2, 3, padding=1)
    g = GraphBuilder("shared")
    x = g.input("x", (1, 2, 4, 4))
    y = convolution(convolution(x, name="once"), name="again")
    graph = g.build(y=y)
    feeds = {"x": values(1, 2, 4, 4).float()}
    expected = convolution.forward(convolution.forward(feeds["x"]))
    assert_near(compile(graph)(**feeds)["y"], expected)


def test_training_a_weight_that_stands_under_two_names() -> None:
    shared = Conv2d(2, 2, 3, padding=1, dtype=DOUBLE)
    twin = torch.nn.Conv2d(2, 2, 3, padding=1, dtype=DOUBLE)
    twin.load_state_dict(shared.state())
    g = GraphBuilder("shared", DOUBLE)
    y = shared(ops.tanh(shared(g.input("x", (1, 2, 4, 4)), name="once")), name="again")
    step = compile(g.build(loss=ops.mean(y * y)), minimize="loss", optimizer=SGD(lr=0.1))
    optimizer = torch.optim.SGD(twin.parameters(), 0.1)
    x = values(1, 2, 4, 4)
    for _ in range(3):
        optimizer.zero_grad()
        loss = twin(twin(x).tanh()).square().mean()
        loss.backward()
        optimizer.step()
        assert_near(step(x=x)["loss"], loss)
    assert_near(shared.weight, twin.weight)
    assert_near(shared.bias, twin.bias)


def test_errors_of_calls_name_the_input() -> None:
    g = GraphBuilder("named")
    program = compile(g.build(y=ops.relu(g.input("noisy", ("N", 3)))), N=2)
    with pytest.raises(FeedError, match="input 'noisy'"):
        program(noisy=torch.zeros(2, 4))
