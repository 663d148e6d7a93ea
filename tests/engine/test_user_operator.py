"""A user-defined operator in the user's own file is treated like a built-in one."""

from __future__ import annotations

import pytest
import torch

import ops
from engine import compile, gradient, interpret
from graphs import SGD, GraphBuilder
from ops import GraphError, Node, Spec, SpecError, operator, require_ndim, same_as_input
from tests.support import DOUBLE, assert_near, line_number, values

softsign = operator(
    "test softsign",
    infer=same_as_input,
    forward=lambda x: x / (1 + x.abs()),
    vjp=lambda grad, y, x: grad * ops.square(1 - ops.absolute(y)),
)


def _infer_outer(a: Spec, b: Spec, *, scale: float) -> Spec:
    require_ndim(a, 1, "a vector")
    require_ndim(b, 1, "a vector")
    return a.with_shape((*a.shape, *b.shape))


def _outer_forward(a: torch.Tensor, b: torch.Tensor, *, scale: float = 1.0) -> torch.Tensor:
    """The outer product of two vectors, scaled."""
    return torch.outer(a, b) * scale


def _outer_vjp(grad: Node, y: Node, a: Node, b: Node, *, scale: float) -> tuple[Node, Node]:
    return (grad @ b) * scale, (a @ grad) * scale


outer = operator("test outer", infer=_infer_outer, forward=_outer_forward, vjp=_outer_vjp)


def test_the_same_call_gradient_and_compilation() -> None:
    g = GraphBuilder("own", DOUBLE)
    x, w = g.input("x", ("N",)), g.parameter("w", (3,), init=values(3, seed=3))
    y = softsign(outer(x, w, scale=2.0) + w)
    loss = ops.mean(y * y)
    graph = g.build(y=y, loss=loss, **dict(zip("xw", gradient(loss, [x, w]), strict=True)))

    tx, tw = values(4).requires_grad_(), values(3, seed=3).requires_grad_()
    ty = torch.nn.functional.softsign(torch.outer(tx, tw) * 2 + tw)
    tx_slope, tw_slope = torch.autograd.grad(ty.square().mean(), [tx, tw])
    expected = {"y": ty, "loss": ty.square().mean(), "x": tx_slope, "w": tw_slope}
    feeds = {"x": tx.detach()}
    for results in (interpret(graph, feeds), compile(graph, N=4)(**feeds)):
        for name, value in expected.items():
            assert_near(results[name], value)


def test_it_can_be_differentiated_twice() -> None:
    g = GraphBuilder("own", DOUBLE)
    x = g.input("x", (5,))
    (first,) = gradient(ops.sum(softsign(x)), [x])
    (second,) = gradient(ops.sum(first), [x])
    t = values(5).requires_grad_()
    (slope,) = torch.autograd.grad(torch.nn.functional.softsign(t).sum(), t, create_graph=True)
    (expected,) = torch.autograd.grad(slope.sum(), t)
    assert_near(compile(g.build(s=second))(x=t.detach())["s"], expected)


def test_it_can_be_trained_through() -> None:
    g = GraphBuilder("own")
    x, w = g.input("x", (8,)), g.parameter("w", (8,), init=torch.ones(8))
    loss = ops.mse(softsign(x * w), x * 0)
    step = compile(g.build(loss=loss), minimize="loss", optimizer=SGD(lr=0.5))
    losses = [float(step(x=torch.ones(8))["loss"]) for _ in range(10)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_the_same_errors() -> None:
    g = GraphBuilder("own")
    a, b = g.input("a", (2, 2)), g.input("b", (2,))
    line = line_number() + 2
    with pytest.raises(SpecError) as caught:
        outer(a, b, scale=3.0)
    assert str(caught.value) == (
        "test outer: expected a vector with 1 axes, got float32[2, 2]\n"
        "  given: test outer(a: float32[2, 2], b: float32[2], scale=3.0)\n"
        f"  at {__file__}:{line}"
    )
    with pytest.raises(SpecError, match=r"unknown attribute size \(it has: scale\)"):
        outer(b, b, size=1)
    with pytest.raises(SpecError, match="missing b"):
        outer(b)
    with pytest.raises(SpecError, match="expected a node, a number or a tensor, got str"):
        outer(b, "b")
    with pytest.raises(SpecError, match="expected float32 or float64, got bool"):
        softsign(b > 0)


def test_names_are_unique_among_files_and_may_be_declared_again_in_one() -> None:
    for _ in range(2):
        operator("test again", infer=same_as_input, forward=lambda x: x)
    with pytest.raises(GraphError, match="an operator named 'relu' exists already"):
        operator("relu", infer=same_as_input, forward=lambda x: x)


def test_no_gradient_must_name_inputs() -> None:
    with pytest.raises(GraphError, match="has inputs x; no_gradient names z"):
        operator("test wrong", infer=same_as_input, forward=lambda x: x, no_gradient=("z",))


def test_its_forward_may_return_a_view_or_its_input() -> None:
    swap = operator(
        "test swap", infer=lambda x: x.with_shape(x.shape[::-1]), forward=lambda x: x.t()
    )
    itself = operator("test itself", infer=same_as_input, forward=lambda x: x)
    g = GraphBuilder("views")
    x = g.input("x", (2, 3))
    graph = g.build(swapped=swap(x), same=itself(x), changed=itself(x) * 2)
    feeds = {"x": values(2, 3, dtype=torch.float32)}
    program = compile(graph)
    for results in (interpret(graph, feeds), program(**feeds), program(**feeds)):
        assert torch.equal(results["swapped"], feeds["x"].t())
        assert torch.equal(results["same"], feeds["x"])
        assert torch.equal(results["changed"], feeds["x"] * 2)


ramp = operator(
    "test ramp",
    infer=lambda *, name, n: Spec((n,), DOUBLE),
    forward=lambda *, name, n: torch.arange(1, n + 1, dtype=DOUBLE),
)


def test_an_attribute_called_name_does_not_name_an_input() -> None:
    g = GraphBuilder("ramps", DOUBLE)
    graph = g.build(y=g.input("x", (3,)) + ramp(name="x", n=3), z=ramp(name="x", n=2))
    feeds = {"x": torch.full((3,), 10, dtype=DOUBLE)}
    for results in (interpret(graph, feeds), compile(graph)(**feeds)):
        assert results["y"].tolist() == [11, 12, 13]
        assert results["z"].tolist() == [1, 2]
