"""What a smaller memory budget costs in time: one training step of the paper's U-Net.

    python -m benchmarks.memory_budget [--rounds 3] [--backend torch] [--points 10]

The step is compiled for budgets from what it needs down to the smallest that can be met. The time
of each program is estimated by the engine's cost rule, which never estimates a smaller budget to
be faster, and measured. Beside it runs ``torch.compile`` with several values of its own option,
``activation_memory_budget``, a share of the activations. Its peak is what its allocator counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import UNET
from benchmarks.harness import interleaved, options, write
from benchmarks.ours import BACKENDS, LR, training_graph
from benchmarks.plots import plot_lines
from benchmarks.rivals.memory import peak_bytes
from benchmarks.rivals.pytorch import training_within
from engine import BudgetError, Graph, Program, compile
from engine.planner import least_bytes_in_any_order
from graphs import SGD

BATCH, SIDE = 4, 128
SHARES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
"""Values of torch.compile's option."""

Point = dict[str, Any]


def curves(backend: str, points: int, rounds: int) -> tuple[list[Point], list[Point]]:
    """Our curve and torch.compile's.

    Ours: budget, peak, its lower bounds, and times relative to those without a budget.
    torch.compile's: share, peak, and times relative to those with share 1.
    """
    graph = training_graph(UNET.ours())
    highest = _program(graph, backend, None).peak_bytes
    lowest = _smallest_budget(graph, backend)
    budgets = [highest - (highest - lowest) * i // (points - 1) for i in range(points)]
    programs = {budget: _program(graph, backend, budget) for budget in budgets}
    noisy, target = torch.rand(2, BATCH, 3, SIDE, SIDE)
    rivals = {share: training_within(share, UNET.torch, noisy, target, LR) for share in SHARES}
    peaks = {share: peak_bytes(step) for share, step in rivals.items()}
    contestants: dict[str, Callable[[], object]] = {
        str(b): lambda p=p: p.borrow(noisy=noisy, target=target) for b, p in programs.items()
    }
    contestants |= {f"share {share}": step for share, step in rivals.items()}
    seconds = interleaved(contestants, rounds, warmup=1)
    first = programs[highest].estimated_seconds
    ours = [
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
    whole = seconds["share 1.0"].median
    theirs = [
        {
            "share": share,
            "peak": peaks[share],
            "measured": seconds[f"share {share}"].median / whole,
            "seconds": asdict(seconds[f"share {share}"]),
        }
        for share in SHARES
    ]
    return ours, theirs


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
    points, rival = curves(chosen.backend, chosen.points, chosen.rounds)
    require_monotone(points)
    table = Table("budget MB", "peak MB", "estimated", "measured", title="U-Net, training step")
    for point in points:
        megabytes = [f"{point[key] / 1e6:.1f}" for key in ("budget", "peak")]
        times = [f"{point[key]:.3f}x" for key in ("estimated", "measured")]
        table.add_row(*megabytes, *times)
    Console().print(table)
    table = Table("share", "peak MB", "measured", title="torch.compile, by its own option")
    for point in rival:
        share, peak = f"{point['share']:.1f}", f"{point['peak'] / 1e6:.1f}"
        table.add_row(share, peak, f"{point['measured']:.3f}x")
    Console().print(table)
    results = {"backend": chosen.backend, "curve": points, "torch.compile": rival}
    write(chosen.results, "memory_budget", results)
    lines = {
        f"Blockwright, {chosen.backend}": [_shown(point) for point in points],
        "torch.compile": [_shown(point) for point in rival],
    }
    path = chosen.results / "memory_budget.png"
    plot_lines(path, lines, "peak in MB", "milliseconds for a step")


def _shown(point: Point) -> tuple[float, float]:
    return point["peak"] / 1e6, 1e3 * point["seconds"]["median"]


if __name__ == "__main__":
    main()
