"""Random networks of convolutions, poolings and upsamplings, with or without a skip."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st

from engine import Graph
from graphs import GraphBuilder
from graphs.module import Module
from ops import Node, avg_pool2d, concat, conv2d, leaky_relu, max_pool2d, upsample_nearest


@dataclass(frozen=True)
class Convolution:
    """A convolution that keeps the image's size: an odd window, perhaps wider in one direction."""

    height: int
    width: int
    dilation: int


@dataclass(frozen=True)
class Level:
    """Downsampling in one of three ways, something in between, upsampling, perhaps a skip."""

    down: str
    inside: tuple[object, ...]
    skip: bool


CONVOLUTIONS = st.builds(
    Convolution, st.sampled_from([1, 3, 5]), st.sampled_from([1, 3]), st.integers(1, 2)
)
LAYERS = st.lists(CONVOLUTIONS, max_size=2).map(tuple)
PYRAMIDS = st.recursive(
    LAYERS,
    lambda inside: st.tuples(
        CONVOLUTIONS,
        st.builds(Level, st.sampled_from(["conv", "max", "mean"]), inside, st.booleans()),
        CONVOLUTIONS,
    ),
    max_leaves=3,
)


class Drawn(Module):
    """A network of one channel with positive weights, so that nothing cancels."""

    def __init__(self, layers: tuple[object, ...], seed: int = 0) -> None:
        super().__init__()
        self.layers = layers
        self._seed = seed
        generator = torch.Generator().manual_seed(seed)
        for i, shape in enumerate(_shapes(layers)):
            self.own(f"w{i}", 0.1 + torch.rand(shape, generator=generator) / shape[2])

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        weights = (self.node(f"w{i}") for i in range(len(_shapes(self.layers))))
        return self._through(self.layers, inputs[0], weights)

    def _through(self, layers: tuple[object, ...], x: Node, weights) -> Node:  # type: ignore[no-untyped-def]
        for layer in layers:
            if isinstance(layer, Convolution):
                padding = (layer.height // 2 * layer.dilation, layer.width // 2 * layer.dilation)
                convolved = conv2d(x, next(weights), padding=padding, dilation=layer.dilation)
                x = leaky_relu(convolved, negative_slope=0.2)
            elif isinstance(layer, Level):
                x = self._level(layer, x, weights)
        return x

    def _level(self, level: Level, x: Node, weights) -> Node:  # type: ignore[no-untyped-def]
        if level.down == "conv":
            below = conv2d(x, next(weights), stride=2, padding=1)
        else:
            below = (max_pool2d if level.down == "max" else avg_pool2d)(x, 2)
        below = upsample_nearest(self._through(level.inside, below, weights), 2)
        if level.skip:
            below = conv2d(concat([below, x], dim=1), next(weights))
        return below


def _shapes(layers: tuple[object, ...]) -> list[tuple[int, int, int, int]]:
    shapes = []
    for layer in layers:
        if isinstance(layer, Convolution):
            shapes.append((1, 1, layer.height, layer.width))
        elif isinstance(layer, Level):
            shapes += [(1, 1, 3, 3)] * (layer.down == "conv")
            shapes += _shapes(layer.inside)
            shapes += [(1, 2, 1, 1)] * layer.skip
    return shapes


def graph_of(net: Module, channels: int = 1) -> Graph:
    """A graph from ``noisy`` to ``clean``."""
    g = GraphBuilder("drawn")
    return g.build(clean=net(g.input("noisy", ("N", channels, "H", "W"))))
