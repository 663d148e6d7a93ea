"""Feeds and results that native code copies, of any shape and layout."""

from __future__ import annotations

import ctypes

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Program, compile
from engine.layout import strides
from engine.native.code.operand import Operand
from engine.native.code.source import StepSource, program_source
from engine.native.copying import deliver, fetch
from engine.native.toolchain.library import load
from engine.native.toolchain.target import Machine, find_target
from engine.native.toolchain.thread_pool import runner
from engine.testing.arrangement import Memory
from engine.testing.closeness import require_same_bits
from graphs import GraphBuilder
from ops import where

SHAPES = st.one_of(
    st.lists(st.integers(1, 6), max_size=5).map(tuple),
    st.tuples(st.integers(1, 2), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9)),
)
DTYPES = st.sampled_from([torch.float32, torch.float64])
ARCHITECTURES = st.sampled_from(["native", "x86-64"])


@settings(max_examples=40)
@given(shape=SHAPES, dtype=DTYPES, architecture=ARCHITECTURES, threads=st.integers(1, 3))
def test_there_and_back(
    shape: tuple[int, ...], dtype: torch.dtype, architecture: str, threads: int
) -> None:
    given = torch.randn(shape, dtype=dtype)
    row_major = torch.empty(shape, device="meta").stride()
    inside, back = Memory(shape, strides(shape), dtype), Memory(shape, row_major, dtype)
    machine = Machine(find_target(architecture), threads)
    value = Operand.of("O[1]", torch.empty_strided(shape, strides(shape), dtype=dtype))
    source = program_source(
        [
            StepSource("in", fetch("O[0]", value, machine), ("OUTSIDE(0, 0)", "OUTSIDE(1, 0)")),
            StepSource("out", deliver("O[0]", value, machine), ("OUTSIDE(2, 0)", "OUTSIDE(1, 0)")),
        ]
    )
    tensors = (given, inside.tensor, back.tensor)
    outside = (ctypes.c_void_p * 3)(*(tensor.data_ptr() for tensor in tensors))
    runner(load(source, machine.target), machine.target, threads, 0, outside)(0, 2)()
    for memory in (inside, back):
        require_same_bits(memory.tensor, given, "the copy")
        memory.require_guarded("what is copied")


@pytest.fixture(scope="module")
def program() -> Program:
    g = GraphBuilder("doubled")
    x = g.input("x", (2, 3, 4, 20))
    return compile(g.build(y=x + x), backend="native")


x = torch.randn(2, 3, 4, 20)
KINDS = {
    "row-major": x,
    "channels-last": x.contiguous(memory_format=torch.channels_last),
    "a slice": torch.randn(2, 3, 8, 20)[:, :, ::2],
    "expanded": torch.randn(1, 1, 4, 20).expand(2, 3, 4, 20),
    "a parameter": torch.nn.Parameter(x),
    "the negative of what lies there": torch.randn(2, 3, 4, 20, dtype=torch.cfloat).conj().imag,
    "zeros that do not exist": torch._efficientzerotensor((2, 3, 4, 20)),
    "in the middle of a storage": torch.randn(3, 2, 3, 4, 20)[1],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_feed(kind: str, program: Program) -> None:
    feed = KINDS[kind]
    expected = (feed + feed).detach().clone()
    require_same_bits(program(x=feed)["y"], expected, "the result")
    require_same_bits(program.borrow(x=feed)["y"], expected, "the result")
    require_same_bits(program.profile(x=feed)["y"], expected, "the result")


def test_results_are_row_major_and_the_callers(program: Program) -> None:
    first, second = program(x=x)["y"], program(x=-x)["y"]
    assert first.is_contiguous()
    require_same_bits(first, x + x, "the result")
    require_same_bits(second, -x - x, "the result")


def test_what_is_not_float_is_copied_too() -> None:
    g = GraphBuilder("chosen")
    x, chosen = g.input("x", (3, 5)), g.input("chosen", (3, 5), dtype=torch.bool)
    graph = g.build(y=where(chosen, x, -x), bright=x > 0.5)
    program = compile(graph, backend="native")
    values, mask = torch.randn(3, 5), torch.randn(3, 5) > 0
    results = program(x=values, chosen=mask)
    require_same_bits(results["y"], torch.where(mask, values, -values), "the result")
    require_same_bits(results["bright"], values > 0.5, "the result")
