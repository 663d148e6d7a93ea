"""What torch's profiler sees a program allocate: the arena once, then nothing but the results."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings

import ops
from engine import Graph, Program, compile, gradient, interpret
from graphs import SGD, Adam, GraphBuilder
from ops import Node
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.support import allocated, assert_near, values

OPTIMIZERS = {
    "SGD": lambda: SGD(lr=0.01),
    "momentum": lambda: SGD(lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda: Adam(lr=0.01, weight_decay=1e-3),
}


def network(dtype: torch.dtype = torch.float32) -> Graph:
    """Convolutions of every kind, pooling, upsampling, skips, every activation and loss."""
    g = GraphBuilder("everything", dtype)
    x, target = g.input("x", (4, 4, 16, 16)), g.input("target", (4, 4, 16, 16))
    mask = ops.where(target > 0, 1.0, ops.full(value=0.0, shape=(4, 4, 16, 16), dtype=dtype))

    def conv(value: Node, name: str, out: int, kernel: int = 3, **window: int) -> Node:
        groups = window.get("groups", 1)
        w = g.parameter(f"{name}.w", (out, value.sizes[1] // groups, kernel, kernel))
        return ops.conv2d(value, w, g.parameter(f"{name}.b", (out,)), **window)

    down = ops.leaky_relu(conv(x, "down", 8, stride=2, padding=1), negative_slope=0.1)
    grouped = ops.relu(conv(down, "grouped", 8, padding=1, groups=4))
    dilated = ops.tanh(conv(grouped, "dilated", 8, padding=2, dilation=2))
    pooled = ops.max_pool2d(dilated, 2) + ops.avg_pool2d(dilated, 3, 2, 1)
    lifted = ops.softplus(conv(ops.upsample_nearest(pooled, 2), "lifted", 8, padding=1))
    joined = ops.concat([lifted, down], 1)
    w = g.parameter("up.w", (16, 4, 3, 3))
    up = ops.conv_transpose2d(joined, w, None, 2, 1, 1)
    y = ops.sigmoid(conv(up, "last", 4, kernel=1)) * 2 - 0.5
    loss = (
        ops.mse(y, target)
        + ops.l1(y, target)
        + ops.l0_annealed(y, target, 1.5)
        + ops.masked_mse(y, target, mask)
    )
    return g.build(y=y, loss=loss)


def feeds(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    return {n: values(4, 4, 16, 16, seed=i, dtype=dtype) for i, n in enumerate(("x", "target"))}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_allocates_the_promised_arena_once(optimizer: str) -> None:
    step = compile(network(), minimize="loss", optimizer=OPTIMIZERS[optimizer]())
    given = feeds()
    assert allocated(lambda: step.borrow(**given)) == [step.peak_bytes]
    assert allocated(lambda: step.borrow(**given)) == []
    y, loss = 4 * 4 * 4 * 16 * 16, 4
    assert sorted(allocated(lambda: step(**given))) == [loss, y]


def test_in_double_precision_and_without_training() -> None:
    program = compile(network(torch.float64))
    given = feeds(torch.float64)
    assert allocated(lambda: program.borrow(**given)) == [program.peak_bytes]
    assert allocated(lambda: program.borrow(**given)) == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_several_threads_in_torch(optimizer: str) -> None:
    step = compile(network(), minimize="loss", optimizer=OPTIMIZERS[optimizer]())
    given = feeds()
    torch.set_num_threads(2)
    try:
        step.borrow(**given)
        assert allocated(lambda: step.borrow(**given)) == []
    finally:
        torch.set_num_threads(1)


LARGE: dict[str, Callable[[Node], Node]] = {
    # Over 32768 elements torch shares a reduction among threads, through memory of its own.
    "sum": ops.sum,
    "mean": ops.mean,
    "sum over three axes": lambda x: ops.sum(x, (0, 2, 3)),
    "mean over the last axis": lambda x: ops.mean(x, -1),
    "sum of a vector": lambda x: ops.sum(ops.reshape(x, (-1,))),
    "sum of a transposed one": lambda x: ops.sum(ops.permute(x, (3, 1, 0, 2))),
    "sum, one axis kept": lambda x: ops.sum(x, (0, 1, 2), keepdim=True),
    "mean of one channel": lambda x: ops.mean(ops.slice(x, 1, 0, 1), (0, 2, 3)),
    "sum_to a scalar": lambda x: ops.sum_to(x, shape=()),
    "sum_to one channel": lambda x: ops.sum_to(ops.slice(x, 1, 1, 2), shape=(1, 1, 1, 1)),
    "matrices": lambda x: x @ x,
    "transposed matrices": lambda x: ops.permute(x, (0, 1, 3, 2)) @ x,
    "broadcast matrices": lambda x: ops.slice(x, 0, 0, 1) @ x,
    "three axes": lambda x: ops.reshape(x, (-1, 64, 64)) @ ops.reshape(x, (-1, 64, 64)),
    "a matrix for all": lambda x: (
        ops.reshape(ops.slice(ops.slice(x, 0, 0, 1), 1, 0, 1), (64, 64))
        @ ops.reshape(x, (-1, 64, 64))
    ),
    "vector": lambda x: ops.matmul(x, ops.reshape(ops.slice(ops.sum(x, (0, 1)), 0, 0, 1), (-1,))),
    "unfold": lambda x: ops.unfold(x, 3),
    "fold": lambda x: ops.fold(ops.unfold(x, 3, stride=2), (64, 64), 3, stride=2),
    "pad": lambda x: ops.pad(x, (1, 2, -1, 3), 0.5),
    "strided slice": lambda x: ops.slice(x, 2, 1, None, 2),
    "reshape across layouts": lambda x: ops.reshape(x, (2, 32, 12, 16)),
    "comparisons": lambda x: ops.where(ops.equal(x, 0.0), x, ops.sign(x)),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("threads", [1, 2])
def test_large_values(name: str, threads: int) -> None:
    g = GraphBuilder("large")
    x = g.input("x", (3, 1, 64, 64) if "channel" not in name else (12, 2, 64, 64))
    y = LARGE[name](x)
    outputs = {"y": y}
    if y.dtype == torch.float32:
        (outputs["slope"],) = gradient(ops.sum(y * y), [x])
    given = {"x": values(*x.sizes, dtype=torch.float32)}
    graph = g.build(**outputs)
    program = compile(graph)
    torch.set_num_threads(threads)
    try:
        assert allocated(lambda: program.borrow(**given)) == [program.peak_bytes]
        assert allocated(lambda: program.borrow(**given)) == []
        results = program(**given)
    finally:
        torch.set_num_threads(1)
    for output, value in interpret(graph, given).items():
        assert_near(results[output], value, scale=10)


def test_the_peak_is_known_before_the_first_run() -> None:
    built: list[Program] = []
    assert allocated(lambda: built.append(compile(network())) or built) != [built[0].peak_bytes]
    assert built[0].peak_bytes > 0
    assert built[0].least_bytes <= built[0].peak_bytes


@settings(max_examples=max(10, settings.default.max_examples // 4))
@given(random_graphs(steps=6))
def test_random_graphs_allocate_nothing(case: RandomGraph) -> None:
    program = compile(case.graph, **case.sizes)
    promised = [program.peak_bytes] if program.peak_bytes else []
    assert allocated(lambda: program.borrow(**case.feeds)) == promised, case
    assert allocated(lambda: program.borrow(**case.feeds)) == [], case
