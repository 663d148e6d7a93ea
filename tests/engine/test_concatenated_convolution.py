"""Convolution of a concatenation, part by part, and the weight's gradient put together again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import REWRITES, Graph, compile, interpret
from engine.gradient import gradient
from engine.rewrites.concatenated_convolution import FEWEST_CHANNELS, convolve_parts
from engine.rewrites.joined_slices import join_slices
from graphs import SGD, GraphBuilder
from graphs.architectures import UNet
from ops import Node
from ops.leaves import input
from tests.support import DOUBLE, assert_near, assert_runs_as_interpreted, values

MANY, FEW = FEWEST_CHANNELS, FEWEST_CHANNELS - 1


@dataclass(frozen=True)
class Part:
    """Some channels of a concatenation: upsampled by a scale, or as they are (0)."""

    channels: int
    scale: int

    @property
    def stands_alone(self) -> bool:
        return self.scale == 2 and self.channels >= FEWEST_CHANNELS


PARTS = st.lists(
    st.builds(Part, st.sampled_from([0, 1, 2, FEW, MANY]), st.sampled_from([0, 1, 2])),
    min_size=1,
    max_size=4,
).filter(lambda parts: any(part.channels for part in parts))
SKIPPING = (Part(MANY, 2), Part(2, 0))
WINDOW = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}


def concatenated(parts: tuple[Part, ...] | list[Part], *, side: int = 4, dim: int = 1) -> Node:
    images = []
    for i, part in enumerate(parts):
        size = side // max(1, part.scale)
        x = input(name=f"x{i}", shape=(2, part.channels, size, size), dtype=DOUBLE)
        images.append(ops.upsample_nearest(x, part.scale) if part.scale else x)
    return ops.concat(images, dim)


def convolved(images: Node, kernel: int = 3, **window: int) -> tuple[Graph, dict]:
    """A convolution with its gradients, and what to feed it."""
    g = GraphBuilder("convolution", DOUBLE)
    window = WINDOW | window
    w = g.parameter("w", (2, images.sizes[1] // window["groups"], kernel, kernel))
    y = ops.conv2d(images, w, **window)
    graph = Graph({"y": y})
    slopes = gradient(ops.mean(ops.square(y)), [w, *graph.inputs.values()])
    names = ["w", *graph.inputs]
    outputs = {f"by {name}": slope for name, slope in zip(names, slopes, strict=True)}
    feeds = {name: values(*x.sizes, seed=i) for i, (name, x) in enumerate(graph.inputs.items())}
    return Graph({"y": y, **outputs}), feeds


def operators(graph: Graph) -> list[str]:
    return [node.operator.name for node in graph.nodes]


def rewritten_forward(graph: Graph) -> Graph:
    return convolve_parts(graph.select(["y"]))


@given(PARTS)
def test_the_sum_of_the_parts_is_the_whole(parts: list[Part]) -> None:
    graph, feeds = convolved(concatenated(parts))
    rewritten = rewritten_forward(graph)
    assert_near(interpret(rewritten, feeds)["y"], interpret(graph, feeds)["y"])
    assert_runs_as_interpreted(graph, feeds)
    empty = any(not part.channels for part in parts)
    alone = [part for part in parts if part.stands_alone and not empty]
    if not alone:
        assert str(rewritten) == str(graph.select(["y"]))
    if alone and len(parts) <= 2:
        assert "concat" not in operators(rewritten)


@given(PARTS)
def test_gradients_follow(parts: list[Part]) -> None:
    graph, feeds = convolved(concatenated(parts))
    expected = interpret(graph, feeds)
    y = rewritten_forward(graph).outputs["y"]
    leaves = Graph({"y": y})
    w, inputs = leaves.parameters["w"], leaves.inputs
    slopes = gradient(ops.mean(ops.square(y)), [w, *inputs.values()])
    by = dict(zip([f"by {name}" for name in ("w", *inputs)], slopes, strict=True))
    for name, value in assert_runs_as_interpreted(Graph(by), feeds).items():
        assert_near(value, expected[name], case=name)


@pytest.mark.parametrize(
    ("kernel", "window"),
    [
        (1, {"padding": 0}),
        (3, {"padding": 0}),
        (3, {"stride": 2}),
        (3, {"dilation": 2}),
        (3, {"groups": 2}),
        (5, {"padding": 2}),
    ],
)
def test_other_convolutions_are_left_alone(kernel: int, window: dict[str, int]) -> None:
    graph, feeds = convolved(concatenated(SKIPPING, side=6), kernel, **window)
    assert str(rewritten_forward(graph)) == str(graph.select(["y"]))
    assert_runs_as_interpreted(graph, feeds)


def test_a_concatenation_of_the_batch_is_left_alone() -> None:
    parts = (Part(MANY, 2), Part(MANY, 0))
    for dim, changed in ((0, False), (-4, False), (-3, True)):
        graph, feeds = convolved(concatenated(parts, dim=dim))
        assert (str(rewritten_forward(graph)) != str(graph.select(["y"]))) == changed
        assert_runs_as_interpreted(graph, feeds)


def test_a_concatenation_that_is_used_elsewhere_survives() -> None:
    images = concatenated(SKIPPING)
    w = ops.constant(value=values(2, MANY + 2, 3, 3))
    graph = Graph({"y": ops.conv2d(images, w, padding=1), "images": images})
    feeds = {name: values(*x.sizes) for name, x in graph.inputs.items()}
    assert_runs_as_interpreted(graph, feeds)


def test_the_unets_decoder_upsamples_and_concatenates_nothing() -> None:
    g = GraphBuilder("unet")
    x, t = g.input("noisy", (1, 3, 16, 16)), g.input("target", (1, 3, 16, 16))
    graph = g.build(loss=ops.mse(UNet(MANY, 3).build(x), t))
    without = [r for r in REWRITES if r is not convolve_parts]
    plain, parted = (
        compile(graph, minimize="loss", optimizer=SGD(0.1), rewrites=rewrites, backend="torch")
        for rewrites in (without, REWRITES)
    )
    names = operators(parted._runtime.plan.graph)
    assert "upsample_nearest" in operators(plain._runtime.plan.graph)
    assert "upsample_nearest" not in names
    assert "downsample_sum" not in names
    assert "unslice" not in names
    assert names.count("concat") == 3  # of the weights' gradients
    assert names.count("interleave_phases") + names.count("sum_pool2d") == 3
    assert parted.peak_bytes < plain.peak_bytes


AXES = st.lists(st.integers(1, 3), min_size=2, max_size=4)


@given(AXES, st.permutations(range(4)), st.integers(0, 1), st.integers(0, 1))
def test_slices_side_by_side_are_joined(
    lengths: list[int], order: list[int], before: int, after: int
) -> None:
    size = before + sum(lengths) + after
    placed, start = [], before
    for i, length in enumerate(lengths):
        x = input(name=f"x{i}", shape=(2, length), dtype=DOUBLE)
        place = {"size": size, "dim": 1, "start": start, "end": start + length, "step": 1}
        placed.append(ops.unslice(x, **place))
        start += length
    chosen = [placed[i] for i in order if i < len(placed)]
    total = chosen[0]
    for part in chosen[1:]:
        total = total + part
    graph = Graph({"y": total})
    joined = join_slices(graph)
    feeds = {name: values(*x.sizes, seed=i) for i, (name, x) in enumerate(graph.inputs.items())}
    assert torch.equal(interpret(joined, feeds)["y"], interpret(graph, feeds)["y"])
    assert_runs_as_interpreted(graph, feeds)
    if chosen == placed or chosen == placed[::-1]:
        assert "add" not in operators(joined)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"start": 0, "end": 2}, {"start": 1, "end": 3}),  # they overlap
        ({"start": 0, "end": 2}, {"start": 3, "end": 5}),  # a gap
        ({"start": 0, "end": 2}, {"start": 0, "end": 2}),  # the same place
        ({"start": 0, "end": 3, "step": 2}, {"start": 3, "end": 5}),  # not a whole slice
        ({"start": 0, "end": 2}, {"dim": 1, "start": 2, "end": 4}),  # another axis
    ],
)
def test_other_sums_are_left_alone(first: dict[str, int], second: dict[str, int]) -> None:
    placed = []
    for i, place in enumerate((first, second)):
        attributes = {"size": 5, "dim": 0, "step": 1} | place
        shape = [5, 5]
        shape[attributes["dim"]] = 2
        x = input(name=f"x{i}", shape=tuple(shape), dtype=DOUBLE)
        placed.append(ops.unslice(x, **attributes))
    graph = Graph({"y": placed[0] + placed[1]})
    assert str(join_slices(graph)) == str(graph)
    assert_runs_as_interpreted(
        graph, {f"x{i}": values(*x.sizes) for i, x in enumerate(graph.inputs.values())}
    )


def test_a_broadcast_sum_is_left_alone() -> None:
    whole, row = (input(name=n, shape=s, dtype=DOUBLE) for n, s in (("a", (3, 2)), ("b", (1, 2))))
    left = ops.unslice(whole, size=4, dim=1, start=0, end=2, step=1)
    right = ops.unslice(row, size=4, dim=1, start=2, end=4, step=1)
    graph = Graph({"y": left + right})
    assert str(join_slices(graph)) == str(graph)
    assert_runs_as_interpreted(graph, {"a": values(3, 2), "b": values(1, 2)})
