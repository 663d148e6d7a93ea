"""Weights that do not stay in the cache are left to torch's kernels."""

from __future__ import annotations

import pytest
import torch

import ops
from engine import compile
from graphs import SGD, GraphBuilder


@pytest.mark.parametrize(("channels", "native"), [(192, True), (224, False)])
def test_by_whom_a_convolution_is_computed(channels: int, native: bool) -> None:
    g = GraphBuilder("large")
    x = g.input("x", (2, channels, 8, 8))
    w = g.parameter("w", (channels, channels, 3, 3))
    graph = g.build(loss=ops.mean(ops.square(ops.conv2d(ops.relu(x), w, padding=1))))
    program = compile(graph, minimize="loss", optimizer=SGD(0.1), backend="native")
    by_native = {
        step.kernel.startswith("C: ") for step in program.steps() if "conv2d" in step.operator
    }
    assert by_native == {native}
    torch.manual_seed(0)
    image, weight = torch.randn(2, channels, 8, 8), graph.parameters["w"].attributes["parameter"]
    convolved = torch.nn.functional.conv2d(image.relu(), weight.tensor, padding=1)
    torch.testing.assert_close(program(x=image)["loss"], convolved.square().mean())
