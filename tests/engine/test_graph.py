"""Graphs while they are built: what is inferred, what is refused, what cannot be changed."""

from __future__ import annotations

import dataclasses
import re

import networkx
import pytest
import torch

import ops
from engine import Graph, Update, compile, interpret
from graphs import GraphBuilder
from ops import Dim, GraphError, Parameter, SpecError
from ops.leaves import input as input_leaf
from ops.leaves import parameter as parameter_leaf
from tests.support import line_number


def small() -> tuple[GraphBuilder, ops.Node, ops.Node]:
    g = GraphBuilder("small")
    return g, g.input("x", ("N", 3)), g.parameter("w", (3, 2))


def test_shapes_and_dtypes_are_known_while_building() -> None:
    g = GraphBuilder("inference", torch.float64)
    x = g.input("x", ("N", 3, "H", 8))
    y = ops.conv2d(x, g.parameter("w", (4, 3, 3, 3)), stride=2, padding=1)
    n, h = Dim.named("N"), Dim.named("H")
    assert y.shape == (n, 4, (h - 1) // 2 + 1, 4)
    assert y.dtype == torch.float64
    assert (y > 0).dtype == torch.bool
    assert ops.sum(y, dim=(1, 3)).shape == (n, (h - 1) // 2 + 1)


def test_an_error_names_operator_shapes_and_line() -> None:
    _, x, w = small()
    line = line_number() + 2
    with pytest.raises(SpecError) as caught:
        x @ ops.permute(w, (1, 0))
    message = str(caught.value)
    assert message.startswith("matmul: ")
    assert "x: float32[N, 3]" in message
    assert "float32[2, 3]" in message
    assert message.endswith(f"at {__file__}:{line}")


def test_an_error_inside_a_compound_operator_names_the_users_line() -> None:
    g = GraphBuilder("compound")
    line = line_number() + 2
    with pytest.raises(SpecError) as caught:
        ops.mse(g.input("a", (2, 3)), g.input("b", (2, 4)))
    assert str(caught.value).startswith("mse: expected two equal shapes, got [2, 3] and [2, 4]")
    assert f"{__file__}:{line}" in str(caught.value)


def test_mixed_dtypes_are_refused_and_say_so() -> None:
    g = GraphBuilder("mixed")
    a, b = g.input("a", (2,)), g.input("b", (2,), torch.float64)
    with pytest.raises(SpecError, match="mixed dtypes float32 and float64"):
        a + b


def test_nodes_know_their_line() -> None:
    _, x, w = small()
    line = line_number() + 1
    y = x @ w
    assert str(y.provenance) == f"{__file__}:{line}"


def test_nothing_about_a_graph_can_be_changed() -> None:
    g, x, w = small()
    graph = g.build(y=x @ w)
    with pytest.raises(TypeError):
        graph.outputs["z"] = x
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.outputs = {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.nodes = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        x.spec = w.spec
    with pytest.raises(TypeError):
        x.attributes["name"] = "other"


def test_a_graph_does_not_follow_what_it_was_built_from() -> None:
    g = GraphBuilder("own")
    x = g.input("x", (2, 2))
    amounts, added = [1, 1], torch.ones(2, 4)
    outputs = {"y": ops.pad(x, amounts) + added}
    graph = Graph(outputs)
    feeds = {"x": torch.zeros(2, 2)}
    expected = interpret(graph, feeds)["y"]
    amounts[0] = 5
    added.fill_(7)
    outputs["z"] = x
    assert list(graph.outputs) == ["y"]
    assert torch.equal(interpret(graph, feeds)["y"], expected)
    assert torch.equal(compile(graph)(**feeds)["y"], expected)


def test_a_constant_that_requires_grad_is_a_constant() -> None:
    g = GraphBuilder("constant")
    value = torch.ones(2, requires_grad=True)
    graph = g.build(y=g.input("x", (2,)) * value)
    feeds = {"x": torch.ones(2)}
    assert not interpret(graph, feeds)["y"].requires_grad
    assert not compile(graph)(**feeds)["y"].requires_grad


def test_a_node_has_no_truth_value() -> None:
    _, x, _ = small()
    with pytest.raises(TypeError, match="no truth value"):
        bool(x > 0)


def test_two_inputs_of_one_name_are_refused() -> None:
    g, x, _ = small()
    line_of_x = re.escape(str(x.provenance))
    with pytest.raises(GraphError, match=f"'x' is taken by the input at {line_of_x}"):
        g.input("x", (1,))
    other = input_leaf(name="x", shape=(5,), dtype=torch.float32)
    with pytest.raises(GraphError, match="two different inputs are called 'x'"):
        Graph({"a": x, "b": other})


def test_two_parameters_of_one_name_are_refused() -> None:
    first, second = (
        parameter_leaf(name="w", parameter=Parameter("w", torch.zeros(2))) for _ in range(2)
    )
    with pytest.raises(GraphError, match="two different parameters are called 'w'"):
        Graph({"sum": first + second})


def test_what_is_no_output_is_refused() -> None:
    g, x, _ = small()
    with pytest.raises(GraphError, match="at least one output"):
        g.build()
    with pytest.raises(GraphError, match="output 'y' is no node but a float"):
        g.build(y=1.0)
    with pytest.raises(GraphError, match=r"no output 'z' \(it has: y\)"):
        compile(g.build(y=x), outputs=["z"], N=1)


def test_a_graph_prints_as_one_line_per_node() -> None:
    g, x, w = small()
    lines = str(g.build(y=ops.relu(x @ w))).splitlines()
    assert lines == [
        "x: float32[N, 3] = input(shape=(N, 3), dtype=torch.float32)",
        "w: float32[3, 2] = parameter()",
        "%2: float32[N, 2] = matmul(x, w)",
        "%3: float32[N, 2] = relu(%2)",
        "return y = %3",
    ]


def test_large_constants_print_as_their_shape() -> None:
    g, x, _ = small()
    lines = str(g.build(y=x + torch.ones(100, 3))).splitlines()
    assert "%1: float32[100, 3] = constant(value=tensor float32[100, 3])" in lines
    assert len(lines) == 4


def test_a_graph_as_a_networkx_one() -> None:
    g, x, w = small()
    hidden = x @ w
    graph = g.build(y=ops.relu(hidden) * hidden)
    drawn = graph.to_networkx()
    assert networkx.is_directed_acyclic_graph(drawn)
    assert sorted(label for _, label in drawn.nodes(data="label")) == sorted(
        node.name or node.operator.name for node in graph.nodes
    )
    assert list(drawn) == list(graph.nodes)
    assert drawn.number_of_edges() == sum(len(set(node.inputs)) for node in graph.nodes)


def test_unused_nodes_are_not_in_the_graph() -> None:
    g, x, w = small()
    ops.exp(x)
    graph = g.build(y=x)
    assert graph.nodes == (x,)
    assert graph.parameters == {}
    assert set(g.build(y=x @ w).parameters) == {"w"}


def test_an_update_of_another_shape_is_refused() -> None:
    _, _, w = small()
    target = w.attributes["parameter"]
    with pytest.raises(GraphError, match=r"'w'.*float32\[3, 2\].*float32\[2\]"):
        Graph({"w": w}, (Update(target, ops.sum(w, 0)),))


def test_two_updates_of_one_parameter_are_refused() -> None:
    _, _, w = small()
    target = w.attributes["parameter"]
    with pytest.raises(GraphError, match="'w' is updated twice"):
        Graph({"w": w}, (Update(target, w * 2), Update(target, w * 3)))
