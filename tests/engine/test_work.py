"""Operations and bytes of a node, against counts made by hand and by PyTorch's own counter."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import ops
from engine import gradient
from engine.work import flops, traffic
from graphs import GraphBuilder
from ops import REGISTRY, Node


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_as_pytorch_counts_them(groups: int) -> None:
    g = GraphBuilder("convolution")
    x, w = g.input("x", (2, 4, 9, 7)), g.parameter("w", (6, 4 // groups, 3, 3))
    window = {"stride": 2, "padding": 1, "groups": groups}
    y = ops.conv2d(x, w, **window)
    by_x, by_w = gradient(ops.sum(y), [x, w])
    image, weight = torch.rand(x.sizes, requires_grad=True), torch.rand(w.sizes, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        result = torch.nn.functional.conv2d(image, weight, **window)
    assert flops(y) == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        result.sum().backward()
    if groups == 1:  # PyTorch's counter overlooks groups in gradients
        assert flops(by_x) + flops(by_w) == counter.get_total_flops()
    assert flops(by_x) == flops(by_w) == flops(y)


def test_a_product_reads_both_matrices_and_writes_one() -> None:
    g = GraphBuilder("product")
    a, b = g.input("a", (5, 3, 4)), g.input("b", (4, 7))
    y = a @ b
    with FlopCounterMode(display=False) as counter:
        torch.rand(5, 3, 4) @ torch.rand(4, 7)
    assert flops(y) == counter.get_total_flops() == 2 * 5 * 3 * 4 * 7
    assert traffic(y) == 4 * (5 * 3 * 4 + 4 * 7 + 5 * 3 * 7)


def test_an_input_used_twice_and_a_repeated_number_are_read_once() -> None:
    x = GraphBuilder("once").input("x", (10,))
    ones = ops.full(value=1.0, shape=(10,), dtype=x.dtype)
    assert (flops(x * x), traffic(x * x)) == (10, 80)
    assert (flops(x * ones), traffic(x * ones)) == (10, 84)
    assert (flops(x), traffic(x)) == (0, 0)


def test_moving_is_no_arithmetic_and_sums_count_what_they_read() -> None:
    x = GraphBuilder("moved").input("x", (2, 3, 4, 4))
    moved = [ops.permute(x, (3, 2, 1, 0)), ops.pad(x, (1, 1)), ops.upsample_nearest(x, 2)]
    assert [flops(y) for y in (*moved, ops.concat([x, x], 1))] == [0, 0, 0, 0]
    assert [flops(y) for y in (ops.sum(x), ops.mean(x, (2, 3)), ops.relu(x))] == [96, 96, 96]
    assert flops(ops.max_pool2d(x, 2)) == 96


def test_an_operator_outside_of_the_table_counts_its_elements() -> None:
    x = GraphBuilder("own").input("x", (6,))
    y: Node = REGISTRY["tanh"](x)
    assert flops(y) == 6
