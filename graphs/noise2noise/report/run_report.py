"""The report of a run, made from its folder and from the pictures that its configuration names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine import Graph
from graphs.builder import GraphBuilder
from graphs.module import Module
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.networks import Architecture, Loaded, load_network
from graphs.noise2noise.report.charts import Curve
from graphs.noise2noise.report.contents import RunReport
from graphs.noise2noise.report.page import write_report
from graphs.noise2noise.report.pictures import RunPictures, run_pictures
from graphs.noise2noise.report.work import training_work
from graphs.noise2noise.restoring import Restorer
from graphs.noise2noise.training.configuration import Configuration, Settled
from graphs.noise2noise.training.names import to_utf8
from graphs.noise2noise.training.run_folder import RunFolder, read_metrics


def write_run_report(folder: RunFolder) -> RunReport:
    """Write ``report.html`` into a run's folder; returns its contents.

    Raises:
        InputError: it is not a run's folder, its pictures can no longer be read, or the page cannot
            be written.
    """
    report = run_report(folder)
    write_report(folder.report, report)
    return report


def run_report(folder: RunFolder) -> RunReport:
    """The contents of a run's report.

    Raises:
        InputError: it is not a run's folder, or its pictures can no longer be read.
    """
    if not folder.config.is_file():
        raise InputError(f"there is no run in {folder.path}: it has no config.toml")
    settings = Configuration.settings_in(folder.config)
    c = Configuration.from_mapping(settings, f"{folder.config}: ").settled()
    metrics = read_metrics(folder.metrics) if folder.metrics.is_file() else []
    loaded = load_network(folder.path)
    restore = Restorer(loaded.network, loaded.architecture.channels)
    pictures = run_pictures(c, restore)
    return RunReport(
        title=to_utf8(folder.path.resolve().name),
        summary=list(_summary(c, metrics, loaded, pictures)),
        comparisons=pictures.comparisons,
        losses=[
            _curve("training", metrics, "loss"),
            _curve("held out", metrics, "validation_loss"),
        ],
        qualities=[_curve("estimated PSNR", metrics, "estimated_psnr")],
        graph=_network_graph(loaded.network, loaded.architecture, c.crop),
        work=training_work(c, loaded.architecture, pictures.kind),
        command=_text(folder.command).strip(),
        environment=_mapping(folder.environment),
        configuration=_text(folder.config),
        data=_mapping(folder.data).get("files", {}),
        quality=pictures.quality,
    )


def _summary(
    c: Settled, metrics: list[dict[str, Any]], loaded: Loaded, pictures: RunPictures
) -> Iterator[tuple[str, str]]:
    if pictures.quality is not None:
        found = pictures.quality
        yield "estimated PSNR", f"{found.psnr:.2f} dB"
        yield f"{found.level:.0%} interval", f"{found.low:.2f} to {found.high:.2f} dB"
    if pictures.noisy is not None:
        yield "of the noisy pictures", f"{pictures.noisy.psnr:.2f} dB"
    if metrics:
        scored = [row for row in metrics if row["validation_loss"] is not None]
        best = min(scored, key=lambda row: row["validation_loss"])["step"] if scored else None
        yield "steps", f"{metrics[-1]['step']:,}"
        if best is not None:
            yield "best after", f"{best:,} steps"
        yield "trained for", _duration(metrics[-1]["seconds"])
    a = loaded.architecture
    yield "network", f"{a.network}, {a.width} wide"
    yield "weights", f"{sum(value.numel() for value in loaded.network.state().values()):,}"
    if c.noise is not None:
        yield "noise put on", c.noise


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _curve(name: str, metrics: list[dict[str, Any]], column: str) -> Curve:
    points = [(row["step"], row[column]) for row in metrics if row[column] is not None]
    return Curve(name, points)


def _network_graph(net: Module, architecture: Architecture, size: int) -> Graph:
    g = GraphBuilder("network")
    graph = g.build(clean=net(g.input("noisy", ("N", architecture.channels, "H", "W"))))
    return graph.bind({"N": 1, "H": size, "W": size})


def _text(path: Path) -> str:
    """A file's text for display, with damaged characters replaced; empty if there is no file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _mapping(path: Path) -> Mapping[str, Any]:
    """A JSON file's object; empty if it is missing or not a JSON object."""
    try:
        value = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
