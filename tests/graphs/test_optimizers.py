"""Optimizers compared with torch.optim's, as part of a program and stepping a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import ops
from engine import compile
from graphs import SGD, Adam, Conv2d, GraphBuilder, Module, ReLU, Sequential
from graphs.optimizers import Optimizer
from ops import GraphError
from tests.graphs.twins import equal_weights
from tests.support import DOUBLE, assert_near, parameter_of, values

KINDS: dict[str, tuple[Callable[..., Optimizer], Callable[..., Any], dict[str, Any]]] = {
    "SGD": (SGD, torch.optim.SGD, {"lr": 0.05}),
    "momentum": (SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "nesterov": (SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    "decay": (SGD, torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    "all of SGD": (
        SGD,
        torch.optim.SGD,
        {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    ),
    "Adam": (Adam, torch.optim.Adam, {"lr": 0.01}),
    "Adam, other betas": (Adam, torch.optim.Adam, {"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-3}),
    "Adam, no mean": (Adam, torch.optim.Adam, {"lr": 0.01, "betas": (0.0, 0.9)}),
    "Adam, decay": (Adam, torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
}


def networks() -> tuple[Sequential, nn.Sequential]:
    ours = Sequential(
        Conv2d(2, 3, 3, padding=1, dtype=DOUBLE), ReLU(), Conv2d(3, 2, 1, dtype=DOUBLE)
    )
    theirs = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, dtype=DOUBLE), nn.ReLU(), nn.Conv2d(3, 2, 1, dtype=DOUBLE)
    )
    equal_weights(ours, theirs)
    return ours, theirs


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_steps_as_a_part_of_a_program(kind: str) -> None:
    make, make_theirs, options = KINDS[kind]
    ours, theirs = networks()
    g = GraphBuilder("training", DOUBLE)
    x, target = g.input("x", (2, 2, 5, 5)), g.input("target", (2, 2, 5, 5))
    graph = g.build(loss=ops.mse(ours(x), target))
    step = compile(graph, minimize="loss", optimizer=make(**options))
    optimizer = make_theirs(theirs.parameters(), **options)
    for i in range(100):
        a, b = values(2, 2, 5, 5, seed=i % 7), values(2, 2, 5, 5, seed=50 + i % 7)
        optimizer.zero_grad()
        expected = nn.functional.mse_loss(theirs(a), b)
        expected.backward()
        optimizer.step()
        assert_near(step(x=a, target=b)["loss"], expected, scale=1e4)
    for (value, _), parameter in zip(ours.param(), theirs.parameters(), strict=True):
        assert_near(value, parameter, scale=1e4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_steps_of_a_model(kind: str) -> None:
    make, make_theirs, options = KINDS[kind]
    ours, theirs = networks()
    lr = options["lr"]
    optimizer = make(lr, ours, **{name: v for name, v in options.items() if name != "lr"})
    torch_optimizer = make_theirs(theirs.parameters(), **options)
    for i in range(100):
        x = values(2, 2, 5, 5, seed=i % 7)
        torch_optimizer.zero_grad()
        ours.zero_grad()
        y = theirs(x)
        y.square().mean().backward()
        result = ours.forward(x)
        ours.backward(2 * result / result.numel())
        if i == 60:
            optimizer.lr = lr / 10
            for group in torch_optimizer.param_groups:
                group["lr"] = lr / 10
        optimizer.step()
        torch_optimizer.step()
    for (value, _), parameter in zip(ours.param(), theirs.parameters(), strict=True):
        assert_near(value, parameter, scale=1e4)


def test_a_new_learning_rate_takes_effect_at_the_next_step() -> None:
    g = GraphBuilder("rate", DOUBLE)
    w = g.parameter("w", (3,), init=torch.zeros(3))
    graph = g.build(loss=ops.sum(w))
    optimizer = SGD(lr=1.0)
    step = compile(graph, minimize="loss", optimizer=optimizer)
    other = compile(graph, minimize="loss", optimizer=optimizer)
    step()
    optimizer.lr = 0.25
    assert optimizer.lr == 0.25
    step()
    other()
    assert_near(parameter_of(graph, "w").tensor, torch.full((3,), -1.5, dtype=DOUBLE))


def test_a_new_momentum_takes_effect_at_the_next_step() -> None:
    net = Sequential(Conv2d(1, 1, 1, bias=False))
    theirs = nn.Parameter(net.param()[0][0].clone())
    optimizer = SGD(lr=1.0, model=net)
    torch_optimizer = torch.optim.SGD([theirs], lr=1.0)
    net.param()[0][1].fill_(1.0)
    theirs.grad = torch.ones_like(theirs)
    for momentum in (0.0, 0.9, 0.9, 0.5):
        optimizer.momentum = torch_optimizer.param_groups[0]["momentum"] = momentum
        optimizer.step()
        torch_optimizer.step()
    assert_near(net.param()[0][0], theirs)


def test_state_is_shared_among_the_programs_of_one_optimizer() -> None:
    def trained(programs: int) -> torch.Tensor:
        g = GraphBuilder("momentum", DOUBLE)
        w = g.parameter("w", (3,), init=values(3))
        graph = g.build(loss=ops.sum(w * w))
        optimizer = SGD(lr=0.1, momentum=0.9)
        steps = [compile(graph, minimize="loss", optimizer=optimizer) for _ in range(programs)]
        for i in range(6):
            steps[i % programs]()
        return parameter_of(graph, "w").tensor

    assert_near(trained(2), trained(1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(lr=0.0), "expected lr above 0 and finite, got 0.0"),
        (lambda: SGD(lr=-1.0), "expected lr above 0"),
        (lambda: SGD(lr=float("nan")), "expected lr above 0"),
        (lambda: SGD(lr=float("inf")), "expected lr above 0"),
        (lambda: SGD(lr="fast"), "expected lr above 0"),
        (lambda: SGD(lr=0.1, momentum=1.0), r"expected momentum in \[0, 1\)"),
        (lambda: SGD(lr=0.1, momentum=-0.1), r"expected momentum in \[0, 1\)"),
        (lambda: SGD(lr=0.1, weight_decay=-1.0), "expected weight_decay of at least 0"),
        (lambda: SGD(lr=0.1, weight_decay=float("inf")), "expected weight_decay of at least 0"),
        (lambda: SGD(lr=0.1, nesterov=True), "nesterov=True needs a momentum above 0"),
        (lambda: Adam(lr=0.0), "expected lr above 0"),
        (lambda: Adam(betas=(0.9, 1.0)), r"expected betas\[1\] in \[0, 1\)"),
        (lambda: Adam(betas=(0.9,)), r"expected two betas, got \(0.9,\)"),
        (lambda: Adam(eps=0.0), "expected eps above 0"),
        (lambda: SGD(lr=0.1).step(), "needs a model"),
    ],
)
def test_bad_arguments(make: Callable[[], object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()


def test_the_rate_is_checked_when_it_changes() -> None:
    optimizer = SGD(0.1, Conv2d(1, 1, 1))
    with pytest.raises(GraphError, match="expected lr above 0"):
        optimizer.lr = -2
    assert optimizer.lr == 0.1


def test_stepping_after_modules_were_added() -> None:
    net = Sequential(Conv2d(1, 1, 1, bias=False))
    optimizer = SGD(1.0, net)
    x = torch.ones(1, 1, 2, 2)
    net.backward(net.forward(x))
    optimizer.step()
    net.add_modules(Conv2d(1, 1, 1, bias=False))
    net.zero_grad()
    before = [value.clone() for value, _ in net.param()]
    net.forward(x)
    net.backward(torch.ones(1, 1, 2, 2))
    optimizer.step()
    for (value, slope), old in zip(net.param(), before, strict=True):
        assert slope.any()
        assert_near(value, old - slope)


def test_a_model_without_parameters() -> None:
    net: Module = ReLU()
    SGD(0.1, net).step()
    Adam(0.1, net).step()


@pytest.mark.parametrize("make", [lambda net: SGD(0.1, net), lambda net: Adam(0.1, net)])
def test_parameters_of_two_types_and_of_no_elements(make: Callable[[Module], Optimizer]) -> None:
    net = Sequential(Conv2d(1, 1, 1), Conv2d(1, 1, 1, dtype=DOUBLE))
    net.own("empty", torch.zeros(0))
    for tensor, slope in net.param():
        tensor.fill_(1)
        slope.fill_(1)
    make(net).step()
    for tensor, _ in net.param():
        torch.testing.assert_close(tensor, torch.full_like(tensor, 0.9))
