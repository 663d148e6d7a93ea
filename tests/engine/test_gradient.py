"""Gradients as part of the graph, against PyTorch's autograd."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

import ops
from engine import Graph, compile, gradient, interpret
from graphs import GraphBuilder
from ops import GradientError, Node, operator, same_as_input
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import DOUBLE, assert_near, parameter_of, same_bits, torch_gradients, values


def builder() -> GraphBuilder:
    return GraphBuilder("gradients", DOUBLE)


def run(feeds: dict[str, torch.Tensor], **outputs: Node) -> dict[str, torch.Tensor]:
    """The outputs, compiled; checked against the interpreter."""
    graph = Graph(outputs)
    results = compile(graph)(**feeds)
    for name, value in interpret(graph, feeds).items():
        assert_near(results[name], value)
    return results


def test_by_inputs_parameters_and_intermediates() -> None:
    g = builder()
    x, w = g.input("x", (2, 3, 5, 5)), g.parameter("w", (4, 3, 3, 3))
    hidden = ops.tanh(ops.conv2d(x, w, padding=1, stride=2))
    loss = ops.mean(ops.square(ops.upsample_nearest(hidden, 2)))
    by_x, by_hidden, by_w = gradient(loss, [x, hidden, w])

    tx = values(2, 3, 5, 5).requires_grad_()
    tw = parameter_of(Graph({"loss": loss}), "w").tensor.clone().requires_grad_()
    thidden = F.conv2d(tx, tw, padding=1, stride=2).tanh()
    tloss = F.interpolate(thidden, scale_factor=2).square().mean()
    expected = torch.autograd.grad(tloss, [tx, thidden, tw])
    results = run({"x": tx.detach()}, x=by_x, hidden=by_hidden, w=by_w)
    for name, slope in zip(("x", "hidden", "w"), expected, strict=True):
        assert_near(results[name], slope)


def test_accumulates_where_a_value_is_used_many_times() -> None:
    g = builder()
    x = g.input("x", (4,))
    total = x
    for i in range(1, 20):
        total = total + i * x * x
    (slope,) = gradient(ops.sum(total * x), [x])
    t = values(4).requires_grad_()
    ttotal = t
    for i in range(1, 20):
        ttotal = ttotal + i * t * t
    assert_near(run({"x": t.detach()}, s=slope)["s"], *torch_gradients((ttotal * t).sum(), [t]))


def test_one_value_at_both_inputs() -> None:
    g = builder()
    x = g.input("x", (3, 3))
    (slope,) = gradient(ops.sum((x @ x) / (x * x + 1) - x), [x])
    t = values(3, 3).requires_grad_()
    expected = torch_gradients(((t @ t) / (t * t + 1) - t).sum(), [t])
    assert_near(run({"x": t.detach()}, s=slope)["s"], *expected)


def test_derivatives_of_higher_order() -> None:
    g = builder()
    x, w = g.input("x", (2, 2, 4, 4)), g.input("w", (2, 2, 3, 3))
    y = ops.sum(ops.tanh(ops.conv2d(x, w, padding=1)) ** 3.0)
    t = values(2, 2, 4, 4).requires_grad_()
    tw = values(2, 2, 3, 3, seed=1).requires_grad_()
    ty = (F.conv2d(t, tw, padding=1).tanh() ** 3).sum()
    outputs, expected = {}, {}
    for order in (1, 2, 3):
        by_x, by_w = gradient(y, [x, w])
        tby_x, tby_w = torch_gradients(ty, [t, tw], create_graph=True)
        outputs |= {f"x{order}": by_x, f"w{order}": by_w}
        expected |= {f"x{order}": tby_x, f"w{order}": tby_w}
        y = ops.sum(ops.square(by_x)) + ops.sum(by_w * by_w * by_w) / 100
        ty = tby_x.square().sum() + (tby_w**3).sum() / 100
    results = run({"x": t.detach(), "w": tw.detach()}, **outputs)
    for name, value in expected.items():
        assert_near(results[name], value, scale=100, case=name)


@settings(max_examples=max(20, settings.default.max_examples // 2))
@given(random_graphs(steps=6, named=False))
def test_second_order_of_random_graphs(case: RandomGraph) -> None:
    """d/dx of a sum over a gradient, by differentiating twice, against central differences."""
    graph = case.graph
    if "image" not in graph.inputs:
        return
    x = graph.inputs["image"]
    direction = values(*x.sizes, seed=7)
    slope = ops.sum(graph.outputs["by image"] * direction)
    (curvature,) = gradient(slope, [x])
    program = compile(Graph({"curvature": curvature, "slope": slope, **graph.inputs}))
    feeds = dict(case.feeds)
    exact = float((program(**feeds)["curvature"] * direction).sum())
    step = 1e-4
    ahead, behind = (
        program(**feeds | {"image": feeds["image"] + sign * step * direction})["slope"]
        for sign in (1, -1)
    )
    assert exact == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-4, abs=1e-4)


def test_with_a_seed() -> None:
    g = builder()
    x, v = g.input("x", (3, 2)), g.input("v", (3, 4))
    w = g.input("w", (2, 4))
    by_x, by_w = gradient(x @ w, [x, w], seed=v)
    feeds = {"x": values(3, 2), "v": values(3, 4, seed=1), "w": values(2, 4, seed=2)}
    results = run(feeds, x=by_x, w=by_w)
    assert_near(results["x"], feeds["v"] @ feeds["w"].T)
    assert_near(results["w"], feeds["x"].T @ feeds["v"])


def test_what_is_unused_has_the_derivative_zero() -> None:
    g = builder()
    x, other = g.input("x", (2,)), g.parameter("other", (3, 4))
    results = run({"x": values(2)}, x=x, zeros=gradient(ops.sum(x), [other])[0])
    assert torch.equal(results["zeros"], torch.zeros(3, 4, dtype=DOUBLE))


def test_of_a_leaf_by_itself_and_twice() -> None:
    g = builder()
    x = g.input("x", ())
    first, second = gradient(x, [x, x])
    results = run({"x": values()}, x=x, first=first, second=second)
    assert results["first"] == results["second"] == 1


def test_paths_without_a_derivative_carry_none() -> None:
    g = builder()
    x = g.input("x", (5,))
    stepped = ops.sum(ops.sign(x) + ops.where(x > 0, 1.0, x * 0 + 2.0) * 0)
    mixed = ops.sum(ops.sign(x) * ops.square(x))
    by_steps, by_mixed = gradient(stepped, [x])[0], gradient(mixed, [x])[0]
    t = values(5)
    results = run({"x": t}, steps=by_steps, mixed=by_mixed)
    assert torch.equal(results["steps"], torch.zeros(5, dtype=DOUBLE))
    assert_near(results["mixed"], t.sign() * 2 * t)


def test_only_the_wanted_paths_are_differentiated() -> None:
    stuck = operator("stuck", infer=same_as_input, forward=lambda x: x.clone())
    g = builder()
    x, w = g.input("x", (2,)), g.input("w", (2,))
    loss = ops.sum(stuck(x) * w)
    (by_w,) = gradient(loss, [w])  # needs no rule of the operator before x
    assert_near(run({"x": values(2)}, w=by_w)["w"], values(2))
    with pytest.raises(GradientError, match="operator 'stuck' has no derivative rule") as caught:
        gradient(loss, [x])
    assert f"used at {__file__}:" in str(caught.value)


@pytest.mark.parametrize(
    ("vjp", "message"),
    [
        (lambda grad, y, a, b: (grad, None), "of 'partial' gave None for input 1"),
        (lambda grad, y, a, b: (grad,), "of 'partial' gave 1 gradients for 2 inputs"),
        (lambda grad, y, a, b: (grad, grad > 0), r"gave bool\[2\] for input 1, a float64\[2\]"),
    ],
)
def test_a_rule_that_is_wrong_is_named(vjp: object, message: str) -> None:
    partial = operator(
        "partial",
        infer=lambda a, b: a,
        forward=lambda a, b: a + b,
        vjp=vjp,
    )
    g = builder()
    a, b = g.input("a", (2,)), g.input("b", (2,))
    with pytest.raises(GradientError, match=message):
        gradient(ops.sum(partial(a, b)), [a, b])


def test_what_cannot_be_differentiated_is_refused() -> None:
    g = builder()
    x = g.input("x", (2,))
    with pytest.raises(GradientError, match="expected a scalar to differentiate, or a seed"):
        gradient(x * 2, [x])
    with pytest.raises(GradientError, match="is not floating point"):
        gradient(ops.sum(x), [x > 0])
    with pytest.raises(GradientError, match=r"seed like the output float64\[2\], got float64\[\]"):
        gradient(x * 2, [x], seed=ops.sum(x))


def test_gradient_nodes_name_the_forward_node_they_belong_to() -> None:
    g = builder()
    x = g.input("x", (2, 2))
    hidden = ops.relu(x)
    loss = ops.sum(ops.square(hidden))
    (slope,) = gradient(loss, [x])
    new = [node for node in Graph({"s": slope}).nodes if node.creation > loss.creation]
    assert new
    assert {node.provenance.forward for node in new} <= {loss, loss.inputs[0], hidden, x}
    assert {str(n.provenance) for n in new if n.provenance.forward is hidden} == {
        str(hidden.provenance)
    }


AWKWARD = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 1e308, -1e308]
SLOPES = [0.1, 0.0, -0.0, 1.0, 3.0, 5e-324, 1e300, math.inf, -0.1, -math.inf, math.nan]


@pytest.mark.parametrize("slope", SLOPES)
def test_leaky_relus_derivative_is_that_of_its_input_for_every_slope(slope: float) -> None:
    g = builder()
    x, upstream = g.input("x", (len(AWKWARD),)), g.input("upstream", (len(AWKWARD),))
    y = ops.leaky_relu(x, negative_slope=slope)
    (by_x,) = gradient(y, [x], seed=upstream)
    graph = Graph({"by_x": by_x})
    t, u = torch.tensor(AWKWARD, dtype=DOUBLE), values(len(AWKWARD))
    expected = torch.where(t > 0, u, u * slope)
    for results in (interpret(graph, {"x": t, "upstream": u}), compile(graph)(x=t, upstream=u)):
        assert same_bits(results["by_x"], expected)


@pytest.mark.parametrize(("slope", "read"), [(0.1, "leaky_relu"), (-0.1, "exp")])
def test_leaky_relu_frees_its_input_where_signs_stay(slope: float, read: str) -> None:
    g = builder()
    x = g.input("x", (3,))
    (by_x,) = gradient(ops.sum(ops.leaky_relu(ops.exp(x), negative_slope=slope)), [x])
    (comparison,) = (n for n in Graph({"by_x": by_x}).nodes if n.operator is ops.greater)
    assert comparison.inputs[0].operator.name == read
