"""A training step of single layers, also of kinds that denoisers do not have, beside PyTorch.

    python -m benchmarks.layers [--rounds 15] [--threads 1]

Each case is the layer twice, with a ReLU in between, mean squared error and SGD.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.harness import interleaved, options, print_table, write_timings
from benchmarks.ours import BACKENDS, LR
from benchmarks.rivals.pytorch import Step, training
from engine import compile
from graphs import SGD, Conv2d, GraphBuilder
from ops import Node, matmul, max_pool2d, mse, relu


@dataclass(frozen=True)
class Layer:
    """A kind of layer, in both frameworks.

    Attributes:
        shape: of its input and its output.
        ours: adds it to a graph, under a name.
        theirs: makes PyTorch's.
    """

    shape: tuple[int, ...]
    ours: Callable[[GraphBuilder, Node, str], Node]
    theirs: Callable[[], nn.Module]


def convolution(batch: int, channels: int, side: int, groups: int = 1) -> Layer:
    """A 3x3 convolution."""

    def ours(g: GraphBuilder, x: Node, name: str) -> Node:
        return Conv2d(channels, channels, 3, padding=1, groups=groups)(x, name=name)

    return Layer(
        (batch, channels, side, side),
        ours,
        lambda: nn.Conv2d(channels, channels, 3, padding=1, groups=groups),
    )


def pooling(batch: int, channels: int, side: int) -> Layer:
    """Max pooling with windows that overlap, of what a 1x1 convolution gives."""

    def ours(g: GraphBuilder, x: Node, name: str) -> Node:
        return max_pool2d(Conv2d(channels, channels, 1)(x, name=name), 3, stride=1, padding=1)

    return Layer(
        (batch, channels, side, side),
        ours,
        lambda: nn.Sequential(nn.Conv2d(channels, channels, 1), nn.MaxPool2d(3, 1, 1)),
    )


def product(rows: int, columns: int) -> Layer:
    """A matrix product."""
    return Layer(
        (rows, columns),
        lambda g, x, name: matmul(x, g.parameter(f"{name}.weight", (columns, columns))),
        lambda: nn.Linear(columns, columns, bias=False),
    )


CASES = {
    "conv, 32 channels, 32 of 32x32": convolution(32, 32, 32),
    "conv, 64 channels, 4 of 56x56": convolution(4, 64, 56),
    "conv, 256 channels, 8 of 14x14": convolution(8, 256, 14),
    "conv, 512 channels, 8 of 7x7": convolution(8, 512, 7),
    "conv, 3 channels, 8 of 128x128": convolution(8, 3, 128),
    "4 groups, 64 channels, 4 of 32x32": convolution(4, 64, 32, groups=4),
    "depthwise, 64 channels, 4 of 64x64": convolution(4, 64, 64, groups=64),
    "overlapping pools, 48 channels, 2 of 64x64": pooling(2, 48, 64),
    "product, 1024x1024": product(1024, 1024),
}


def our_step(layer: Layer, x: torch.Tensor, backend: str) -> Step:
    """A training step as one program."""
    g = GraphBuilder("layers")
    noisy, target = g.input("noisy", layer.shape), g.input("target", layer.shape)
    y = layer.ours(g, relu(layer.ours(g, noisy, "first")), "second")
    graph = g.build(loss=mse(y, target))
    program = compile(graph, minimize="loss", optimizer=SGD(LR), backend=backend)
    return lambda: program(noisy=x, target=x)["loss"]


def steps_of(layer: Layer) -> dict[str, Step]:
    """All contestants."""
    x = torch.randn(layer.shape)
    found = {f"Blockwright, {backend}": our_step(layer, x, backend) for backend in BACKENDS}
    layouts = {"PyTorch eager, NCHW": False, "PyTorch eager, channels-last": True}
    for name, channels_last in layouts.items():
        if x.ndim == 4 or not channels_last:
            found[name] = training(
                lambda: nn.Sequential(layer.theirs(), nn.ReLU(), layer.theirs()),
                *(x, x, LR),
                channels_last=channels_last,
                wrap=lambda network: network,
            )
    return found


def main() -> None:
    """Time every case, print the tables, write the JSON file and the plot."""
    chosen = options(__doc__, rounds=15).parse_args()
    torch.set_num_threads(chosen.threads)
    results = {}
    for case, layer in CASES.items():
        torch.manual_seed(1)
        results[case] = interleaved(steps_of(layer), chosen.rounds)
        print_table(case, results[case])
    write_timings(chosen.results, "layers", results)


if __name__ == "__main__":
    main()
