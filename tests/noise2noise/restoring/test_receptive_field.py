"""The receptive field derived from a graph is the one that can be measured."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings

from engine import Graph, interpret
from graphs import GraphBuilder
from graphs.architectures import UNet, report_network
from graphs.noise2noise.restoring.receptive_field import Reach, ReceptiveField, receptive_field
from ops import GraphError, conv2d, mean, relu, reshape, upsample_nearest
from tests.noise2noise.restoring.networks import PYRAMIDS, Convolution, Drawn, Level, graph_of


def measured(graph: Graph, axis: int, farthest: int) -> tuple[int, int]:
    """How far before and after itself a pixel sees, by changing one row or column at a time.

    ``farthest``: what it may see at most; the picture is large enough for that, and more.
    """
    sides = [64, 64]
    sides[axis] = 64 * math.ceil((farthest + 16) / 32)
    picture = torch.rand(1, 1, *sides, generator=torch.Generator().manual_seed(1))
    usual = interpret(graph, {"noisy": picture})["clean"]
    before = after = 0
    for place in range(sides[axis] // 2 - 8, sides[axis] // 2 + 8):
        changed = picture.clone()
        changed.select(2 + axis, place).add_(10)
        differs = (interpret(graph, {"noisy": changed})["clean"] != usual).any(3 - axis).flatten()
        where = differs.nonzero()
        if len(where):
            after = max(after, place - int(where.min()))
            before = max(before, int(where.max()) - place)
    return before, after


FAR = (
    Convolution(1, 1, 1),
    Level("conv", (Level("conv", (Convolution(5, 1, 2),) * 2, skip=False),), skip=False),
    Convolution(5, 1, 2),
)


@settings(max_examples=25)
@given(PYRAMIDS)
@example(FAR)
def test_it_is_what_can_be_measured(layers: tuple[object, ...]) -> None:
    graph = graph_of(Drawn(layers))
    field = receptive_field(graph, "clean")
    for axis, reach in enumerate((field.rows, field.columns)):
        before, after = measured(graph, axis, max(reach.before, reach.after))
        assert before <= reach.before < before + reach.multiple
        assert after <= reach.after < after + reach.multiple


def test_of_our_networks() -> None:
    reach = Reach(9, 6, 4)
    assert receptive_field(graph_of(report_network(), 3), "clean") == ReceptiveField(reach, reach)
    field = receptive_field(graph_of(UNet(4), 3), "clean")
    assert field.rows == field.columns == Reach(158, 158, 32)


def test_padding_by_name_and_slices_of_channels() -> None:
    g = GraphBuilder("named")
    x = g.input("noisy", ("N", 4, "H", "W"))
    y = conv2d(x, g.parameter("w", (4, 4, 5, 2)), padding="same")
    field = receptive_field(g.build(clean=relu(y)), "clean")
    assert field == ReceptiveField(Reach(2, 2, 1), Reach(0, 1, 1))


def test_what_cannot_be_told() -> None:
    g = GraphBuilder("mixed")
    x = g.input("noisy", (1, 1, 8, 8))
    mixed = x - mean(x, (2, 3), keepdim=True)
    turned = reshape(x, (1, 1, 4, 16))
    graph = g.build(mixed=mixed, turned=turned, large=upsample_nearest(x, 2))
    for output in ("mixed", "turned"):
        with pytest.raises(GraphError, match=r"what part of a picture .* depends on is not known"):
            receptive_field(graph.select([output]), output)
    with pytest.raises(GraphError, match="not of its input's height and width"):
        receptive_field(graph.select(["large"]), "large")
    with pytest.raises(GraphError, match="has no output 'none'"):
        receptive_field(graph, "none")
