"""Elementwise operators and sums over rows of any number of channels, in C."""

from __future__ import annotations

import pytest
import torch

import ops
from engine import compile
from engine.native.emitters import native_kernels
from engine.testing import Case, Sample
from engine.testing.laws.kernels import require_kernel
from graphs import GraphBuilder
from ops import REGISTRY
from ops.fused import Instruction
from tests.engine.native.test_kernel_laws import ARCHITECTURES, require_runs
from tests.ops.subjects import SUBJECTS
from tests.support import values

AXES = {
    "channels": (0, 2, 3),
    "all": (0, 1, 2, 3),
    "pixels of each image": (2, 3),
    "each image": (1, 2, 3),
    "each pixel": (1,),
}
OTHERS = ("C", "NC", "N", "W", "NHW", "")
"""The axes of another operand that has a size of 1 along all others."""


def other_of(kind: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size if axis in kind else 1 for axis, size in zip("NCHW", shape, strict=True))


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize(
    ("channels", "dtype"),
    [*((n, torch.float32) for n in (1, 3, 12, 19)), (3, torch.float64)],
)
def test_a_row_is_repeated(channels: int, dtype: torch.dtype, kind: str) -> None:
    body = (("mul", (0, 1)), ("greater", (2, 1)), ("where", (3, 0, 2)))
    instructions = tuple(Instruction(REGISTRY[name], sources, {}) for name, sources in body)
    x = Sample((2, channels, 3, 7), layout="channels_last", dtype=dtype)
    other = Sample(other_of(kind, (2, channels, 3, 7)), dtype=dtype, seed=1)
    case = Case(x, other, body=instructions)
    kernels = native_kernels(threads=3)
    assert sum(require_kernel(SUBJECTS["fused"], case, kernel) for kernel in kernels) == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
@pytest.mark.parametrize("channels", [3, 12])
def test_instruction_sets(channels: int, architecture: str) -> None:
    require_runs(architecture)
    row = Sample((channels, 1, 1), dtype=torch.float32, seed=1)
    case = Case(Sample((2, channels, 3, 7), layout="channels_last", dtype=torch.float32), row)
    kernels = native_kernels(architecture, threads=2)
    assert any(require_kernel(SUBJECTS["mul"], case, kernel) for kernel in kernels)


@pytest.mark.parametrize("channels", [1, 3, 16, 19])
def test_sums_are_exact(channels: int) -> None:
    # Sums of this many terms in single precision would lose digits if they were added in turn.
    shape = (2, channels, 300, 200)
    g, feeds = GraphBuilder("sums"), {"x": values(*shape).float()}
    x, sums, exact = g.input("x", shape), dict[str, ops.Node](), dict[str, torch.Tensor]()
    for kind in OTHERS:
        feeds[f"by {kind}"] = values(*other_of(kind, shape), seed=1).float()
        other = g.input(f"by {kind}", other_of(kind, shape))
        for axes, dim in AXES.items():
            name = f"{axes} of what is scaled by {kind}"
            sums[name] = ops.mean(ops.square(x * other + 1.0), dim, keepdim=True)
            scaled = feeds["x"].double() * feeds[f"by {kind}"].double()
            exact[name] = (scaled + 1).square().mean(dim, keepdim=True)
    program = compile(g.build(**sums), backend="native")
    assert all(step.kernel.startswith(("C: ", "view")) for step in program.steps())
    for name, value in program(**feeds).items():
        apart = float(((value.double() - exact[name]) / exact[name]).abs().max())
        assert apart < 3e-6, name


def test_a_table_of_odd_rows_on_the_stack() -> None:
    # GCC 12 stored this table as if it were aligned below the stack pointer, and crashed.
    g = GraphBuilder("table")
    x, other = g.input("x", (103, 2, 8, 3, 4)), g.input("other", (3, 4))
    graph = g.build(y=ops.slice(x, 0, 2, 101, 3) * other)
    feeds = {"x": values(103, 2, 8, 3, 4).float(), "other": values(3, 4, seed=1).float()}
    program = compile(graph, backend="native")
    assert torch.equal(program(**feeds)["y"], feeds["x"][2:101:3] * feeds["other"])
