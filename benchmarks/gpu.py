"""All GPU benchmarks in one command.

    python -m benchmarks.gpu [--rounds 50] [--epochs 30] [--compute float32] [--batch 100]

First it checks that programs on CUDA compute what they should: the report's network is trained next
to PyTorch's in float64, weight by weight, and runs launched as a CUDA graph are compared with runs
step by step. Then it measures the memory against what was promised; a training step in each
precision, interleaved with PyTorch eager and ``torch.compile`` in max-autotune mode, whose weights
are compared after a step; and the report's whole schedule. Each case is printed and
``results/gpu.json`` rewritten as soon as it is known. What is wrong or fails is recorded, and the
exit status tells of it; the other cases go on.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_steps import (
    BASELINE,
    Wrong,
    apart,
    changes,
    check_graphs,
    check_training,
    contestants,
    program_for,
    random_images,
    require_near,
    training_graph,
)
from benchmarks.harness import Timing, interleaved, options, print_table, write
from benchmarks.plots import plot_bars
from engine.cuda import COMPUTE

BATCHES = (100, 4096)
PAIRS = 50_000


@dataclass(frozen=True)
class Figure:
    """A measured figure, and the most that it should be."""

    what: str
    value: float
    bar: float
    unit: str = "x"


def check_memory(compute: str, batch: int = 100) -> dict[str, int]:
    """Bytes promised, bytes that CUDA's allocator is asked for, and its allocations later on."""
    noisy, target = random_images(2 * batch, "cuda").split(batch)
    graph = training_graph(batch)
    # Run another program first: it moves the parameters, and libraries allocate what they keep.
    program_for(graph, "cuda", compute).borrow(noisy=noisy, target=target)
    program = program_for(graph, "cuda", compute)
    gc.collect()
    before = _counted("requested_bytes.all.current")
    program.borrow(noisy=noisy, target=target)
    program.borrow(noisy=noisy, target=target)
    allocated = _counted("requested_bytes.all.current") - before + program.pool_bytes
    steady = _counted("allocation.all.allocated")
    program.borrow(noisy=noisy, target=target)
    again = _counted("allocation.all.allocated") - steady
    promised = program.peak_bytes
    return {"promised": promised, "allocated": allocated, "allocations in later runs": again}


def _counted(what: str) -> int:
    return int(torch.cuda.memory_stats()[what])


