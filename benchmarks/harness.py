"""Side-by-side timing, and output of the figures as a table, a JSON file and a plot."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.plots import plot_bars

RESULTS = Path(__file__).parent / "results"
PAUSE = 0.02
"""Seconds between turns, in which threads still spinning for work go to sleep. There is none on a
GPU, which would slow down its clock."""


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one contestant: median and quartiles over the rounds."""

    median: float
    low: float
    high: float


Timings = Mapping[str, Timing]


def options(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=_several, default=rounds, help="3 to see that it works")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    return parser


def _several(text: str) -> int:
    rounds = int(text)
    if rounds < 2:
        raise argparse.ArgumentTypeError("quartiles need at least 2 rounds")
    return rounds


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1, warmup: int = 3
) -> dict[str, Timing]:
    """Time contestants in turn, round by round, so that drift of the machine affects all alike.

    The order changes from round to round, so that no contestant always follows the same other one,
    whose threads may still be spinning. Each turn begins with a call that is not timed.

    Args:
        contestants: the functions to call, by name.
        rounds: how many turns each gets.
        calls: how many calls a turn times, for calls too short to time one by one.
        warmup: how many rounds to run first without counting them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    shuffled = random.Random(0)
    for i in range(warmup + rounds):
        for name in shuffled.sample(list(contestants), len(contestants)):
            run = contestants[name]
            if not torch.cuda.is_available():
                time.sleep(PAUSE)
            run()
            taken = _turn(run, calls)
            if i >= warmup:
                seconds[name].append(taken)
    return {name: timing(values) for name, values in seconds.items()}


def _turn(run: Callable[[], object], calls: int) -> float:
    _synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        run()
    _synchronize()
    return (time.perf_counter() - start) / calls


def timing(seconds: list[float]) -> Timing:
    """Median and quartiles of several measurements."""
    low, median, high = statistics.quantiles(seconds, n=4)
    return Timing(median, low, high)


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def best_of_pytorch(timings: Timings) -> str:
    """The fastest of PyTorch eager and torch.compile in either layout, the baseline of ratios."""
    rivals = [name for name in timings if name.startswith(("PyTorch", "torch.compile"))]
    return min(rivals, key=lambda name: timings[name].median)


def machine() -> dict[str, Any]:
    """The machine and the versions of libraries that the figures were measured with."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "python": platform.python_version(),
    } | {name: _version(name) for name in ("jax", "onnxruntime")}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def print_table(title: str, timings: Timings) -> None:
    """A row per contestant, the fastest first, with its ratio to the best of PyTorch."""
    best = best_of_pytorch(timings)
    table = Table("contestant", "median ms", "quartiles", "ratio", title=title)
    for name, value in sorted(timings.items(), key=lambda item: item[1].median):
        table.add_row(
            name,
            f"{1e3 * value.median:.3f}",
            f"{1e3 * value.low:.3f} - {1e3 * value.high:.3f}",
            f"{value.median / timings[best].median:.2f}x",
        )
    Console().print(table)


def write_timings(folder: Path, name: str, results: Mapping[str, Timings]) -> None:
    """Write the timings of every case as JSON, and a plot of the medians beside it."""
    cases = {}
    for case, timings in results.items():
        best = best_of_pytorch(timings)
        cases[case] = {
            contestant: asdict(value) | {"ratio": value.median / timings[best].median}
            for contestant, value in timings.items()
        }
    write(folder, name, {"seconds": cases})
    plot_bars(folder / f"{name}.png", {c: _milliseconds(t) for c, t in results.items()})


def _milliseconds(timings: Timings) -> dict[str, float]:
    return {name: 1e3 * value.median for name, value in timings.items()}


def command_line() -> str:
    """The command that is running, without the options that say where its output goes."""
    arguments = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in ("--results", "--runs"):
        arguments.add_argument(option)
    _, telling = arguments.parse_known_args(sys.argv[1:])
    return " ".join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *telling])


def write(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """Write ``<folder>/<name>.json``: the command, the machine, the content."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"command": command_line(), "machine": machine(), **content}
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=2) + "\n")
