"""Training steps on a GPU: ours, PyTorch's and its compiler's, and checks of what they compute."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.rivals.pytorch import torch_network
from engine import Graph, Program, compile
from graphs import SGD, GraphBuilder
from graphs.architectures import report_network
from ops import mse

LR = 0.1
STEEP = 10.0
"""A learning rate at which a step's changes are large beside the rounding of weights in float32."""

SIDE = 32
BASELINE = "PyTorch eager, NCHW"
TOLERANCES = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 5e-2}
"""The largest difference allowed between the changes of a weight, relative to the change."""


class Wrong(Exception):
    """Something computes what it should not, or other than it should."""


@dataclass(frozen=True)
class Contestant:
    """A training step, which returns the loss, and the weights that it updates."""

    step: Callable[[], torch.Tensor]
    weights: Sequence[torch.Tensor]


def training_graph(batch: int) -> Graph:
    """The loss of the report's network, from the weights of seed 0."""
    torch.manual_seed(0)
    g = GraphBuilder("report")
    noisy, target = (g.input(name, (batch, 3, SIDE, SIDE)) for name in ("noisy", "target"))
    return g.build(loss=mse(report_network().build(noisy), target))


def program_for(graph: Graph, device: str, compute: str, lr: float = LR) -> Program:
    """The training step as one program."""
    return compile(graph, minimize="loss", optimizer=SGD(lr), device=device, compute=compute)


def ours(noisy: torch.Tensor, target: torch.Tensor, compute: str) -> Contestant:
    """The training step of some images."""
    graph = training_graph(len(noisy))
    program = program_for(graph, str(noisy.device), compute, STEEP)
    parameters = [node.attributes["parameter"] for node in graph.parameters.values()]
    for parameter in parameters:
        parameter.to(noisy.device)
    return Contestant(
        lambda: program.borrow(noisy=noisy, target=target)["loss"],
        [parameter.tensor for parameter in parameters],
    )


def pytorch(
    noisy: torch.Tensor, target: torch.Tensor, compute: str, wrap: Callable[..., Any], layout: Any
) -> Contestant:
    """The same in PyTorch; bfloat16 by autocast, which keeps weights and loss in float32."""
    torch.manual_seed(0)
    network = torch_network().to(noisy.device, noisy.dtype).to(memory_format=layout)
    noisy, target = (images.contiguous(memory_format=layout) for images in (noisy, target))
    optimizer = torch.optim.SGD(network.parameters(), lr=STEEP)
    half: Callable[[], AbstractContextManager[object]] = nullcontext
    if compute == "bfloat16":
        half = partial(torch.autocast, noisy.device.type, torch.bfloat16)

    def loss_of(images: torch.Tensor) -> torch.Tensor:
        with half():
            clean = network(images)
        return nn.functional.mse_loss(clean.float() if compute == "bfloat16" else clean, target)

    run = wrap(loss_of)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = run(noisy)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Contestant(step, list(network.parameters()))


def eager(loss: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch without a compiler."""
    return loss


def autotuned(loss: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch with its compiler at its best: for these shapes alone, and choosing by measuring."""
    compiled: Callable[..., Any] = torch.compile(loss, mode="max-autotune", dynamic=False)
    return compiled


def random_images(count: int, device: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random images, the same for the same count on every device."""
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, 3, SIDE, SIDE, generator=generator).to(device, dtype)


@torch.no_grad()
def changes(contestant: Contestant) -> list[torch.Tensor]:
    """By how much a step changes each weight, in float64 on the CPU; takes the changes back."""
    before = [weight.clone() for weight in contestant.weights]
    with torch.enable_grad():
        contestant.step()
    pairs = list(zip(contestant.weights, before, strict=True))
    found = [(weight.double() - start.double()).cpu() for weight, start in pairs]
    for weight, start in pairs:
        weight.copy_(start)
    return found


def apart(changed: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> float:
    """The largest difference between changes of a weight, relative to the expected change."""
    pairs = zip(changed, expected, strict=True)
    return max(float((is_ - should).norm() / should.norm()) for is_, should in pairs)


def require_near(name: str, compute: str, difference: float) -> None:
    """Check a difference of changes.

    Raises:
        Wrong: it is not small.
    """
    if not difference <= TOLERANCES[compute]:
        raise Wrong(f"{name} in {compute}: weights change otherwise, by {difference:.1e}")


def check_training(device: str, compute: str, batch: int = 100, runs: int = 3) -> float:
    """Train next to PyTorch in float64 on the CPU; return the largest difference of changes.

    The first run goes step by step, the second is recorded, later ones are launched as a graph.
    """
    noisy, target = random_images(2 * batch, "cpu").split(batch)
    right = pytorch(noisy.double(), target.double(), "float32", eager, torch.contiguous_format)
    tested = ours(noisy.to(device), target.to(device), compute)
    expected = changes(right)
    return max(apart(changes(tested), expected) for _ in range(runs))


def check_graphs(device: str, compute: str, batch: int = 100, steps: int = 5) -> None:
    """Check that runs launched as a graph and runs step by step have bitwise equal losses.

    Raises:
        Wrong: they have not, or runs are not launched as a graph on CUDA.
    """
    launched, stepwise = (program_for(training_graph(batch), device, compute) for _ in range(2))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "a program runs without a CUDA graph")
        for i in range(steps):
            noisy, target = random_images(2 * (batch + i), device)[: 2 * batch].split(batch)
            feeds = {"noisy": noisy, "target": target}
            if not torch.equal(launched(**feeds)["loss"], stepwise.profile(**feeds)["loss"]):
                raise Wrong(f"a graph in {compute}: its losses are not those of its steps")


def contestants(batch: int, device: str, compute: str) -> dict[str, Contestant]:
    """Every contestant of one training step; ``torch.compile`` chooses layouts itself."""
    noisy, target = random_images(2 * batch, device).split(batch)
    make = partial(pytorch, noisy, target, compute)
    return {
        "Blockwright": ours(noisy, target, compute),
        "PyTorch eager, channels-last": make(eager, torch.channels_last),
        BASELINE: make(eager, torch.contiguous_format),
        "torch.compile, max-autotune": make(autotuned, torch.channels_last),
    }
