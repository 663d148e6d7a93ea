"""Timing side by side, and what becomes of the figures: a table, a JSON file, a plot."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from rich.console import Console
from rich.table import Table

mpl.use("Agg")
from matplotlib import pyplot as plt

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one contestant: median and quartiles over the rounds."""

    median: float
    low: float
    high: float


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 3
) -> dict[str, Timing]:
    """Time contestants in turn, round by round, so that the machine's drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for i in range(warmup + rounds):
        for name, run in contestants.items():
            _synchronize()
            start = time.perf_counter()
            run()
            _synchronize()
            if i >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return {name: _timing(values) for name, values in seconds.items()}


def _timing(values: list[float]) -> Timing:
    low, median, high = statistics.quantiles(values, n=4)
    return Timing(median, low, high)


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def print_table(title: str, timings: Mapping[str, Timing], baseline: str) -> None:
    """A row per contestant with its ratio to the baseline."""
    table = Table("contestant", "median ms", "quartiles", f"x {baseline}", title=title)
    for name, timing in sorted(timings.items(), key=lambda item: item[1].median):
        table.add_row(
            name,
            f"{1e3 * timing.median:.2f}",
            f"{1e3 * timing.low:.2f} - {1e3 * timing.high:.2f}",
            f"{timing.median / timings[baseline].median:.2f}",
        )
    Console().print(table)


def write(name: str, command: str, results: Mapping[str, Mapping[str, Timing]]) -> None:
    """Write ``results/<name>.json`` and a plot of the medians beside it."""
    RESULTS.mkdir(exist_ok=True)
    content = {
        "command": command,
        "machine": machine(),
        "seconds": {
            case: {contestant: asdict(timing) for contestant, timing in timings.items()}
            for case, timings in results.items()
        },
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    _plot(RESULTS / f"{name}.png", results)


def _plot(path: Path, results: Mapping[str, Mapping[str, Timing]]) -> None:
    figure, axes = plt.subplots(
        1, len(results), figsize=(5 * len(results), 3.2), squeeze=False, layout="constrained"
    )
    for axis, (case, timings) in zip(axes[0], results.items(), strict=True):
        ordered = sorted(timings.items(), key=lambda item: -item[1].median)
        names = [contestant for contestant, _ in ordered]
        medians = [1e3 * timing.median for _, timing in ordered]
        colors = ["#d1495b" if "Blockwright" in contestant else "#8d99ae" for contestant in names]
        axis.barh(names, medians, color=colors)
        axis.bar_label(axis.containers[0], fmt="%.1f", padding=3)
        axis.set(title=case, xlabel="milliseconds per step")
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.15)
    figure.savefig(path, dpi=120)
    plt.close(figure)
