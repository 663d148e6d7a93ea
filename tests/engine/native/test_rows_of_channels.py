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
OTHERS = {
    "a row": (1, -1, 1, 1),
    "a row of each image": (2, -1, 1, 1),
    "a number of each image": (2, 1, 1, 1),
    "columns": (1, 1, 1, 70),
    "a number": (1, 1, 1, 1),
}


def other_of(kind: str, channels: int, columns: int) -> tuple[int, ...]:
    n, c, h, w = OTHERS[kind]
    return (n, channels if c == -1 else c, h, columns if w == 70 else w)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize(
    ("channels", "dtype"),
    [*((n, torch.float32) for n in (1, 2, 3, 7, 12, 19, 64)), (3, torch.float64)],
)
def test_a_row_is_repeated(channels: int, dtype: torch.dtype, kind: str) -> None:
    body = (("mul", (0, 1)), ("greater", (2, 1)), ("where", (3, 0, 2)))
    instructions = tuple(Instruction(REGISTRY[name], sources, {}) for name, sources in body)
    x = Sample((2, channels, 3, 7), layout="channels_last", dtype=dtype)
    other = Sample(other_of(kind, channels, 7), dtype=dtype, seed=1)
    case = Case(x, other, body=instructions)
    held = [
        require_kernel(SUBJECTS["fused"], case, kernel)
        for threads in (1, 3)
        for kernel in native_kernels(threads=threads)
    ]
    assert sum(held) == 2


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
@pytest.mark.parametrize("channels", [3, 12])
def test_instruction_sets(channels: int, architecture: str) -> None:
    require_runs(architecture)
    row = Sample((channels, 1, 1), dtype=torch.float32, seed=1)
    case = Case(Sample((2, channels, 3, 7), layout="channels_last", dtype=torch.float32), row)
    kernels = native_kernels(architecture, threads=2)
    assert any(require_kernel(SUBJECTS["mul"], case, kernel) for kernel in kernels)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("channels", [1, 3, 16, 19, 33])
def test_sums_are_exact(channels: int, kind: str, axes: str) -> None:
    # Sums of this many terms in single precision would lose digits if they were added in turn.
    shape = (2, channels, 90, 70)
    g = GraphBuilder("sums")
    x, other = g.input("x", shape), g.input("other", other_of(kind, channels, 70))
    graph = g.build(y=ops.mean(ops.square(x * other + 1.0), AXES[axes], keepdim=True))
    program = compile(graph, backend="native")
    assert all(step.kernel.startswith(("C: ", "view")) for step in program.steps())
    feeds = {"x": values(*shape).float(), "other": values(*other.sizes, seed=1).float()}
    doubled = (feeds["x"].double() * feeds["other"].double() + 1).square()
    exact = doubled.mean(AXES[axes], keepdim=True)
    torch.testing.assert_close(program(**feeds)["y"].double(), exact, rtol=3e-6, atol=0)
