"""Rewrites: bitwise equal where they apply, and not applied where they would not be."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import REWRITES, Graph, compile, gradient, interpret, rewrite
from engine.rewrites import strided_phases
from engine.rewrites.constants import fold_constants
from engine.rewrites.copies import copy_weights
from engine.rewrites.duplicates import merge_duplicates
from engine.rewrites.identities import simplify_identities
from engine.rewrites.strided_phases import stride_over_phases
from engine.rewrites.upsampled_convolution import convolve_before_upsampling
from graphs import GraphBuilder
from ops import GraphError, Node
from ops.phases import tap_sums
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import DOUBLE, assert_near, same_bits, values

Change = Callable[[Node], Node]
EXACT = (fold_constants, simplify_identities, merge_duplicates)

AWKWARD = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, -1e-310, 1e308, 1 / 3]
"""Numbers on which an identity may fail: signed zeros, infinities, NaN, subnormals."""

REMOVED: dict[str, Change] = {
    "x*1": lambda x: x * 1,
    "1*x": lambda x: 1 * x,
    "x/1": lambda x: x / 1,
    "x-0": lambda x: x - 0,
    "x**1": lambda x: x**1,
    "--x": lambda x: ops.neg(-x),
    "reshape": lambda x: ops.reshape(x, x.shape),
    "there and back": lambda x: ops.reshape(ops.reshape(x, (-1,)), x.shape),
    "permute": lambda x: ops.permute(x, range(x.ndim)),
    "turned twice": lambda x: ops.permute(ops.permute(x, (1, 2, 0)[: x.ndim]), (2, 0, 1)[: x.ndim]),
    "expand": lambda x: ops.expand(x, x.shape),
    "sum_to": lambda x: ops.sum_to(x, shape=x.shape),
    "slice": lambda x: ops.slice(x, 0),
    "unslice": lambda x: ops.unslice(x, size=x.sizes[0], dim=0, start=0, end=x.sizes[0], step=1),
    "pad": lambda x: ops.pad(x, (0, 0)),
    "concat": lambda x: ops.concat([x], 0),
}

KEPT: dict[str, Change] = {
    "x+0": lambda x: x + 0,  # -0 + 0 = 0
    "x - -0": lambda x: x - (-0.0),  # -0 - -0 = 0
    "x*0": lambda x: x * 0,  # NaN * 0 = NaN
    "0-x": lambda x: 0 - x,
    "1/x": lambda x: 1 / x,
    "1**x": lambda x: 1**x,
    "x*-1": lambda x: x * -1,
    "x*1.0000001": lambda x: x * (1 + 2**-50),
    "x**2": lambda x: x**2,
    "abs(-x)": lambda x: abs(-x),
    "x*ones": lambda x: x * torch.ones(2, *x.sizes, dtype=x.dtype),  # a larger shape
    "x*1 in more axes": lambda x: x * ops.full(value=1.0, shape=(1,) * 4, dtype=DOUBLE),
    "x[::2]": lambda x: ops.slice(x, 0, step=2),
    "x[1:]": lambda x: ops.slice(x, 0, 1),
    "x among zeros": lambda x: ops.unslice(
        x, size=x.sizes[0] + 1, dim=0, start=1, end=x.sizes[0] + 1, step=1
    ),
    "pad by -1, 1": lambda x: ops.pad(x, (-1, 1)),  # the same shape
    "turned": lambda x: ops.permute(x, (1, 2, 0)),
    "two of three": lambda x: ops.concat([x, x], 0),
    "sum over 1": lambda x: ops.sum(ops.reshape(x, (1, *x.shape)), 0, keepdim=True),
}


def awkward(*shape: int) -> torch.Tensor:
    count = math.prod(shape)
    return torch.tensor((AWKWARD * count)[:count], dtype=DOUBLE).reshape(shape)


def changed(change: Change) -> Graph:
    g = GraphBuilder("pattern", DOUBLE)
    return g.build(y=change(g.input("x", (3, 3, 3))))


@pytest.mark.parametrize("change", REMOVED.values(), ids=list(REMOVED))
def test_an_identity_is_removed_and_exact(change: Change) -> None:
    graph = changed(change)
    simplified = simplify_identities(graph)
    assert [node.operator.name for node in simplified.nodes] == ["input"]
    for x in (awkward(3, 3, 3), values(3, 3, 3), values(3, 3, 3) * 1e-310):
        assert same_bits(interpret(graph, {"x": x})["y"], x)


def test_reductions_of_a_single_number_are_removed() -> None:
    g = GraphBuilder("number", DOUBLE)
    graph = g.build(y=ops.mean(ops.sum(g.input("x", ()))))
    assert len(simplify_identities(graph).nodes) == 1


@pytest.mark.parametrize("change", KEPT.values(), ids=list(KEPT))
def test_a_near_miss_is_left_alone(change: Change) -> None:
    graph = changed(change)
    simplified = simplify_identities(graph)
    assert len(simplified.nodes) == len(graph.nodes)
    feeds = {"x": awkward(3, 3, 3)}
    expected = interpret(graph, feeds)["y"]
    assert same_bits(interpret(simplified, feeds)["y"], expected)
    assert same_bits(compile(graph)(**feeds)["y"], expected)


@pytest.mark.parametrize("name", ["abs", "relu"])
def test_once_is_as_good_as_twice(name: str) -> None:
    operator = getattr(ops, name)
    graph = changed(lambda x: operator(operator(operator(x))))
    assert len(simplify_identities(graph).nodes) == 2
    feeds = {"x": awkward(3, 3, 3)}
    expected = interpret(graph, feeds)["y"]
    assert same_bits(interpret(simplify_identities(graph), feeds)["y"], expected)


@given(
    st.lists(st.sampled_from([*REMOVED.values(), *KEPT.values()]), min_size=1, max_size=5),
    st.integers(0, 5),
)
def test_any_mixture_of_patterns_keeps_every_bit(changes: list[Change], reused: int) -> None:
    g = GraphBuilder("mixture", DOUBLE)
    pool = [g.input("x", (3, 3, 3))]
    for change in changes:
        fitting = [x for x in pool if x.ndim == 3 and min(x.sizes) > 1]
        pool.append(change(fitting[-1 - reused % len(fitting)]))
    graph = g.build(**{f"y{i}": value for i, value in enumerate(pool)})
    feeds = {"x": awkward(3, 3, 3)}
    expected = interpret(graph, feeds)
    for rewritten in (*(apply(graph) for apply in EXACT), rewrite(graph, EXACT)):
        for name, value in interpret(rewritten, feeds).items():
            assert same_bits(value, expected[name])


@given(random_graphs())
def test_exact_rewrites_keep_every_bit_of_random_graphs(case: RandomGraph) -> None:
    bound = case.graph.bind(case.sizes)
    expected = interpret(bound, case.feeds)
    for apply in EXACT:
        rewritten = apply(bound)
        rewritten.check()
        assert len(rewritten.nodes) <= len(bound.nodes)
        feeds = {name: case.feeds[name] for name in rewritten.inputs}
        for name, value in interpret(rewritten, feeds).items():
            assert same_bits(value, expected[name]), f"{apply.__name__}: {name} of {case}"


@given(random_graphs())
def test_rewriting_again_changes_nothing(case: RandomGraph) -> None:
    once = rewrite(case.graph.bind(case.sizes))
    assert str(rewrite(once)) == str(once)


def test_what_is_computed_twice_is_computed_once() -> None:
    g = GraphBuilder("twice", DOUBLE)
    x, w = g.input("x", (1, 2, 4, 4)), g.parameter("w", (2, 2, 3, 3))
    once, twice = (ops.tanh(ops.conv2d(x, w, padding=1)) for _ in range(2))
    merged = merge_duplicates(g.build(y=once + twice))
    assert [node.operator.name for node in merged.nodes].count("conv2d") == 1


def test_what_only_looks_the_same_is_not_merged() -> None:
    g = GraphBuilder("alike", DOUBLE)
    x, w = g.input("x", (1, 2, 4, 4)), g.parameter("w", (2, 2, 3, 3))
    graph = g.build(
        stride=ops.conv2d(x, w, padding=1, stride=1)
        + ops.sum(ops.conv2d(x, w, padding=1, stride=2)),
        zeros=x / 0.0 + x / -0.0,
        order=(x - ops.exp(x)) * (ops.exp(x) - x),
        slopes=ops.leaky_relu(x, 0.1) + ops.leaky_relu(x, 0.2),
        dtypes=ops.full(value=1, shape=(), dtype=DOUBLE) * x,
    )
    merged = merge_duplicates(graph)
    names = [node.operator.name for node in merged.nodes]
    assert {name: names.count(name) for name in ("conv2d", "div", "exp", "leaky_relu", "sub")} == {
        "conv2d": 2,
        "div": 2,
        "exp": 1,
        "leaky_relu": 2,
        "sub": 2,
    }
    feeds = {"x": awkward(1, 2, 4, 4)}
    expected = interpret(graph, feeds)
    for name, value in interpret(merged, feeds).items():
        assert same_bits(value, expected[name]), name


def test_constants_are_folded_and_large_ones_are_not() -> None:
    g = GraphBuilder("constants", DOUBLE)
    x = g.input("x", (3,))
    two = ops.full(value=2.0, shape=(3,), dtype=DOUBLE)
    large = ops.expand(ops.full(value=2.0, shape=(), dtype=DOUBLE), (2000, 3))
    graph = g.build(small=x * ops.sqrt(ops.exp(two) + 1), large=x * ops.exp(large))
    folded = fold_constants(graph)
    names = [node.operator.name for node in folded.nodes]
    assert names.count("exp") == 1
    assert "sqrt" not in names
    feeds = {"x": values(3)}
    expected = interpret(graph, feeds)
    for name, value in interpret(folded, feeds).items():
        assert same_bits(value, expected[name])


UPSAMPLED = st.tuples(
    st.sampled_from([(2, 2), (2, 1), (3, 3), (1, 2)]),  # scale
    st.sampled_from([(3, 3), (1, 1), (3, 2), (5, 5)]),  # kernel
    st.sampled_from([1, 2]),  # stride
    st.sampled_from([(1, 1), (0, 0), (1, 0), (2, 2)]),  # padding
    st.sampled_from([1, 2]),  # dilation
    st.sampled_from([1, 2]),  # groups
)
PATTERN = ((2, 2), (3, 3), 1, (1, 1), 1, 1)


@given(st.one_of(st.just(PATTERN), UPSAMPLED), st.integers(1, 4), st.integers(1, 5))
def test_convolution_before_upsampling(case: tuple, height: int, width: int) -> None:
    scale, kernel, stride, padding, dilation, groups = case
    room = [scale[i] * s + 2 * padding[i] for i, s in enumerate((height, width))]
    if any(r <= dilation * (k - 1) for r, k in zip(room, kernel, strict=True)):
        return
    g = GraphBuilder("upsampled", DOUBLE)
    x = g.input("x", (2, 2, height, width))
    w, b = g.parameter("w", (4, 2 // groups, *kernel)), g.parameter("b", (4,), init=values(4))
    large = ops.upsample_nearest(x, scale)
    graph = g.build(y=ops.conv2d(large, w, b, stride, padding, dilation, groups))
    rewritten = convolve_before_upsampling(graph)
    applied = "upsample_nearest" not in [node.operator.name for node in rewritten.nodes]
    assert applied == (case == PATTERN)
    feeds = {"x": values(2, 2, height, width)}
    assert_near(interpret(rewritten, feeds)["y"], interpret(graph, feeds)["y"])
    assert_near(compile(graph)(**feeds)["y"], interpret(graph, feeds)["y"])


def test_an_upsampled_image_that_is_used_elsewhere_survives() -> None:
    g = GraphBuilder("shared", DOUBLE)
    x, w = g.input("x", (1, 2, 3, 3)), g.parameter("w", (2, 2, 3, 3))
    large = ops.upsample_nearest(x, 2)
    graph = g.build(y=ops.conv2d(large, w, padding=1) + large)
    feeds = {"x": values(1, 2, 3, 3)}
    assert_near(compile(graph)(**feeds)["y"], interpret(graph, feeds)["y"])


def in_phases(c_in: int, c_out: int, height: int, width: int, sums: torch.Tensor) -> Graph:
    """A convolution in phases and its gradients by image and weight."""
    g = GraphBuilder("phases", DOUBLE)
    x, w = g.input("x", (2, c_in, height, width)), g.input("w", (c_out, c_in, 3, 3))
    taps = ops.phase_weight(w, ops.constant(value=sums))
    y = ops.interleave_phases(ops.conv2d(x, taps, padding=1))
    dx, dw = gradient(y, [x, w], g.input("dy", y.shape))
    return g.build(y=y, dx=dx, dw=dw)


PHASED = ("interleave_phases", "separate_phases", "phase_weight", "phase_weight_adjoint")


@given(*4 * [st.integers(1, 4)])
def test_strides_over_phases(c_in: int, c_out: int, height: int, width: int) -> None:
    graph = in_phases(c_in, c_out, height, width, tap_sums(DOUBLE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strided_phases, "_is_cheaper", lambda one, other: True)
        rewritten = stride_over_phases(graph)
    rewritten.check()
    assert not {node.operator.name for node in rewritten.nodes} & set(PHASED)
    shapes = {"x": (2, c_in, height, width), "w": (c_out, c_in, 3, 3)}
    feeds = {name: values(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    feeds["dy"] = values(2, c_out, 2 * height, 2 * width, seed=2)
    expected = interpret(graph, feeds)
    for name, value in interpret(rewritten, feeds).items():
        assert_near(value, expected[name])


def test_strides_take_the_place_of_phases_where_that_is_cheaper() -> None:
    sums = tap_sums(DOUBLE)
    deep, flat = in_phases(64, 32, 8, 8, sums), in_phases(1, 64, 8, 8, sums)
    assert not {node.operator.name for node in stride_over_phases(deep).nodes} & set(PHASED)
    assert "interleave_phases" in {node.operator.name for node in stride_over_phases(flat).nodes}


def test_other_sums_of_taps_are_no_phases_to_stride_over() -> None:
    graph = in_phases(64, 32, 8, 8, 2 * tap_sums(DOUBLE))
    assert stride_over_phases(graph) is graph


def trained(side: int, weight: Callable[[GraphBuilder], Node]) -> Graph:
    """A convolution of an upsampled image, and its gradient by the image."""
    g = GraphBuilder("upsampled", DOUBLE)
    x, w = g.input("x", (2, 2, side, side)), weight(g)
    y = ops.conv2d(ops.upsample_nearest(x, 2), w, padding=1)
    graph = rewrite(g.build(y=y, w=w, dy=g.input("dy", y.shape)))
    (dx,) = gradient(graph.outputs["y"], [graph.inputs["x"]], graph.outputs["dy"])
    return rewrite(Graph({"y": graph.outputs["y"], "dx": dx}))


def given_weight(g: GraphBuilder) -> Node:
    return g.input("w", (3, 2, 3, 3))


def own_weight(g: GraphBuilder) -> Node:
    return g.parameter("w", (3, 2, 3, 3), init=values(3, 2, 3, 3))


@pytest.mark.parametrize(
    ("side", "weight", "copies"), [(12, own_weight, 2), (3, own_weight, 1), (12, given_weight, 1)]
)
def test_weights_of_large_images_are_computed_again(
    side: int, weight: Callable[[GraphBuilder], Node], copies: int
) -> None:
    graph = trained(side, weight)
    copied = copy_weights(graph)
    assert (copied is graph) == (copies == 1)
    copied.check()
    found = [node for node in copied.nodes if node.operator.name == "phase_weight"]
    assert len(found) == copies
    assert len({node.provenance.forward for node in found}) == copies  # forward and backward
    feeds = {name: values(*x.sizes) for name, x in graph.inputs.items()}
    expected = interpret(graph, feeds)
    for name, value in interpret(copied, feeds).items():
        assert same_bits(value, expected[name])


def test_a_weight_that_is_asked_for_is_computed_once() -> None:
    graph = trained(12, own_weight)
    (phases,) = (node for node in graph.nodes if node.operator.name == "phase_weight")
    asked = Graph({**graph.outputs, "phases": phases})
    assert copy_weights(asked) is asked


def test_a_rewrite_that_errs_is_caught() -> None:
    def broken(graph: Graph) -> Graph:
        from dataclasses import replace

        wrong = ops.spec.Spec((7,), DOUBLE)
        return graph.transform(lambda node: replace(node, spec=wrong) if node.inputs else node)

    with pytest.raises(GraphError, match="has not the spec it infers"):
        rewrite(changed(ops.exp), [broken])


def test_rewrites_keep_the_users_line() -> None:
    g = GraphBuilder("lines", DOUBLE)
    x = g.input("x", (1, 2, 4, 4))
    y = ops.conv2d(ops.upsample_nearest(x, 2), g.parameter("w", (2, 2, 3, 3)), padding=1)
    for node in rewrite(g.build(y=y * 1)).nodes:
        assert node.provenance.filename == __file__
    assert set(EXACT) < set(REWRITES)
