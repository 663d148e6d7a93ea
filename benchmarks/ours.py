"""Our own contestants: a training step and an inference, as one program or module by module."""

from __future__ import annotations

from collections.abc import Callable

import torch

from engine import Graph, Program, compile
from graphs import MSE, SGD, GraphBuilder, Module
from ops import mse

LR = 0.1
BACKENDS = ("native", "torch")
Step = Callable[[], torch.Tensor]


def training_program(network: Module, batch: int, side: int, backend: str) -> Program:
    """A training step of a network as one program: forward, gradient and update with SGD."""
    graph = training_graph(network)
    return compile(
        graph,
        minimize="loss",
        optimizer=SGD(LR),
        N=batch,
        H=side,
        W=side,
        backend=backend,
    )


def training_graph(network: Module) -> Graph:
    """The mean squared error of a network for images of any size."""
    g = GraphBuilder("training")
    x, t = g.input("noisy", ("N", 3, "H", "W")), g.input("target", ("N", 3, "H", "W"))
    return g.build(loss=mse(network(x), t))


def inference_program(
    network: Module, batch: int, side: int, backend: str, freeze: bool = False
) -> Program:
    """A network's forward pass alone."""
    g = GraphBuilder("inference")
    graph = g.build(clean=network(g.input("noisy", (batch, 3, side, side))))
    return compile(graph, backend=backend, freeze=freeze)


def training_by_modules(network: Module, noisy: torch.Tensor, target: torch.Tensor) -> Step:
    """A training step through the report's interface: forward, backward, step."""
    loss, optimizer = MSE(), SGD(LR, network)

    def step() -> torch.Tensor:
        network.zero_grad()
        value = loss.forward(network.forward(noisy), target)
        network.backward(loss.backward())
        optimizer.step()
        return value

    return step
