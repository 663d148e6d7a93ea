"""Parameter updates: computed from the values before the run, and in place after it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ops
from engine import REWRITES, Graph, Program, Update, compile, compile_stages
from graphs import SGD, GraphBuilder
from ops import Node, Parameter
from ops.leaves import parameter as parameter_leaf
from tests.support import DOUBLE, assert_near, values


def leaf(name: str, value: torch.Tensor) -> tuple[Node, Parameter]:
    parameter = Parameter(name, value)
    return parameter_leaf(name=name, parameter=parameter), parameter


@pytest.mark.parametrize("rewrites", [REWRITES, ()])
def test_two_parameters_can_be_swapped(rewrites: tuple) -> None:
    (p, first), (q, second) = leaf("p", values(3)), leaf("q", values(3, seed=1))
    swap = compile(Graph({}, (Update(first, q), Update(second, p))), rewrites=rewrites)
    swap()
    assert torch.equal(first.tensor, values(3, seed=1))
    assert torch.equal(second.tensor, values(3))


def test_updates_read_other_parameters_as_they_were() -> None:
    (p, first), (q, second) = leaf("p", values(3)), leaf("q", values(3, seed=1))
    graph = Graph({"sum": p + q}, (Update(first, p + q), Update(second, ops.exp(p) - q)))
    step = compile(graph)
    a, b = values(3), values(3, seed=1)
    for _ in range(3):
        assert_near(step()["sum"], a + b)
        a, b = a + b, a.exp() - b
        assert_near(first.tensor, a)
        assert_near(second.tensor, b)


def test_one_value_for_two_parameters() -> None:
    (p, first), (_, second) = leaf("p", values(3)), leaf("q", values(3, seed=1))
    value = p * 2
    compile(Graph({"value": value}, (Update(first, value), Update(second, value))))()
    assert torch.equal(first.tensor, values(3) * 2)
    assert torch.equal(second.tensor, values(3) * 2)


def test_outputs_show_parameters_and_their_views_as_before_the_update() -> None:
    p, parameter = leaf("p", values(2, 3))
    outputs = {
        "p": p,
        "row": ops.slice(p, 0, 0, 1),
        "turned": ops.permute(p, (1, 0)),
        "flat": ops.reshape(p, (6,)),
        "sum": ops.sum(ops.permute(p, (1, 0)), 0),
        "new": p - 1,
    }
    step = compile(Graph(outputs, (Update(parameter, p - 1),)))
    for run in (step, step.borrow):
        before = parameter.tensor.clone()
        results = run()
        assert torch.equal(results["p"], before)
        assert torch.equal(results["row"], before[:1])
        assert torch.equal(results["turned"], before.t())
        assert torch.equal(results["flat"], before.reshape(6))
        assert_near(results["sum"], before.sum(1))
        assert torch.equal(results["new"], before - 1)
        assert torch.equal(parameter.tensor, before - 1)


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_parameters_that_swap_their_values(backend: str) -> None:
    (p, first), (q, second) = leaf("p", values(2, 3)), leaf("q", values(2, 3, seed=1))
    step = compile(Graph({}, (Update(first, q), Update(second, p))), backend=backend)
    for run in (step, step.profile):
        before = first.tensor.clone(), second.tensor.clone()
        run()
        assert torch.equal(first.tensor, before[1])
        assert torch.equal(second.tensor, before[0])


def test_a_parameter_from_its_own_view() -> None:
    p, parameter = leaf("p", values(3, 3))
    step = compile(Graph({}, (Update(parameter, ops.permute(p, (1, 0))),)))
    step()
    assert torch.equal(parameter.tensor, values(3, 3).t())
    q, other = leaf("q", values(3, 3))
    step = compile(Graph({}, (Update(other, q + ops.permute(q, (1, 0))),)))
    step()
    assert torch.equal(other.tensor, values(3, 3) + values(3, 3).t())


def test_a_parameter_from_an_input_a_constant_and_an_output() -> None:
    g = GraphBuilder("assign", DOUBLE)
    x = g.input("x", (2,))
    (_, first), (_, second), (p, third) = (leaf(name, values(2)) for name in "pqr")
    y = ops.exp(x) * p
    graph = Graph({"y": y}, (Update(first, x), Update(third, y), Update(second, _ones())))
    result = compile(graph)(x=torch.ones(2, dtype=DOUBLE))
    assert torch.equal(first.tensor, torch.ones(2, dtype=DOUBLE))
    assert torch.equal(second.tensor, torch.ones(2, dtype=DOUBLE))
    assert torch.equal(third.tensor, result["y"])


def _ones() -> Node:
    return ops.full(value=1.0, shape=(2,), dtype=DOUBLE)


UPDATES = st.lists(
    st.tuples(
        st.sampled_from(["add", "sub", "mul", "softplus", "copy", "matmul", "turned", "leaky"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=4,
)


@given(UPDATES, st.sampled_from([REWRITES, ()]))
def test_random_updates_of_parameters_that_read_each_other(updates: list, rewrites: tuple) -> None:
    # Large enough for a product in place to go wrong.
    leaves = [leaf(f"p{i}", values(16, 16, seed=i)) for i in range(4)]
    start = [parameter.tensor.clone() for _, parameter in leaves]
    chosen, expected = [], list(start)
    for target, (kind, a, b) in enumerate(updates):
        x, y = leaves[a][0], leaves[b][0]
        s, t = start[a], start[b]
        on_nodes, on_tensors = {
            "add": (x + y, s + t),
            "sub": (x - 0.5 * y, s - 0.5 * t),
            "mul": (x * ops.exp(y), s * t.exp()),
            "softplus": (ops.softplus(x), torch.nn.functional.softplus(s)),
            "copy": (x, s),
            "matmul": (x @ y, s @ t),
            "turned": (ops.permute(x, (1, 0)) + y, s.t() + t),
            "leaky": (ops.leaky_relu(x, 0.2), torch.nn.functional.leaky_relu(s, 0.2)),
        }[kind]
        chosen.append(Update(leaves[target][1], on_nodes))
        expected[target] = on_tensors
    shown = {f"p{i}": node for i, (node, _) in enumerate(leaves)}
    results = compile(Graph(shown, tuple(chosen)), rewrites=rewrites)()
    for i, (_, parameter) in enumerate(leaves):
        assert torch.equal(results[f"p{i}"], start[i])
        assert_near(parameter.tensor, expected[i])


def stages() -> tuple[Graph, tuple[Program, ...], Parameter]:
    g = GraphBuilder("stages", DOUBLE)
    x, scale = g.input("x", (2, 3)), g.input("scale", ())
    w = g.parameter("w", (3,), init=values(3))
    y = ops.exp(x * w)
    z = ops.sum(y * scale)
    parameter = w.attributes["parameter"]
    graph = Graph({"y": y, "z": z, "both": y + z}, (Update(parameter, w - ops.sum(y, 0)),))
    return graph, compile_stages(graph, [["y"], ["z", "both"]]), parameter


def test_stages_continue_each_other_in_one_memory() -> None:
    _, (first, second), w = stages()
    x, scale = values(2, 3), torch.tensor(2.0, dtype=DOUBLE)
    assert list(first.inputs) == ["x"]
    assert list(second.inputs) == ["scale"]
    assert first.peak_bytes == second.peak_bytes
    for _ in range(2):
        y = (x * w.tensor).exp()
        before = w.tensor.clone()
        assert_near(first(x=x)["y"], y)
        assert torch.equal(w.tensor, before)  # updates belong to the last stage
        results = second(scale=scale)
        assert_near(results["z"], (y * 2).sum())
        assert_near(results["both"], y + (y * 2).sum())
        assert_near(w.tensor, before - y.sum(0))


def test_an_update_computed_by_an_early_stage_waits_for_the_last() -> None:
    p, parameter = leaf("p", values(3))
    halved = p * 0.5
    graph = Graph({"a": halved, "b": ops.exp(halved)}, (Update(parameter, halved),))
    first, second = compile_stages(graph, [["a"], ["b"]])
    assert_near(first()["a"], values(3) / 2)
    assert torch.equal(parameter.tensor, values(3))
    assert_near(second()["b"], (values(3) / 2).exp())
    assert_near(parameter.tensor, values(3) / 2)


def test_an_output_of_two_stages() -> None:
    g = GraphBuilder("repeated", DOUBLE)
    x = g.input("x", (4,))
    y = ops.exp(x)
    z = ops.tanh(ops.relu(y) + 1)
    first, second = compile_stages(g.build(y=y, z=z), [["y"], ["z", "y"]])
    assert_near(first(x=values(4))["y"], values(4).exp())
    results = second()
    assert_near(results["y"], values(4).exp())
    assert_near(results["z"], (values(4).exp() + 1).tanh())


def test_nothing_is_computed_twice() -> None:
    _, (first, second), _ = stages()
    names = [step.operator for program in (first, second) for step in program.steps()]
    assert names.count("exp") == 1


def test_training_in_a_graph_with_updates_of_its_own() -> None:
    g = GraphBuilder("counting", DOUBLE)
    w = g.parameter("w", (2,), init=values(2))
    count, counter = leaf("count", torch.zeros(1, dtype=DOUBLE))
    graph = Graph({"loss": ops.sum(w * w)}, (Update(counter, count + 1),))
    step = compile(graph, minimize="loss", optimizer=SGD(lr=0.1))
    for _ in range(3):
        step()
    assert counter.tensor.item() == 3
    assert_near(w.attributes["parameter"].tensor, values(2) * 0.8**3)
