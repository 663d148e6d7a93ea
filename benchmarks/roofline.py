"""The least time that a training step could take on this machine.

    python -m benchmarks.roofline [--rounds 20]

Two rates limit every program: how fast the machine multiplies and adds, and how fast it reads and
writes memory. Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance
model for multicore architectures", 2009. There are three bounds, each assuming more than the last:

- arithmetic: all operations run at the rate of multiply-adds in vector registers (torch's matrix
  product is shown for comparison);
- fused: also, the step's inputs and parameters pass through memory once, at the same time;
- step by step: every step of the native program reads its inputs from memory and writes its result
  there, and is limited by the slower of the two rates. Values that stay in a cache can beat it.
"""

from __future__ import annotations

import ctypes
import math
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.harness import options, timing, write
from benchmarks.ours import training_program
from benchmarks.training_step import CASES
from engine.native.code.source import Code, StepSource, program_source
from engine.native.code.text import Text
from engine.native.toolchain.library import load
from engine.native.toolchain.target import Machine, find_target
from engine.native.toolchain.thread_pool import runner

TURNS = 1 << 20
"""Iterations of the loop of multiply-adds."""

SIDE = 2048
"""Side of the matrices that are multiplied."""

FLOATS = 1 << 26
"""How many floats are copied from one array to another, 256 MB each: far beyond any cache."""


class Rates(NamedTuple):
    """A machine's rates per second: operations in registers, in a matrix product, bytes moved."""

    flops: float
    product: float
    bytes: float


def measure(threads: int, rounds: int) -> Rates:
    """The rates of multiply-adds, torch's matrix product and its copy, at the quickest quartile."""
    torch.set_num_threads(threads)
    a, b, c = torch.rand(3, SIDE, SIDE)
    source, target = torch.rand(FLOATS), torch.empty(FLOATS)
    product = _seconds(lambda: torch.mm(a, b, out=c), rounds)
    copy = _seconds(lambda: target.copy_(source), rounds)
    adds, flops = multiply_adds(Machine(find_target(), threads))
    return Rates(flops / _seconds(adds, rounds), 2 * SIDE**3 / product, 2 * 4 * FLOATS / copy)


def multiply_adds(machine: Machine) -> tuple[Callable[[], None], float]:
    """A function that runs multiply-adds in vector registers on all threads, and its operations."""
    text, target = Text(), machine.target
    sums = [f"s{i}" for i in range(target.accumulators)]
    text(*(f"vf {name} = splat_f(me + {i});" for i, name in enumerate(sums)))
    text("const vf a = splat_f(0.5f), b = splat_f(me + 1);")
    with text.block(f"for (long i = 0; i < {TURNS}; i++)"):
        text(*(f"{name} = {name} * a + b;" for name in sums))
    text(f"store_f((float *)O[0] + me * LANES_f, {' + '.join(sums)});")
    library = load(
        program_source([StepSource("multiply-adds", Code(text), ("OUTSIDE(0, 0)",))]), target
    )
    lanes = target.lanes(torch.float32)
    out = torch.empty(machine.threads, lanes)
    outside = (ctypes.c_void_p * 1)(out.data_ptr())
    run = runner(library, target, machine.threads, 0, outside)(0, 1)

    def run_into() -> None:
        run()
        assert bool(out.isfinite().all())

    return run_into, 2.0 * out.numel() * len(sums) * TURNS


def _seconds(run: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return timing(taken[1:]).low


def bounds(case: str, rates: Rates) -> dict[str, float]:
    """The work of a case's training step, and the three bounds in seconds."""
    network, batch, side = CASES[case]
    step = training_program(network.ours(), batch, side, "native")
    steps = step.steps()
    flops = sum(s.executed for s in steps)
    fed = sum(spec.nbytes for spec in step.inputs.values())
    weights = sum(t.value.spec.nbytes for t in network.ours().trainable())
    once = fed + 2 * weights  # weights are read and written
    arithmetic = flops / rates.flops
    apart = (max(s.executed / rates.flops, s.moved / rates.bytes) for s in steps)
    return {
        "flops": flops,
        "bytes, fused": once,
        "bytes, step by step": sum(s.moved for s in steps),
        "arithmetic": arithmetic,
        "fused": max(arithmetic, once / rates.bytes),
        "step by step": math.fsum(apart),
    }


def main() -> None:
    """Measure the machine, print the bounds of every training step, write ``roofline.json``."""
    parser = options(__doc__, rounds=20)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    counts = sorted({1, os.cpu_count() or 1})
    rates = {threads: measure(threads, chosen.rounds) for threads in counts}
    table = Table("threads", "GFLOP/s in registers", "of a matrix product", "GB/s of a copy")
    for threads, rate in rates.items():
        table.add_row(str(threads), *(f"{value / 1e9:.0f}" for value in rate))
    Console().print(table)
    found = {case: bounds(case, rates[counts[-1]]) for case in CASES}
    table = Table("training step", "GFLOP", "arithmetic ms", "fused ms", "step by step ms")
    for case, row in found.items():
        times = [f"{1e3 * row[kind]:.2f}" for kind in ("arithmetic", "fused", "step by step")]
        table.add_row(case, f"{row['flops'] / 1e9:.2f}", *times)
    Console().print(table)
    content = {"rates": {t: r._asdict() for t, r in rates.items()}, "bounds": found}
    write(chosen.results, "roofline", content)


if __name__ == "__main__":
    main()
