"""What a smaller memory budget costs in time: one training step of the paper's U-Net.

    python -m benchmarks.memory_budget [--rounds 3] [--backend torch] [--points 10]

The step is compiled for budgets from what it needs down to the smallest that can be met. The time
of each program is estimated by the engine's cost rule, which never estimates a smaller budget to
be faster, and measured.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import UNET
from benchmarks.harness import interleaved, options, write
from benchmarks.ours import BACKENDS, LR, training_graph
from benchmarks.plots import plot_lines
from engine import BudgetError, Graph, Program, compile
from engine.planner import least_bytes_in_any_order
from graphs import SGD

BATCH, SIDE = 4, 128

Point = dict[str, Any]


def curve(backend: str, points: int, rounds: int) -> list[Point]:
    """Budget, peak, its lower bounds, and times relative to those without a budget."""
    graph = training_graph(UNET.ours())
    highest = _program(graph, backend, None).peak_bytes
    lowest = _smallest_budget(graph, backend)
    budgets = [highest - (highest - lowest) * i // (points - 1) for i in range(points)]
    programs = {budget: _program(graph, backend, budget) for budget in budgets}
    images = dict(zip(("noisy", "target"), torch.rand(2, BATCH, 3, SIDE, SIDE), strict=True))
    contestants = {str(b): lambda p=p: p.borrow(**images) for b, p in programs.items()}
    seconds = interleaved(contestants, rounds, warmup=1)
    first = programs[highest].estimated_seconds
    return [
        {
            "budget": budget,
            "peak": program.peak_bytes,
            "least in this order": program.least_bytes,
            "least in any order": least_bytes_in_any_order(program._runtime.plan),
            "estimated": program.estimated_seconds / first,
            "measured": seconds[str(budget)].median / seconds[str(highest)].median,
            "seconds": asdict(seconds[str(budget)]),
        }
        for budget, program in programs.items()
    ]


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
    estimates = [point["estimated"] for point in points]
    if estimates != sorted(estimates):
        raise SystemExit(f"a smaller budget is estimated to be faster: {estimates}")


def main() -> None:
    """Measure the curve, check and print it, write ``memory_budget.json`` and the plot."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--backend", default="native", choices=BACKENDS)
    parser.add_argument("--points", type=int, default=10)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    points = curve(chosen.backend, chosen.points, chosen.rounds)
    require_monotone(points)
    table = Table("budget MB", "peak MB", "estimated", "measured", title="U-Net, training step")
    for point in points:
        megabytes = [f"{point[key] / 1e6:.1f}" for key in ("budget", "peak")]
        times = [f"{point[key]:.3f}x" for key in ("estimated", "measured")]
        table.add_row(*megabytes, *times)
    Console().print(table)
    write(chosen.results, "memory_budget", {"backend": chosen.backend, "curve": points})
    lines = {
        key: [(point["budget"] / 1e6, point[key]) for point in points]
        for key in ("estimated", "measured")
    }
    plot_lines(
        chosen.results / "memory_budget.png", lines, "budget in MB", "time, 1 without a budget"
    )


if __name__ == "__main__":
    main()
