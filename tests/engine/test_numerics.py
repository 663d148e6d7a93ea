"""``check_numerics``: which operator made the first NaN or infinity, and where."""

from __future__ import annotations

import pytest
import torch

import ops
from engine import compile
from graphs import SGD, GraphBuilder
from ops import NumericsError
from tests.support import DOUBLE, line_number, values


def test_the_first_node_that_makes_one_is_named_with_its_line() -> None:
    g = GraphBuilder("numerics", DOUBLE)
    x = g.input("x", (4,))
    line = line_number() + 1
    y = ops.log(ops.square(x) - 1)
    program = compile(g.build(y=ops.sum(ops.exp(y) * 2)), check_numerics=True)
    program(x=torch.tensor([2.0, 3.0, 4.0, 5.0], dtype=DOUBLE))
    with pytest.raises(NumericsError) as caught:
        program(x=torch.tensor([2.0, 0.5, 1.0, 5.0], dtype=DOUBLE))
    message = str(caught.value)
    assert message.startswith("log made 1 NaN and 1 infinite of 4 elements in the graph")
    assert "its inputs (float64[4]) were all finite" in message
    assert message.endswith(f"at {__file__}:{line}")
    program(x=torch.tensor([2.0, 3.0, 4.0, 5.0], dtype=DOUBLE))  # and it goes on working


def test_in_a_gradient_the_forward_operator_is_named() -> None:
    g = GraphBuilder("gradient", DOUBLE)
    x, w = g.input("x", (2,)), g.parameter("w", (2,), init=torch.zeros(2))
    line = line_number() + 1
    loss = ops.sum(ops.sqrt(x * w))
    step = compile(g.build(loss=loss), minimize="loss", optimizer=SGD(lr=1.0), check_numerics=True)
    with pytest.raises(NumericsError, match="in the gradient of sqrt") as caught:
        step(x=values(2).abs())
    assert str(caught.value).endswith(f"at {__file__}:{line}")


def test_in_an_update() -> None:
    g = GraphBuilder("update")
    w = g.parameter("w", (2,), init=torch.ones(2))
    graph = g.build(loss=ops.sum(w) * 1e20)
    step = compile(graph, minimize="loss", optimizer=SGD(lr=3e38), check_numerics=True)
    with pytest.raises(NumericsError, match="mul made 0 NaN and 2 infinite of 2 elements"):
        step()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_feed_that_is_not_finite_is_named(bad: float) -> None:
    g = GraphBuilder("feeds", DOUBLE)
    y = g.input("good", (3,)) + g.input("bad", (3,))
    program = compile(g.build(y=y), check_numerics=True)
    with pytest.raises(NumericsError, match=r"input 'bad' float64\[3\] holds [01] NaN and [01] i"):
        program(good=values(3), bad=torch.tensor([0, bad, 0], dtype=DOUBLE))


def test_a_parameter_that_is_not_finite_is_named() -> None:
    g = GraphBuilder("parameters", DOUBLE)
    w = g.parameter("layer.weight", (2,), init=torch.tensor([1.0, float("nan")]))
    program = compile(g.build(y=g.input("x", (2,)) * w), check_numerics=True)
    with pytest.raises(NumericsError, match=r"parameter 'layer\.weight'"):
        program(x=values(2))


def test_without_it_nothing_is_checked() -> None:
    g = GraphBuilder("unchecked", DOUBLE)
    program = compile(g.build(y=ops.log(g.input("x", (1,)))))
    assert program(x=-torch.ones(1, dtype=DOUBLE))["y"].isnan()


def test_checked_results_are_the_same() -> None:
    g = GraphBuilder("same", DOUBLE)
    graph = g.build(y=ops.tanh(g.input("x", (5,))) > 0)
    x = values(5)
    assert torch.equal(compile(graph, check_numerics=True)(x=x)["y"], compile(graph)(x=x)["y"])
