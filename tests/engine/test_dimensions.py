"""Named dimensions: one graph, bound to sizes when it is compiled or interpreted."""

from __future__ import annotations

import pytest
import torch

import ops
from engine import Graph, compile, gradient, interpret
from graphs import GraphBuilder
from ops import Dim, FeedError, SpecError
from tests.support import DOUBLE, assert_near, line_number, values


def down_and_up() -> Graph:
    """The report's shape problem: halved, then doubled, and compared with the whole."""
    g = GraphBuilder("down and up", DOUBLE)
    x = g.input("x", ("N", 2, "H", "W"))
    w1, w2 = g.parameter("w1", (3, 2, 3, 3)), g.parameter("w2", (2, 3, 3, 3))
    hidden = ops.relu(ops.conv2d(x, w1, stride=2, padding=1))
    y = ops.conv2d(ops.upsample_nearest(hidden, 2), w2, padding=1)
    return g.build(y=y, loss=ops.mse(y, x))


@pytest.mark.parametrize(("n", "h", "w"), [(1, 2, 2), (2, 4, 6), (3, 8, 2)])
def test_one_graph_for_many_sizes(n: int, h: int, w: int) -> None:
    graph = down_and_up()
    assert graph.dimensions == {"N", "H", "W"}
    program = compile(graph, N=n, H=h, W=w)
    assert program.inputs["x"].shape == (n, 2, h, w)
    assert program.outputs["y"].shape == (n, 2, h, w)
    feeds = {"x": values(n, 2, h, w)}
    for name, value in interpret(graph, feeds).items():
        assert_near(program(**feeds)[name], value)


@pytest.mark.parametrize("height", [1, 5, 33])
def test_sizes_that_cannot_fit_are_refused(height: int) -> None:
    g = GraphBuilder("odd")
    x = g.input("x", (1, 1, "H", 4))
    small = ops.max_pool2d(x, 3, stride=2, padding=1)
    line = line_number() + 1
    loss = ops.mse(ops.upsample_nearest(small, 2), x)
    with pytest.raises(SpecError) as caught:
        compile(g.build(loss=loss), H=height)
    message = str(caught.value)
    assert f"[1, 1, {height + 1}, 4]" in message
    assert f"[1, 1, {height}, 4]" in message
    assert f"{__file__}:{line}" in message


def test_a_dimension_that_only_an_attribute_has() -> None:
    g = GraphBuilder("scaled")
    graph = g.build(y=g.input("x", (2,)) * Dim.named("K"))
    assert graph.dimensions == {"K"}
    with pytest.raises(FeedError, match="without a size: K"):
        compile(graph)
    x = torch.tensor([1.0, 2.0])
    for y in (compile(graph, K=4)(x=x)["y"], interpret(graph, {"x": x}, K=4)["y"]):
        assert y.tolist() == [4, 8]


def test_sizes_that_no_feed_tells() -> None:
    g = GraphBuilder("even")
    half = Dim.named("N")
    graph = g.build(y=g.input("x", (2 * half,)) * 2)
    assert interpret(graph, {"x": torch.ones(4)}, N=2)["y"].tolist() == [2] * 4
    with pytest.raises(FeedError, match="without a size: N"):
        interpret(graph, {"x": torch.ones(4)})
    with pytest.raises(FeedError, match=r"expected float32\[6\], got float32\[4\]"):
        interpret(graph, {"x": torch.ones(4)}, N=3)


def test_missing_unknown_and_bad_sizes() -> None:
    graph = down_and_up()
    with pytest.raises(FeedError, match="without a size: H, W; give them, as H=32, W=32"):
        compile(graph, N=1)
    with pytest.raises(FeedError, match=r"no dimension M \(it has: H, N, W\)"):
        compile(graph, N=1, H=4, W=4, M=2)
    for bad in (-1, 2.0, "4", True):
        with pytest.raises(FeedError, match="dimension 'N'"):
            compile(graph, N=bad, H=4, W=4)


