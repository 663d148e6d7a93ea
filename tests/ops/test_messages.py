"""Errors say which operator was given what, what it expected, and where the user asked for it."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable
from typing import Any

import pytest
import torch

import ops
from engine import Graph, gradient
from ops import (
    REGISTRY,
    FeedError,
    GradientError,
    GraphError,
    Node,
    SpecError,
    operator,
    same_as_input,
)
from ops.leaves import input
from tests.support import line_number


def _x(*shape: int | str, dtype: torch.dtype = torch.float32, name: str = "x") -> Node:
    sizes = tuple(ops.Dim.named(size) if isinstance(size, str) else size for size in shape)
    return input(name=name, shape=sizes, dtype=dtype)


IMAGES, WEIGHT = (2, 3, 8, 8), (4, 3, 3, 3)
REFUSED: list[tuple[str, str, Callable[[], Any]]] = [
    ("add", "expected shapes that broadcast together, got [2] and [3]", lambda: _x(2) + _x(3)),
    ("add", "mixed dtypes float32 and float64", lambda: _x(2) + _x(2, dtype=torch.float64)),
    ("add", "expected float32 or float64, got bool", lambda: _x(2) + _x(2, dtype=torch.bool)),
    ("add", "expected a node, a number or a tensor, got str", lambda: ops.add(_x(2), "1")),
    ("add", "expected at least one node or tensor", lambda: ops.add(1, 2)),
    ("add", "missing other", lambda: ops.add(_x(2))),
    ("add", "expected at most 2 inputs and 0 attributes", lambda: ops.add(_x(2), _x(2), _x(2))),
    ("relu", "unknown attribute slope (it has: none)", lambda: ops.relu(_x(2), slope=1)),
    ("permute", "missing attribute dims", lambda: ops.permute(_x(2))),
    (
        "permute",
        "expected distinct axes, got (0, 0)",
        lambda: ops.permute(_x(2, 3), dims=(0, 0)),
    ),
    ("where", "expected a bool condition, got float32", lambda: ops.where(_x(2), 1.0, 2.0)),
    ("matmul", "as many columns in the first as rows", lambda: _x(2, 3) @ _x(2, 3)),
    ("matmul", "expected values with axes", lambda: _x() @ _x(3)),
    ("conv2d", "expected images of 3 channels", lambda: ops.conv2d(_x(1, 4, 8, 8), _x(*WEIGHT))),
    ("conv2d", "images [N, C, H, W] with 4 axes", lambda: ops.conv2d(_x(3, 8, 8), _x(*WEIGHT))),
    ("conv2d", "a window of 3 does not fit in 2", lambda: ops.conv2d(_x(1, 3, 2, 2), _x(*WEIGHT))),
    ("conv2d", "expected a bias [4]", lambda: ops.conv2d(_x(*IMAGES), _x(*WEIGHT), _x(3))),
    (
        "conv2d",
        "expected stride of at least 1",
        lambda: ops.conv2d(_x(*IMAGES), _x(*WEIGHT), stride=0),
    ),
    ("conv2d", "padding of at least 0", lambda: ops.conv2d(_x(*IMAGES), _x(*WEIGHT), padding=-1)),
    ("conv2d", "at least 1 group", lambda: ops.conv2d(_x(*IMAGES), _x(*WEIGHT), groups=0)),
    (
        "conv2d",
        "'same', 'valid' or numbers",
        lambda: ops.conv2d(_x(*IMAGES), _x(*WEIGHT), padding="s"),
    ),
    (
        "conv2d",
        "works with stride 1 only",
        lambda: ops.conv2d(_x(*IMAGES), _x(*WEIGHT), stride=2, padding="same"),
    ),
    (
        "conv_transpose2d",
        "less than the stride or the dilation",
        lambda: ops.conv_transpose2d(_x(1, 4, 8, 8), _x(*WEIGHT), output_padding=1),
    ),
    (
        "conv_transpose2d",
        "expected images of 4 channels",
        lambda: ops.conv_transpose2d(_x(*IMAGES), _x(*WEIGHT)),
    ),
    (
        "conv_transpose2d",
        "expected an output of at least 1x1",
        lambda: ops.conv_transpose2d(_x(1, 4, 1, 1), _x(*WEIGHT), padding=2),
    ),
    ("max_pool2d", "at most half the window", lambda: ops.max_pool2d(_x(*IMAGES), 2, padding=2)),
    ("avg_pool2d", "other than 0", lambda: ops.avg_pool2d(_x(*IMAGES), 2, divisor_override=0)),
    ("sum_pool2d", "missing attribute", lambda: ops.sum_pool2d(_x(*IMAGES))),
    ("relu", "missing input", ops.relu),
    ("add", "other given twice", lambda: ops.add(_x(2), _x(2), other=_x(2))),
    ("add", "missing input, other", lambda: ops.add(other=_x(2))),
    (
        "leaky_relu",
        "negative_slope given twice",
        lambda: ops.leaky_relu(_x(2), 0.1, negative_slope=0.2),
    ),
    ("unfold", "kernel_size of at least 1", lambda: ops.unfold(_x(*IMAGES), 0)),
    ("fold", "expected columns", lambda: ops.fold(_x(1, 9, 5), (4, 4), 3)),
    ("upsample_nearest", "at least 1", lambda: ops.upsample_nearest(_x(*IMAGES), 0)),
    ("downsample_sum", "sides divisible", lambda: ops.downsample_sum(_x(*IMAGES), (3, 3))),
    ("sum", "expected axes from -2 to 1, got 2", lambda: ops.sum(_x(2, 3), 2)),
    ("mean", "expected distinct axes", lambda: ops.mean(_x(2, 3), (0, -2))),
    ("reshape", "expected a shape of 6 elements", lambda: ops.reshape(_x(2, 3), (4,))),
    ("reshape", "cannot work out -1", lambda: ops.reshape(_x(2, 3), (0, -1))),
    ("fold", "expected output_size (H, W)", lambda: ops.fold(_x(1, 9, 4), (4, 4, 4), 3)),
    ("reshape", "expected sizes of at least 0", lambda: ops.reshape(_x(2, 3), (-1, -1))),
    ("expand", "does not broadcast to [4]", lambda: ops.expand(_x(3), (4,))),
    ("slice", "a step of at least 1", lambda: ops.slice(_x(3), 0, step=0)),
    ("slice", "expected axes from -1 to 0", lambda: ops.slice(_x(3), 1)),
    ("concat", "shapes equal but for axis 0", lambda: ops.concat([_x(2, 3), _x(2, 4)])),
    ("concat", "mixed dtypes", lambda: ops.concat([_x(2), _x(2, dtype=torch.float64)])),
    ("pad", "a pair of integers", lambda: ops.pad(_x(2), padding=(1,))),
    ("pad", "expected to crop no more than there is", lambda: ops.pad(_x(2), padding=(-2, -1))),
    ("mse", "expected two equal shapes, got [2] and [3]", lambda: ops.mse(_x(2), _x(3))),
    ("masked_mse", "does not broadcast", lambda: ops.masked_mse(_x(2), _x(2), _x(3))),
    ("input", "expected sizes of at least 0", lambda: _x(-1)),
    ("input", "got int64", lambda: _x(1, dtype=torch.int64)),
]


@pytest.mark.parametrize(
    ("name", "reason", "call"), REFUSED, ids=[f"{name}: {reason}" for name, reason, _ in REFUSED]
)
def test_refusal(name: str, reason: str, call: Callable[[], Any]) -> None:
    with pytest.raises(SpecError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(f"{name}: "), message
    assert reason in message
    assert f"given: {name}(" in message
    assert f"at {__file__}:" in message


def test_a_refusal_names_shapes_names_and_the_line() -> None:
    noisy, weight = _x("N", 4, "H", 8, name="noisy"), _x(*WEIGHT, name="weight")
    line = line_number() + 2
    with pytest.raises(SpecError) as caught:
        ops.conv2d(noisy, weight, stride=2)
    given = "noisy: float32[N, 4, H, 8], weight: float32[4, 3, 3, 3]"
    message = str(caught.value)
    assert given in message
    assert "stride=2" in message
    assert f"at {__file__}:{line}" in message


def test_inputs_by_name() -> None:
    x, y = _x(2), _x(2)
    assert ops.relu(input=x).inputs == (x,)
    assert ops.sub(x, other=y).inputs == ops.sub(input=x, other=y).inputs == (x, y)
    assert ops.leaky_relu(input=x, negative_slope=0.5).attributes["negative_slope"] == 0.5


def test_attributes_that_only_the_operator_names() -> None:
    scaled = operator(
        "scaled",
        infer=same_as_input,
        forward=lambda x, **attributes: x * attributes["factor"],
        attributes=["factor"],
    )
    assert scaled(_x(2), 3.0).attributes == {"factor": 3.0}
    with pytest.raises(SpecError, match="missing attribute factor"):
        scaled(_x(2))


def test_a_refused_binding_names_the_line() -> None:
    x = _x("N", 3)
    line = line_number() + 1
    y = x + _x(4, 3, name="other")
    with pytest.raises(SpecError) as caught:
        Graph({"y": y}).bind({"N": 5})
    assert str(caught.value).startswith("add: expected shapes that broadcast together, got [5, 3]")
    assert f"at {__file__}:{line}" in str(caught.value)


def test_a_missing_rule_names_the_operator_and_the_line() -> None:
    bare = operator("bare", infer=same_as_input, forward=lambda x: x.clone())
    x = _x(2)
    line = line_number() + 1
    y = bare(x)
    with pytest.raises(GradientError) as caught:
        gradient(ops.sum(y), [x])
    assert "'bare' has no derivative rule" in str(caught.value)
    assert f"{__file__}:{line}" in str(caught.value)


def test_a_node_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"no truth value.*use ops.where"):
        bool(_x(2) > 0)


def test_an_operators_name_is_taken_once() -> None:
    with pytest.raises(GraphError, match=r"named 'relu' exists already.*activations"):
        operator("relu", infer=same_as_input, forward=lambda x: x)


def test_no_gradient_names_inputs_that_exist() -> None:
    with pytest.raises(GraphError, match="has inputs x; no_gradient names z"):
        operator("wrong", infer=same_as_input, forward=lambda x: x, no_gradient=["z"])


def test_a_forward_names_its_parameters() -> None:
    with pytest.raises(GraphError, match="does not tell its parameters; wrap it"):
        operator("hidden", infer=same_as_input, forward=torch.relu)
    with pytest.raises(GraphError, match="must name its attributes"):
        operator("open", infer=same_as_input, forward=lambda x, **attributes: x)


def _failing_infer(spec: ops.Spec) -> ops.Spec:
    return spec.with_shape(spec.shape[5])


@pytest.mark.parametrize(
    ("infer", "reason"),
    [
        (_failing_infer, "its infer failed: IndexError"),
        (lambda spec: None, "gave no Spec but None"),
    ],
)
def test_an_infer_that_fails(infer: Callable[..., Any], reason: str) -> None:
    broken = operator("broken", infer=infer, forward=lambda x: x)
    with pytest.raises(SpecError, match=f"broken: .*{reason}"):
        broken(_x(2))


def test_a_parameter_is_floating_point() -> None:
    counts = ops.Parameter("counts", torch.zeros(2, dtype=torch.int64))
    with pytest.raises(SpecError, match="expected float32 or float64, got int64"):
        REGISTRY["parameter"](name="counts", parameter=counts)


def test_an_input_has_no_value_of_its_own() -> None:
    with pytest.raises(FeedError, match="input 'x' was given no value"):
        REGISTRY["input"].forward(**_x(2).attributes)


@pytest.mark.parametrize("calculate", [operators.add, operators.sub, operators.mul])
def test_a_dimension_calculates_with_sizes_alone(calculate: Callable[..., Any]) -> None:
    for pair in ((ops.Dim.named("N"), "3"), ("3", ops.Dim.named("N"))):
        with pytest.raises(TypeError):
            calculate(*pair)


def test_representations() -> None:
    weight = ops.Parameter("weight", torch.zeros(2, 3))
    assert repr(weight) == "<parameter weight float32[2, 3]>"
    assert repr(ops.relu) == "<operator relu>"
    assert repr(_x(2) + 1) == "<add float32[2]>"
