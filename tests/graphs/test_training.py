"""A hundred training steps, compared with the same model in torch.nn."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ops
from engine import compile
from graphs import MSE, SGD, Adam, GraphBuilder, Sequential
from graphs.architectures import report_network
from tests.graphs.twins import equal_weights
from tests.support import DOUBLE, assert_near, values


def twin_of_the_report(channels: int) -> nn.Sequential:
    def up(c_in: int, c_out: int) -> nn.Sequential:
        return nn.Sequential(
            nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(c_in, c_out, 3, padding=1)
        )

    return nn.Sequential(
        nn.Conv2d(3, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
        nn.ReLU(),
        up(2 * channels, channels),
        nn.ReLU(),
        up(channels, 3),
        nn.Sigmoid(),
    )


def pair(step: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    clean = values(4, 3, 16, 16, seed=step % 5, dtype=dtype).sigmoid()
    noise = [0.1 * values(4, 3, 16, 16, seed=s + step, dtype=dtype) for s in (100, 200)]
    return clean + noise[0], clean + noise[1]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_the_reports_network_by_forward_backward_and_step(kind: str) -> None:
    net, twin = equal_weights(report_network(8), twin_of_the_report(8))
    loss = MSE()
    if kind == "SGD":
        optimizer, torch_optimizer = SGD(0.5, net), torch.optim.SGD(twin.parameters(), 0.5)
    else:
        optimizer = Adam(1e-3, net)
        torch_optimizer = torch.optim.Adam(twin.parameters(), 1e-3)
    ours, theirs = [], []
    for step in range(100):
        noisy, target = pair(step)
        ours.append(float(loss.forward(net.forward(noisy), target)))
        net.zero_grad()
        net.backward(loss.backward())
        optimizer.step()

        torch_optimizer.zero_grad()
        expected = nn.functional.mse_loss(twin(noisy), target)
        expected.backward()
        torch_optimizer.step()
        theirs.append(expected.item())
    assert ours == pytest.approx(theirs, rel=2e-3)
    assert ours[95] < ours[0]  # of the same pictures
    for (value, _), parameter in zip(net.param(), twin.parameters(), strict=True):
        assert_near(value, parameter, scale=500)


def test_by_modules_and_by_a_program_is_the_same() -> None:
    torch.manual_seed(0)
    by_modules = report_network(4)
    by_program = report_network(4)
    by_program.load_state(by_modules.state())
    g = GraphBuilder("training")
    noisy, target = g.input("noisy", ("N", 3, "H", "W")), g.input("target", ("N", 3, "H", "W"))
    graph = g.build(loss=ops.mse(by_program(noisy), target))
    step = compile(graph, minimize="loss", optimizer=SGD(lr=0.5), N=4, H=16, W=16)
    loss, optimizer = MSE(), SGD(0.5, by_modules)
    for i in range(20):
        a, b = pair(i)
        value = loss.forward(by_modules.forward(a), b)
        by_modules.zero_grad()
        by_modules.backward(loss.backward())
        optimizer.step()
        assert_near(step(noisy=a, target=b)["loss"], value, scale=10)
    for name, value in by_modules.state().items():
        assert_near(by_program.state()[name], value, scale=50)


def test_the_trained_network_restores_other_sizes() -> None:
    net, twin = equal_weights(report_network(4), twin_of_the_report(4))
    for shape in [(1, 3, 4, 4), (1, 3, 64, 40), (3, 3, 32, 32)]:
        x = values(*shape).float()
        assert_near(net.forward(x), twin(x), scale=10)


def test_training_is_the_same_every_time() -> None:
    def trained() -> list[torch.Tensor]:
        torch.manual_seed(3)
        net, loss = report_network(4), MSE()
        optimizer = SGD(0.5, net)
        for i in range(5):
            noisy, target = pair(i)
            loss.forward(net.forward(noisy), target)
            net.zero_grad()
            net.backward(loss.backward())
            optimizer.step()
        return [value.clone() for value, _ in net.param()]

    for first, second in zip(trained(), trained(), strict=True):
        assert torch.equal(first, second)


def test_in_double_precision() -> None:
    net = Sequential(*report_network(2))
    assert {value.dtype for value, _ in net.param()} == {torch.float32}
    assert pair(0, DOUBLE)[0].dtype == DOUBLE
