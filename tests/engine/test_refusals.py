"""What used to be silently computed wrongly is now refused, or right."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ops
from engine import compile, compile_stages, gradient, interpret
from graphs import SGD, Conv2d, GraphBuilder, LeakyReLU, Model, Module, ReLU, Sequential
from ops import (
    REGISTRY,
    Dim,
    GradientError,
    GraphError,
    Node,
    SpecError,
    operator,
    same_as_input,
)
from ops.leaves import full

ROOT = Path(__file__).resolve().parents[2]


def images(*shape: int | str) -> Node:
    return GraphBuilder("refusals").input("x", shape)


def test_names_taken_as_equal_must_be_equal() -> None:
    g = GraphBuilder("two names")
    a, b = g.input("a", ("N",)), g.input("b", ("M",))
    by_a, by_b = gradient(ops.sum(a * b), [a, b])
    graph = g.build(by_a=by_a, by_b=by_b)
    with pytest.raises(SpecError, match=r"mul: expected float32\[N\], that is float32\[1\], got"):
        compile(graph, N=1, M=5)
    result = compile(graph, N=2, M=2)(a=torch.tensor([1.0, 2.0]), b=torch.tensor([3.0, 4.0]))
    assert result["by_a"].tolist() == [3, 4]
    assert result["by_b"].tolist() == [1, 2]


def test_a_later_stage_needs_the_one_before() -> None:
    g = GraphBuilder("stages")
    x = g.input("x", (3,))
    graph = g.build(y=ops.exp(x), z=ops.exp(x) * 2)
    first, second = compile_stages(graph, [["y"], ["z"]])
    with pytest.raises(GraphError, match="run that one first"):
        second()
    first(x=torch.zeros(3))
    assert second()["z"].tolist() == [2, 2, 2]
    with pytest.raises(GraphError, match="run that one first"):
        second()
    with pytest.raises(GraphError, match="no replica"):
        second.replica()


def test_programs_that_train_have_no_replicas() -> None:
    g = GraphBuilder("training")
    w = g.parameter("w", (2,))
    step = compile(g.build(loss=ops.sum(w * w)), minimize="loss", optimizer=SGD(0.1))
    with pytest.raises(GraphError, match="no replicas"):
        step.replica()


def test_forward_must_give_what_infer_tells() -> None:
    liar = operator(
        "liar", infer=same_as_input, forward=lambda x: x[:1].double(), vjp=lambda g, y, x: g
    )
    try:
        g = GraphBuilder("liar")
        graph = g.build(y=liar(g.input("x", (3,))))
        told = r"liar: its infer tells float32\[3\], its forward gives float64\[1\]"
        for run in (lambda x: interpret(graph, {"x": x}), lambda x: compile(graph)(x=x)):
            with pytest.raises(SpecError, match=told):
                run(torch.ones(3))
    finally:
        del REGISTRY["liar"]


def test_a_broken_rule_is_named() -> None:
    wrong = operator("wrong", infer=same_as_input, forward=lambda x: x * 1, vjp=lambda g, y, x: 2.0)
    try:
        x = images(3)
        with pytest.raises(GradientError, match=r"rule of 'wrong' gave 2\.0, which is no node"):
            gradient(ops.sum(wrong(x)), [x])
    finally:
        del REGISTRY["wrong"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.reshape(x, (-2, -6)), "sizes of at least 0"),
        (lambda x: ops.reshape(x, 12), r"expected a shape, as \(1, 3, 32, 32\), got 12"),
        (lambda x: ops.expand(x, (-7, 4, 3)), "sizes of at least 0"),
        (lambda x: ops.pad(x, (0.5, 1)), "pair of integers"),
        (lambda x: ops.slice(x, 0, 0.5, 2), "an integer or None as start"),
        (lambda x: ops.slice(x, 0, step=1.5), "a step of at least 1"),
        (lambda x: ops.unslice(x, size=5, dim=-1, start=0, end=3, step=1), "an axis from 0 to 1"),
        (lambda x: ops.permute(x, 1), "an order of 2 axes"),
        (lambda x: ops.concat(x), "a sequence of nodes"),
        (lambda x: x @ "s", "a node, a number or a tensor, got str"),
        (lambda x: ops.conv2d(x, torch.ones(1, 1, 1, 1), padding=None), "expected images"),
        (lambda x: ops.mse(x, torch.ones(2)), "two equal shapes"),
    ],
)
def test_bad_arguments_name_the_call_and_the_line(
    call: Callable[[Node], Node], message: str
) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        call(images(4, 3))
    assert f"at {__file__}:" in str(caught.value)


def test_the_dtype_of_a_bias_is_refused_by_the_convolution() -> None:
    bias = torch.ones(8, dtype=torch.float64)
    with pytest.raises(SpecError, match=r"^conv2d: mixed dtypes float32 and float64"):
        ops.conv2d(images(1, 3, 8, 8), torch.ones(8, 3, 3, 3), bias)


def test_sizes_have_one_normal_form() -> None:
    height = Dim.named("H")
    assert (height + 3) // 2 == (height + 1) // 2 + 1
    assert (5 * height) // 2 == 2 * height + height // 2
    assert str(2 * (height // 2)) == "2*(H//2)"
    with pytest.raises(SpecError, match="divide a size by at least 1"):
        height // 0
    with pytest.raises(SpecError, match="names of dimensions"):
        images("2*N")
    assert ops.reshape(images("N", 3, "H", "W"), (Dim.named("N"), -1)).shape[1] == 3 * (
        height * Dim.named("W")
    )


def test_a_weight_changed_between_forward_and_backward_is_noticed() -> None:
    net = Sequential(Conv2d(1, 1, 1), Conv2d(1, 1, 1))
    y = net.forward(torch.ones(1, 1, 2, 2))
    second = net[1]
    assert isinstance(second, Conv2d)
    second.weight = torch.full((1, 1, 1, 1), 100.0)
    with pytest.raises(GraphError, match="a parameter has changed since forward"):
        net.backward(torch.ones_like(y))


def test_a_changed_attribute_counts_from_the_next_call_on() -> None:
    layer = LeakyReLU(0.1)
    net = Sequential(layer)
    x = -torch.ones(2)
    assert net.forward(x).tolist() == pytest.approx([-0.1, -0.1])
    layer.negative_slope = 0.5
    assert net.forward(x).tolist() == [-0.5, -0.5]


def test_parts_kept_as_attributes_are_parts() -> None:
    class Two(Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = Conv2d(1, 2, 1)
            self.act = ReLU()
            self.up = Conv2d(2, 1, 1)

        def build(self, *inputs: Node) -> Node:
            (x,) = inputs
            return self.up(self.act(self.down(x)))

    net = Two()
    assert list(net.state()) == ["down.weight", "down.bias", "up.weight", "up.bias"]
    y = net.forward(torch.ones(1, 1, 2, 2))
    assert net.backward(torch.ones_like(y)).shape == (1, 1, 2, 2)


def test_a_foreign_module_is_named() -> None:
    stranger = Conv2d(1, 1, 1)

    class Borrower(Module):
        def build(self, *inputs: Node) -> Node:
            return stranger(*inputs)

    with pytest.raises(GraphError, match="the parameter 'weight' of a module that is no part"):
        Borrower().forward(torch.ones(1, 1, 2, 2))


def test_a_copied_model_is_another_model() -> None:
    model = Model()
    twin = copy.deepcopy(model)
    before = model.network.state()
    shots = 255 * torch.rand(2, 3, 8, 8)
    twin.train(shots, shots, 1)
    for name, value in model.network.state().items():
        assert torch.equal(value, before[name])
        assert not torch.equal(value, twin.network.state()[name])


def test_lines_are_the_users_through_links_too(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(ROOT)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(link)!r})\n"
        "import ops\n"
        "x = ops.constant(value=__import__('torch').ones(2))\n"
        "try:\n"
        "    ops.reshape(x, (3,))\n"
        "except ops.SpecError as error:\n"
        "    print(str(error).splitlines()[-1])\n"
    )
    run = subprocess.run(
        [sys.executable, "-P", str(script)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == f"at {script}:6"


@pytest.mark.parametrize("stages", [[], ["y"], "y"])
def test_stages_are_lists_of_outputs(stages: Any) -> None:
    g = GraphBuilder("stages")
    graph = g.build(y=g.input("x", (2,)) * 2)
    with pytest.raises(GraphError, match="expected a list of outputs for each stage, got"):
        compile_stages(graph, stages)


def test_stages_are_of_a_graph() -> None:
    with pytest.raises(GraphError, match=r"expected a graph, as from GraphBuilder\.build, got 3"):
        compile_stages(3, [["y"]])


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [((-1,), torch.float32, "sizes of at least 0"), ((2,), torch.int64, "float32, float64 or")],
)
def test_fills_are_checked_like_inputs(
    shape: tuple[int, ...], dtype: torch.dtype, expected: str
) -> None:
    with pytest.raises(SpecError, match=f"full: expected {expected}"):
        full(value=1.0, shape=shape, dtype=dtype)
