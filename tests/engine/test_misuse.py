"""Calls that are almost right: the error says how to make them right."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ops
from engine import Graph, compile, gradient, interpret, rewrite
from graphs import SGD, GraphBuilder
from ops import Dim, FeedError, GradientError, GraphError, Node, SpecError, operator, same_as_input


def _graph() -> tuple[Graph, Node]:
    g = GraphBuilder("misuse")
    x, w = g.input("x", ("N", 3)), g.parameter("w", (3,))
    return g.build(y=x * w, loss=ops.mean(x * w)), x


def test_outputs_are_a_list() -> None:
    with pytest.raises(GraphError, match=r"as outputs=\['y'\]"):
        compile(_graph()[0], outputs="y", N=1)


def test_an_optimizer_is_not_its_class() -> None:
    with pytest.raises(GraphError, match=r"as SGD\(lr=0.1\), got the class"):
        compile(_graph()[0], minimize="loss", optimizer=SGD, N=1)  # type: ignore[arg-type]


def test_a_gradient_is_by_a_list_of_nodes() -> None:
    graph, x = _graph()
    loss: Any = graph.outputs["loss"]
    with pytest.raises(GradientError, match="expected a list of nodes"):
        gradient(loss, x)  # type: ignore[arg-type]
    with pytest.raises(GradientError, match=r"expected nodes of a graph, got float 1\.0"):
        gradient(loss, [x, 1.0])  # type: ignore[list-item]


def test_feeds_of_named_sizes_that_do_not_fit() -> None:
    graph, _ = _graph()
    with pytest.raises(FeedError, match=r"no value for input x \(float32\[N, 3\]\)"):
        interpret(graph, {})
    with pytest.raises(FeedError, match=r"'x': expected float32\[N, 3\], got float32\[3\]"):
        interpret(graph, {"x": torch.zeros(3)})
    with pytest.raises(FeedError, match="'x': expected a tensor, got float"):
        interpret(graph, {"x": 1.0})


def test_what_is_compiled_is_a_graph() -> None:
    with pytest.raises(GraphError, match=r"expected a graph, .* got <x float32"):
        compile(_graph()[1])


def test_an_optimizer_has_updates() -> None:
    with pytest.raises(GraphError, match=r"expected an optimizer, such as SGD.* got 0\.1"):
        compile(_graph()[0], minimize="loss", optimizer=0.1, N=1)


@pytest.mark.parametrize("option", ["device", "tune", "graph"])
def test_a_dimension_with_the_name_of_an_option(option: str) -> None:
    g = GraphBuilder("misuse")
    with pytest.raises(GraphError, match=f"called '{option}', like an option of compile"):
        compile(g.build(y=g.input("x", (option,)) * 2), **{option: 3})


def test_rewriting_before_binding() -> None:
    with pytest.raises(GraphError, match="bind the graph first: N is unknown"):
        rewrite(_graph()[0])


def test_a_shape_that_can_be_read_once_only() -> None:
    node = GraphBuilder("misuse").parameter("w", (size for size in (2, 3)))
    assert node.shape == (2, 3)


def test_a_dimension_needs_a_size() -> None:
    with pytest.raises(FeedError, match="'N' has no size"):
        (Dim.named("N") * 2).bind({"M": 1})  # type: ignore[union-attr]


def test_a_gradient_by_a_value_that_carries_none_backwards() -> None:
    x = GraphBuilder("sign").input("x", (2,))
    signs = ops.sign(x)
    (slope,) = gradient(ops.sum(signs * 3.0), [signs])
    assert interpret(Graph({"slope": slope}), {})["slope"].tolist() == [3, 3]


def test_a_rule_whose_gradient_does_not_fit() -> None:
    odd = operator(
        "odd rule",
        infer=same_as_input,
        forward=lambda x: x.clone(),
        vjp=lambda grad, y, x: ops.reshape(grad, (3, 2)),
    )
    x = GraphBuilder("odd").input("x", (2, 3))
    with pytest.raises(GradientError, match=r"rule of 'odd rule' gave float32\[3, 2\] for input 0"):
        gradient(ops.sum(odd(x)), [x])


def test_a_forward_that_fails_is_named() -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError

    failing = operator("failing", infer=same_as_input, forward=fail)
    x = GraphBuilder("failing").input("x", (2,))
    for run in (_compiled, _interpreted):
        with pytest.raises(ZeroDivisionError) as caught:
            run(Graph({"y": failing(x)}), torch.zeros(2))
        assert f"in the forward of 'failing', used at {__file__}" in caught.value.__notes__[0]


def _compiled(graph: Graph, x: torch.Tensor) -> object:
    return compile(graph)(x=x)


def _interpreted(graph: Graph, x: torch.Tensor) -> object:
    return interpret(graph, {"x": x})


def test_an_attribute_that_cannot_be_compared_is_not_merged() -> None:
    table = operator(
        "table",
        infer=lambda spec, *, entries: spec,
        forward=lambda x, *, entries: x + entries["a"],
    )
    x = GraphBuilder("table").input("x", (2,))
    entries = {"a": 1.0}
    graph = Graph({"y": table(x, entries=entries) + table(x, entries=entries)})
    tables = [node for node in rewrite(graph).nodes if node.operator is table]
    assert len(tables) == 2
    assert compile(graph)(x=torch.zeros(2))["y"].tolist() == [2, 2]


def test_a_shape_is_a_sequence() -> None:
    with pytest.raises(SpecError, match="expected a shape"):
        ops.expand(GraphBuilder("shape").input("x", (2,)), 3)  # type: ignore[arg-type]
