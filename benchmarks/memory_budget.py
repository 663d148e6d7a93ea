"""What a smaller memory budget costs in time: one training step of the paper's U-Net.

    python -m benchmarks.memory_budget [--rounds 3] [--backend torch] [--points 10]

The step is compiled for budgets from what it needs down to the smallest that can be met. The time
of each program is estimated by the engine's cost rule, which never estimates a smaller budget to
be faster, and measured. Beside it runs ``torch.compile`` with several values of its own option,
``activation_memory_budget``, a share of the activations. Its peak is what its allocator counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import UNET
from benchmarks.harness import interleaved, options, write
from benchmarks.ours import BACKENDS, LR, training_graph
from benchmarks.plots import plot_lines
from benchmarks.rivals import pytorch
from benchmarks.rivals.memory import peak_bytes
from engine import BudgetError, Graph, Program, compile
from engine.planner import least_bytes_in_any_order
from graphs import SGD

BATCH, SIDE = 4, 128
RIVAL = "torch.compile"
SHARES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
"""Values of the rival's option."""

Point = dict[str, Any]
Steps = dict[tuple[str, float], Callable[[], object]]
"""A step for each curve and each budget or share."""


def curves(backends: Sequence[str], points: int, rounds: int) -> dict[str, list[Point]]:
    """For each backend, and for torch.compile, what is known of every budget or share."""
    noisy, target = torch.rand(2, BATCH, 3, SIDE, SIDE)
    programs = {
        (backend, budget): program
        for backend in backends
        for budget, program in _programs(backend, points).items()
    }
    make = partial(pytorch.training, UNET.torch, noisy, target, LR, channels_last=True)
    rivals = {(RIVAL, share): make(wrap=pytorch.keeping(share)) for share in SHARES}
    known = {key: _planned(key[1], program) for key, program in programs.items()}
    known |= {key: {"share": key[1], "peak": peak_bytes(step)} for key, step in rivals.items()}
    steps: Steps = {
        key: lambda run=program.borrow: run(noisy=noisy, target=target)
        for key, program in programs.items()
    }
    seconds = interleaved(steps | rivals, rounds, warmup=1)
    return {
        name: [
            point | {"seconds": asdict(seconds[key])}
            for key, point in known.items()
            if key[0] == name
        ]
        for name in (*backends, RIVAL)
    }


def _programs(backend: str, points: int) -> dict[int, Program]:
    """Programs by budget, from what the step needs down to the smallest that can be met."""
    graph = training_graph(UNET.ours())
    highest = _program(graph, backend, None).peak_bytes
    lowest = _smallest_budget(graph, backend)
    budgets = [highest - (highest - lowest) * i // (points - 1) for i in range(points)]
    return {budget: _program(graph, backend, budget) for budget in budgets}


def _planned(budget: int, program: Program) -> Point:
    return {
        "budget": budget,
        "peak": program.peak_bytes,
        "least in this order": program.least_bytes,
        "least in any order": least_bytes_in_any_order(program._runtime.plan),
        "estimated seconds": program.estimated_seconds,
    }


def _smallest_budget(graph: Graph, backend: str) -> int:
    try:
        return _program(graph, backend, 1).peak_bytes
    except BudgetError as error:
        return error.smallest


def _program(graph: Graph, backend: str, budget: int | None) -> Program:
    sizes = {"N": BATCH, "H": SIDE, "W": SIDE}
    return compile(graph, minimize="loss", optimizer=SGD(LR), backend=backend,
                   memory_budget=budget, **sizes)  # fmt: skip


def require_monotone(points: list[Point]) -> None:
    """Check that no smaller budget is estimated to be faster."""
    estimates = [point["estimated seconds"] for point in points]
    if estimates != sorted(estimates):
        raise SystemExit(f"a smaller budget is estimated to be faster: {estimates}")


def main() -> None:
    """Measure the curves, check and print them, write ``memory_budget.json`` and the plot."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--backend", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--points", type=int, default=10)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    found = curves(chosen.backend, chosen.points, chosen.rounds)
    for backend in chosen.backend:
        require_monotone(found[backend])
    for name, points in found.items():
        table = Table("budget or share", "peak MB", "milliseconds", title=f"U-Net, {name}")
        for point in points:
            given = f"{point['budget'] / 1e6:.1f} MB" if "budget" in point else f"{point['share']}"
            table.add_row(given, *(f"{number:.1f}" for number in _shown(point)))
        Console().print(table)
    write(chosen.results, "memory_budget", {"curves": found})
    lines = {
        name if name == RIVAL else f"Blockwright, {name}": [_shown(point) for point in points]
        for name, points in found.items()
    }
    path = chosen.results / "memory_budget.png"
    plot_lines(path, lines, "peak in MB", "milliseconds for a step")


def _shown(point: Point) -> tuple[float, float]:
    return point["peak"] / 1e6, 1e3 * point["seconds"]["median"]


if __name__ == "__main__":
    main()
