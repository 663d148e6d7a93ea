"""All GPU benchmarks in one command.

    python -m benchmarks.gpu [--rounds 50] [--epochs 30] [--compute float32] [--batch 100]

First it checks that programs on CUDA compute what they should: the report's network is trained next
to PyTorch's in float64, and runs launched as a CUDA graph are compared with runs step by step. Then
it measures the memory against what was promised; a training step in each precision, interleaved
with PyTorch eager and ``torch.compile`` in max-autotune mode, all checked to have the same loss;
and the report's whole schedule. Each figure is printed next to its target, and ``results/gpu.json``
is rewritten after each case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.harness import Timing, interleaved, options, print_table, write
from benchmarks.plots import plot_bars
from benchmarks.rivals.pytorch import torch_network
from engine import Graph, Program, compile
from engine.cuda import COMPUTE
from graphs import SGD, GraphBuilder
from graphs.architectures import report_network
from ops import mse

LR = 0.1
SIDE = 32
BATCHES = (100, 4096)
PAIRS = 50_000
TOLERANCES = {"float32": 1e-5, "tf32": 1e-3, "bfloat16": 1e-2}
"""The largest relative difference allowed between losses."""

Step = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Figure:
    """A measured figure, and the most that it should be."""

    what: str
    value: float
    bar: float
    unit: str = "x"


def training_graph(batch: int) -> Graph:
    """The loss of the report's network, from the weights of seed 0."""
    torch.manual_seed(0)
    g = GraphBuilder("report")
    noisy, target = (g.input(name, (batch, 3, SIDE, SIDE)) for name in ("noisy", "target"))
    return g.build(loss=mse(report_network().build(noisy), target))


def ours(graph: Graph, device: str, compute: str) -> Program:
    """The training step as one program."""
    return compile(graph, minimize="loss", optimizer=SGD(LR), device=device, compute=compute)