def test_only_the_dimensions_of_what_is_asked_for() -> None:
    g = GraphBuilder("two")
    a, b = g.input("a", ("N", 2)), g.input("b", ("M", 2))
    graph = g.build(a=ops.tanh(a), b=ops.exp(b))
    program = compile(graph, outputs=["a"], N=3)
    assert list(program.inputs) == ["a"]
    with pytest.raises(FeedError, match="without a size: M"):
        compile(graph, outputs=["b"], N=3)


def test_slices_are_checked_when_the_size_is_known() -> None:
    g = GraphBuilder("slices", DOUBLE)
    x = g.input("x", ("N",))
    graph = g.build(head=ops.slice(x, 0, 0, 3), tail=ops.slice(x, 0, -2), rest=ops.slice(x, 0, 1))
    results = compile(graph, N=4)(x=values(4))
    assert torch.equal(results["head"], values(4)[:3])
    assert torch.equal(results["tail"], values(4)[-2:])
    assert torch.equal(results["rest"], values(4)[1:])
    with pytest.raises(SpecError, match="slice: expected 0 <= start <= end <= 2, got 0 and 3"):
        compile(graph, N=2)


def test_interpret_reads_sizes_off_the_feeds() -> None:
    g = GraphBuilder("feeds")
    graph = g.build(y=g.input("a", ("N", 2)) + g.input("b", ("N", 1)))
    assert interpret(graph, {"a": torch.ones(3, 2), "b": torch.ones(3, 1)})["y"].shape == (3, 2)
    with pytest.raises(FeedError, match="input 'b': dimension N is 2 here, 3 elsewhere"):
        interpret(graph, {"a": torch.ones(3, 2), "b": torch.ones(2, 1)})


def test_an_empty_batch() -> None:
    graph = down_and_up()
    result = compile(graph, outputs=["y"], N=0, H=4, W=4)(x=values(0, 2, 4, 4))
    assert result["y"].shape == (0, 2, 4, 4)


def test_a_gradient_before_binding_is_summed_over_what_was_broadcast() -> None:
    # While N may still be 1, [N, 1] + [1, 4] must not be taken for [1, 4] in the gradient.
    g = GraphBuilder("broadcast", DOUBLE)
    column, row = g.input("column", ("N", 1)), g.input("row", (1, 4))
    by_column, by_row = gradient(ops.sum(ops.square(column + row)), [column, row])
    graph = g.build(column=by_column, row=by_row)
    for n in (1, 3):
        feeds = {"column": values(n, 1), "row": values(1, 4, seed=1)}
        total = feeds["column"] + feeds["row"]
        for results in (interpret(graph, feeds), compile(graph, N=n)(**feeds)):
            assert_near(results["column"], 2 * total.sum(1, keepdim=True))
            assert_near(results["row"], 2 * total.sum(0, keepdim=True))


def test_means_divide_by_bound_sizes() -> None:
    g = GraphBuilder("mean", DOUBLE)
    x = g.input("x", ("N", 3, "H"))
    (slope,) = gradient(ops.mean(x), [x])
    graph = g.build(mean=ops.mean(x), slope=slope)
    results = compile(graph, N=2, H=5)(x=values(2, 3, 5))
    assert_near(results["mean"], values(2, 3, 5).mean())
    assert_near(results["slope"], torch.full((2, 3, 5), 1 / 30, dtype=DOUBLE))


def test_dimensions_of_one_name_must_agree_between_feeds() -> None:
    g = GraphBuilder("agree")
    program = compile(g.build(y=g.input("a", ("N", 2)) + g.input("b", ("N", 2))), N=3)
    with pytest.raises(
        FeedError, match=r"input 'b': expected float32\[3, 2\], got float32\[2, 2\]"
    ):
        program(a=torch.ones(3, 2), b=torch.ones(2, 2))
