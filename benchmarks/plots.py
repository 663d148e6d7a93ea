"""Plots of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

OURS, OTHERS = "#d1495b", "#8d99ae"


def plot_bars(
    path: Path, cases: Mapping[str, Mapping[str, float]], unit: str = "milliseconds"
) -> None:
    """Plot a bar for every contestant's value, with a panel per case and the smallest on top."""
    most = max(map(len, cases.values()))
    figure, panels = plt.subplots(
        1,
        len(cases),
        figsize=(5 * len(cases), 1 + 0.32 * most),
        squeeze=False,
        layout="constrained",
    )
    for panel, (case, values) in zip(panels[0], cases.items(), strict=True):
        ordered = sorted(values.items(), key=lambda item: -item[1])
        names = [name for name, _ in ordered]
        bars = panel.barh(
            names,
            [value for _, value in ordered],
            color=[OURS if name.startswith("Blockwright") else OTHERS for name in names],
        )
        panel.bar_label(bars, fmt="%.3g", padding=3)
        panel.set(title=case, xlabel=unit)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.15)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_lines(
    path: Path, lines: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str
) -> None:
    """Plot named lines of (x, y), with axes that start at zero."""
    figure, panel = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, points in lines.items():
        panel.plot(*zip(*points, strict=True), marker="o", label=name)
    panel.set(xlabel=x, ylabel=y, xlim=0, ylim=0)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