def pytorch(
    noisy: torch.Tensor, target: torch.Tensor, compute: str, wrap: Callable[..., Any], layout: Any
) -> Step:
    """The same in PyTorch; bfloat16 by autocast, which keeps weights and loss in float32."""
    torch.manual_seed(0)
    network = torch_network().to(noisy.device, noisy.dtype).to(memory_format=layout)  # type: ignore[call-overload]
    noisy, target = (images.contiguous(memory_format=layout) for images in (noisy, target))
    optimizer = torch.optim.SGD(network.parameters(), lr=LR)
    half: Callable[[], AbstractContextManager[object]] = nullcontext
    if compute == "bfloat16":
        half = partial(torch.autocast, noisy.device.type, torch.bfloat16)

    def loss_of(images: torch.Tensor) -> torch.Tensor:
        with half():
            clean = network(images)
        return nn.functional.mse_loss(clean.float() if compute == "bfloat16" else clean, target)

    run = wrap(loss_of)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = run(noisy)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def random_images(count: int, device: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random images, the same for the same count on every device."""
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, 3, SIDE, SIDE, generator=generator).to(device, dtype)


def check_training(device: str, compute: str, batch: int = 20, steps: int = 10) -> float:
    """Train next to PyTorch in float64 on the CPU; return the largest relative difference in loss.

    The first run goes step by step, the second is recorded, later ones are launched as a graph.
    """
    noisy, target = random_images(2 * batch, "cpu").split(batch)
    right = pytorch(noisy.double(), target.double(), "float32", _eager, torch.contiguous_format)
    program = ours(training_graph(batch), device, compute)
    feeds = {"noisy": noisy.to(device), "target": target.to(device)}
    apart = 0.0
    for _ in range(steps):
        expected = float(right())
        apart = max(apart, abs(float(program(**feeds)["loss"]) - expected) / expected)
    return apart


def check_graphs(device: str, compute: str, batch: int = 20, steps: int = 5) -> bool:
    """Whether runs launched as a graph and runs step by step have bitwise equal losses."""
    launched, stepwise = (ours(training_graph(batch), device, compute) for _ in range(2))
    for i in range(steps):
        noisy, target = random_images(2 * (batch + i), device)[: 2 * batch].split(batch)
        feeds = {"noisy": noisy, "target": target}
        if not torch.equal(launched(**feeds)["loss"], stepwise.profile(**feeds)["loss"]):
            return False
    return True


def check_memory(compute: str, batch: int = 100) -> dict[str, int]:
    """Bytes promised, bytes that CUDA's allocator counts, and its allocations in later runs."""
    noisy, target = random_images(2 * batch, "cuda").split(batch)
    graph = training_graph(batch)
    # Run another program first: it moves the parameters, and libraries allocate what they keep.
    ours(graph, "cuda", compute).borrow(noisy=noisy, target=target)
    program = ours(graph, "cuda", compute)
    before = torch.cuda.memory_allocated()
    program.borrow(noisy=noisy, target=target)
    program.borrow(noisy=noisy, target=target)
    allocated = torch.cuda.memory_allocated() - before + program.pool_bytes
    steady = torch.cuda.memory_stats()["allocation.all.allocated"]
    program.borrow(noisy=noisy, target=target)
    again = torch.cuda.memory_stats()["allocation.all.allocated"] - steady
    promised = program.peak_bytes
    return {"promised": promised, "allocated": allocated, "allocations in later runs": again}


def check(device: str, computes: Sequence[str]) -> dict[str, float]:
    """Check every precision; exit if a result is wrong."""
    result = {}
    for compute in computes:
        result[compute] = check_training(device, compute)
        if not result[compute] <= TOLERANCES[compute]:
            raise SystemExit(f"wrong in {compute}: losses are {result[compute]:.1e} from float64's")
        if not check_graphs(device, compute):
            raise SystemExit(f"wrong in {compute}: a graph gives other losses than its steps")
    return result


def contestants(batch: int, device: str, compute: str) -> dict[str, Step]:
    """Every contestant of one training step; ``torch.compile`` chooses layouts itself."""
    noisy, target = random_images(2 * batch, device).split(batch)
    program = ours(training_graph(batch), device, compute)
    make = partial(pytorch, noisy, target, compute)
    return {
        "Blockwright": lambda: program.borrow(noisy=noisy, target=target)["loss"],
        "PyTorch eager, channels-last": make(_eager, torch.channels_last),
        "PyTorch eager, NCHW": make(_eager, torch.contiguous_format),
        "torch.compile, max-autotune": make(
            partial(torch.compile, mode="max-autotune"), torch.channels_last
        ),
    }


def _eager(loss: Step) -> Step:
    return loss


def time_steps(batch: int, device: str, compute: str, rounds: int) -> dict[str, Timing]:
    """Time one training step of every contestant, after checking its loss."""
    use_tf32 = compute == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = use_tf32
    # Also for PyTorch's convolutions, which otherwise round to TF32 by default.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=use_tf32):
        steps = contestants(batch, device, compute)
        losses = {name: float(step()) for name, step in steps.items()}
        expected = losses["PyTorch eager, NCHW"]
        for name, loss in losses.items():
            if not abs(loss - expected) <= TOLERANCES[compute] * expected:
                raise SystemExit(
                    f"wrong in {compute}: {name} has loss {loss}, PyTorch has {expected}"
                )
        return interleaved(steps, rounds, calls=5, warmup=10)


def time_schedule(device: str, compute: str, epochs: int, pairs: int = PAIRS) -> float:
    """Seconds for the report's schedule: batches of 100 shuffled pairs, kept on the device."""
    noisy, target = random_images(pairs, device), random_images(pairs, device)
    program = ours(training_graph(100), device, compute)
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
        raise SystemExit(f"wrong in {compute}: the schedule ends with a loss of {float(loss)}")
    return seconds


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


@dataclass
class Results:
    """The results so far."""

    losses_apart: dict[str, float] = field(default_factory=dict)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    steps: dict[str, dict[str, Timing]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)

    def add_steps(self, batch: int, compute: str, timings: dict[str, Timing]) -> None:
        """Add the times of a case, and their ratios to the better layout of each rival."""
        case = f"step of batch {batch}, {compute}"
        self.steps[case] = timings
        for rival, bar in {"PyTorch eager": 0.3, "torch.compile": 0.8}.items():
            best = min(t.median for name, t in timings.items() if name.startswith(rival))
            ratio = timings["Blockwright"].median / best
            self.figures.append(
                Figure(f"{case}, to {rival}", ratio, bar if batch == BATCHES[0] else 1.0)
            )

    def print(self) -> None:
        """Print every step's time, then every figure next to its target."""
        for case, timings in self.steps.items():
            print_table(case, timings)
        table = Table("what", "measured", "bar", "")
        for f in self.figures:
            met = "met" if f.value <= f.bar else "missed"
            table.add_row(f.what, f"{f.value:.2f} {f.unit}", f"{f.bar:g} {f.unit}", met)
        Console().print(table)

    def write(self, folder: Path) -> None:
        """Write ``gpu.json``, and a plot of the medians beside it."""
        write(folder, "gpu", {"cuda": torch.version.cuda, **asdict(self)})
        milliseconds = {
            case: {name: 1e3 * timing.median for name, timing in timings.items()}
            for case, timings in self.steps.items()
        }
        plot_bars(folder / "gpu.png", milliseconds)


def main() -> None:
    """Check, measure, print, write."""
    parser = options(__doc__, rounds=50)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--compute", nargs="+", default=COMPUTE, choices=COMPUTE)
    parser.add_argument("--batch", nargs="+", type=int, default=BATCHES)
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks.gpu measures on a CUDA device, and torch finds none")
    results = Results(check("cuda", chosen.compute))
    for compute in chosen.compute:
        results.memory[compute] = check_memory(compute)
        for batch in chosen.batch:
            timings = time_steps(batch, "cuda", compute, chosen.rounds)
            results.add_steps(batch, compute, timings)
            results.write(chosen.results)
        seconds = time_schedule("cuda", compute, chosen.epochs)
        what = f"{chosen.epochs} epochs of {PAIRS} pairs, {compute}"
        results.figures.append(Figure(what, seconds, 10 * chosen.epochs / 30, "s"))
        results.write(chosen.results)
    results.print()


if __name__ == "__main__":
    main()