def time_steps(batch: int, device: str, compute: str, rounds: int) -> dict[str, Timing]:
    """Time one training step of every contestant, after comparing their first changes of weights.

    Raises:
        Wrong: one changes its weights otherwise than PyTorch.
    """
    torch.compiler.reset()  # what was compiled for another batch would be made dynamic
    use_tf32 = compute == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = use_tf32
    # Also for PyTorch's convolutions, which otherwise round to TF32 by default.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=use_tf32):
        entered = contestants(batch, device, compute)
        changed = {name: changes(contestant) for name, contestant in entered.items()}
        for name, change in changed.items():
            require_near(name, compute, apart(change, changed[BASELINE]))
        steps = {name: contestant.step for name, contestant in entered.items()}
        return interleaved(steps, rounds, calls=max(5, min(20, 2000 // batch)), warmup=10)


def time_schedule(device: str, compute: str, epochs: int, pairs: int = PAIRS) -> float:
    """Seconds for the report's schedule: batches of 100 shuffled pairs, kept on the device."""
    noisy, target = random_images(pairs, device), random_images(pairs, device)
    program = program_for(training_graph(100), device, compute)
    for _ in range(3):  # compiles and records
        program.borrow(noisy=noisy[:100], target=target[:100])
    _wait(device)
    start = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(pairs, device=device)
        for some in order[: pairs // 100 * 100].split(100):
            loss = program.borrow(noisy=noisy[some], target=target[some])["loss"]
    _wait(device)
    seconds = time.perf_counter() - start
    if not bool(loss.isfinite()):
        raise Wrong(f"the schedule in {compute}: it ends with a loss of {float(loss)}")
    return seconds


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


@dataclass
class Results:
    """The results so far, rewritten to a folder whenever there is a new one.

    Attributes:
        folder: has ``gpu.json``, and a plot of the medians.
        apart: by precision, how far the changes of weights are from float64's.
        memory: by precision, see :func:`check_memory`.
        steps: the times of all contestants, by case.
        figures: what has a bar.
        failures: what was wrong or failed.
    """

    folder: Path
    apart: dict[str, float] = field(default_factory=dict)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    steps: dict[str, dict[str, Timing]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Try something that adds to the results; record if it fails, and write in any case."""
        try:
            yield
        except Exception as error:  # whatever it is, a machine may be lent only once
            self.failures.append(f"{what}: {type(error).__name__}: {error}")
            print(self.failures[-1], flush=True)
        self.write()

    def add_steps(self, batch: int, compute: str, timings: dict[str, Timing]) -> None:
        """Add and print a case's times, and their ratios to the better layout of each rival."""
        case = f"step of batch {batch}, {compute}"
        self.steps[case] = timings
        print_table(case, timings)
        for rival, bar in {"PyTorch eager": 0.3, "torch.compile": 0.8}.items():
            best = min(t.median for name, t in timings.items() if name.startswith(rival))
            ratio = timings["Blockwright"].median / best
            self.figures.append(
                Figure(f"{case}, to {rival}", ratio, bar if batch == BATCHES[0] else 1.0)
            )

    def print(self) -> None:
        """Print every figure next to its target, and what failed."""
        table = Table("what", "measured", "bar", "")
        for f in self.figures:
            met = "met" if f.value <= f.bar else "missed"
            table.add_row(f.what, f"{f.value:.2f} {f.unit}", f"{f.bar:g} {f.unit}", met)
        Console().print(table)
        print(*self.failures, sep="\n")

    def write(self) -> None:
        """Write ``gpu.json``, and the plot beside it."""
        known = {name: value for name, value in asdict(self).items() if name != "folder"}
        write(self.folder, "gpu", {"cuda": torch.version.cuda, **known})
        if self.steps:
            milliseconds = {
                case: {name: 1e3 * timing.median for name, timing in timings.items()}
                for case, timings in self.steps.items()
            }
            plot_bars(self.folder / "gpu.png", milliseconds)


def check(results: Results, device: str, compute: str) -> None:
    """Check a precision: that it trains as float64 does, and that a graph is its steps."""
    with results.attempt(f"training in {compute}"):
        results.apart[compute] = check_training(device, compute)
        require_near("Blockwright beside float64", compute, results.apart[compute])
    with results.attempt(f"graphs in {compute}"):
        check_graphs(device, compute)


def main() -> None:
    """Check, measure, print, write: all of the smaller batch first."""
    parser = options(__doc__, rounds=50)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--compute", nargs="+", default=COMPUTE, choices=COMPUTE)
    parser.add_argument("--batch", nargs="+", type=int, default=BATCHES)
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks.gpu measures on a CUDA device, and torch finds none")
    results = Results(chosen.results)
    for compute in chosen.compute:
        check(results, "cuda", compute)
    for batch in chosen.batch:
        for compute in chosen.compute:
            with results.attempt(f"batch {batch} in {compute}"):
                results.add_steps(batch, compute, time_steps(batch, "cuda", compute, chosen.rounds))
        if batch != chosen.batch[0]:
            continue
        for compute in chosen.compute:
            with results.attempt(f"memory in {compute}"):
                results.memory[compute] = check_memory(compute)
            with results.attempt(f"the schedule in {compute}"):
                seconds = time_schedule("cuda", compute, chosen.epochs)
                what = f"{chosen.epochs} epochs of {PAIRS} pairs, {compute}"
                results.figures.append(Figure(what, seconds, 10 * chosen.epochs / 30, "s"))
    results.print()
    if results.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
