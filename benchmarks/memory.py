"""Memory of a training step: ours beside PyTorch eager's, and what a smaller budget costs in time.

    python -m benchmarks.memory [--rounds 3] [--backend torch] [--points 10]

The peaks need no timing: ours is known before the first run, PyTorch's is that of its allocator.
Then the U-Net is compiled for ever smaller budgets, and each program is estimated and timed.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import LAYOUTS, UNET
from benchmarks.harness import interleaved, options, write
from benchmarks.ours import BACKENDS, LR, training_graph, training_program
from benchmarks.plots import plot_lines
from benchmarks.rivals import pytorch
from benchmarks.rivals.memory import peak_bytes
from benchmarks.training_step import CASES
from engine import BudgetError, Graph, Program, compile
from engine.planner import least_bytes_in_any_order
from graphs import SGD

MEGABYTE = 1e6
BATCH, SIDE = 4, 128


def peaks() -> dict[str, dict[str, dict[str, float]]]:
    """For each case and contestant the bytes of a training step.

    Ours holds the batch that it is fed; PyTorch's does not count it, as it lies outside of the
    step. Neither counts the parameters.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for case, (network, batch, side) in CASES.items():
        noisy, target = torch.rand(2, batch, 3, side, side)
        rivals = {}
        for layout, last in LAYOUTS:
            step = pytorch.training(
                network.torch, noisy, target, LR, channels_last=last, wrap=lambda net: net
            )
            rivals[f"PyTorch eager, {layout}"] = {"bytes": float(peak_bytes(step))}
        ours = {
            f"Blockwright, {backend}": _measures(
                training_program(network.ours(), batch, side, backend)
            )
            for backend in BACKENDS
        }
        least = min(row["bytes"] for row in rivals.values())
        found[case] = ours | rivals
        for row in found[case].values():
            row["ratio"] = row["bytes"] / least
    return found


def _measures(program: Program) -> dict[str, float]:
    in_any_order = least_bytes_in_any_order(program._runtime.plan)
    return {
        "bytes": program.peak_bytes,
        "placement": program.peak_bytes / program.least_bytes,
        "order": program.least_bytes / in_any_order,
    }


def curve(backend: str, points: int, rounds: int) -> list[dict[str, Any]]:
    """The U-Net's training step by budget, from no budget to the smallest."""
    graph = training_graph(UNET.ours())
    whole = _compiled(graph, backend, None)
    try:
        smallest = _compiled(graph, backend, 1).peak_bytes
    except BudgetError as error:
        smallest = error.smallest
    span = whole.peak_bytes - smallest
    budgets = [whole.peak_bytes - span * i // (points - 1) for i in range(points)]
    programs = {budget: _compiled(graph, backend, budget) for budget in budgets}
    noisy, target = torch.rand(2, BATCH, 3, SIDE, SIDE)
    seconds = interleaved(
        {str(b): lambda p=p: p.borrow(noisy=noisy, target=target) for b, p in programs.items()},
        rounds,
        warmup=1,
    )
    estimates = [program.estimated_seconds for program in programs.values()]
    if estimates != sorted(estimates):
        raise SystemExit("a smaller budget is estimated to be faster than a larger one")
    return [
        {
            "budget": budget,
            "peak": program.peak_bytes,
            "estimated": program.estimated_seconds,
            "measured": asdict(seconds[str(budget)]),
        }
        for budget, program in programs.items()
    ]


def _compiled(graph: Graph, backend: str, budget: int | None) -> Program:
    return compile(graph, minimize="loss", optimizer=SGD(LR), backend=backend, memory_budget=budget,
                   N=BATCH, H=SIDE, W=SIDE)  # fmt: skip


def show(cases: dict[str, dict[str, dict[str, float]]], points: list[dict[str, Any]]) -> None:
    """Both results as tables."""
    for case, rows in cases.items():
        table = Table("contestant", "MB", "ratio", "placement", "order", title=case)
        for name, row in rows.items():
            shown = [f"{row[key]:.3f}x" if key in row else "" for key in ("placement", "order")]
            table.add_row(name, f"{row['bytes'] / MEGABYTE:.1f}", f"{row['ratio']:.2f}x", *shown)
        Console().print(table)
    table = Table("budget MB", "peak MB", "estimated", "measured", title="U-Net by budget")
    first = points[0]
    for point in points:
        table.add_row(
            f"{point['budget'] / MEGABYTE:.1f}",
            f"{point['peak'] / MEGABYTE:.1f}",
            f"{point['estimated'] / first['estimated']:.3f}x",
            f"{point['measured']['median'] / first['measured']['median']:.3f}x",
        )
    Console().print(table)


def plot(path: Path, points: list[dict[str, Any]]) -> None:
    """Budget against time, both relative to the program without budget."""
    times = {
        "estimated": [point["estimated"] for point in points],
        "measured": [point["measured"]["median"] for point in points],
    }
    budgets = [point["budget"] / MEGABYTE for point in points]
    lines = {
        name: [(budget, value / values[0]) for budget, value in zip(budgets, values, strict=True)]
        for name, values in times.items()
    }
    plot_lines(path, lines, "budget in MB", "time of a step, without budget = 1")


def main() -> None:
    """Compare the peaks, follow the curve, print both, write JSON and plot."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--backend", default="native", choices=BACKENDS, help="of the curve")
    parser.add_argument("--points", type=int, default=10, help="of the curve")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    cases, points = peaks(), curve(chosen.backend, chosen.points, chosen.rounds)
    show(cases, points)
    content = {"peaks": cases, "backend": chosen.backend, "curve": points}
    write(chosen.results, "memory", content)
    plot(chosen.results / "memory.png", points)


if __name__ == "__main__":
    main()
