"""The demonstration's figure: noisy, denoised and clean side by side, and the training curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphs.noise2noise.images import to_bytes
from graphs.noise2noise.quality.metrics import quality

WIDTH = 10.0
CHART_HEIGHT = 2.6
GAP = 0.3
DPI = 150
BLUE, ORANGE, GREY = "#2a6f97", "#d1600a", "#666666"


class Row(NamedTuple):
    """A photograph (3, H, W) in the three versions that the figure compares."""

    name: str
    clean: torch.Tensor
    noisy: torch.Tensor
    denoised: torch.Tensor


def draw_figure(
    path: Path,
    rows: Sequence[Row],
    losses: Sequence[float],
    scores: Sequence[tuple[int, float]],
    sigma: float,
) -> None:
    """Write the figure as PNG.

    Args:
        path: the file.
        rows: photographs, from top to bottom.
        losses: of each training step.
        scores: (step, PSNR) on held-out pieces.
        sigma: standard deviation of the noise, on a scale of 0 to 255.
    """
    heights = [WIDTH / 3 * row.clean.shape[1] / row.clean.shape[2] for row in rows]
    total = sum(heights) + CHART_HEIGHT + GAP * (len(rows) + 2)
    figure = Figure(figsize=(WIDTH, total), dpi=DPI, layout="constrained")
    (photographs,), (chart,) = figure.subfigures(
        2, 1, squeeze=False, height_ratios=[total - CHART_HEIGHT - GAP, CHART_HEIGHT + GAP]
    )
    grid = photographs.subplots(len(rows), 3, height_ratios=heights, squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        _draw_row(axes, row)
    _draw_chart(chart.subplots(), losses, scores, sigma)
    figure.savefig(path, format="png")


def _draw_row(axes: Sequence[Axes], row: Row) -> None:
    captions = [
        f"noisy: {_figures(row.noisy, row.clean)}",
        f"denoised: {_figures(row.denoised, row.clean)}",
        f"clean: {row.name}",
    ]
    pictures = [row.noisy, row.denoised, row.clean]
    for panel, picture, caption in zip(axes, pictures, captions, strict=True):
        panel.imshow(to_bytes(picture), interpolation="antialiased")
        panel.set_title(caption, fontsize=9)
        panel.set_axis_off()


def _figures(picture: torch.Tensor, clean: torch.Tensor) -> str:
    measured = quality(picture, clean)
    return f"{measured.psnr:.2f} dB, SSIM {measured.ssim:.3f}"


def _draw_chart(
    panel: Axes, losses: Sequence[float], scores: Sequence[tuple[int, float]], sigma: float
) -> None:
    _draw_losses(panel, losses, floor=(sigma / 255) ** 2)
    _draw_scores(panel.twinx(), scores, noisy=20 * math.log10(255 / sigma))
    panel.set_xlabel("training step", fontsize=9)


def _draw_losses(panel: Axes, losses: Sequence[float], floor: float) -> None:
    smooth = _running_mean(losses)
    panel.plot(np.arange(1, len(smooth) + 1), smooth, color=BLUE, linewidth=1)
    panel.axhline(floor, color=GREY, linewidth=0.8, linestyle="--")
    panel.annotate(
        "loss of a perfect denoiser: the noise of the target",
        (0.995, floor),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3),
        textcoords="offset points",
        horizontalalignment="right",
        verticalalignment="top",
        fontsize=8,
        color=GREY,
    )
    panel.set_ylim(0.8 * floor, 3 * floor)
    panel.set_ylabel("loss against a noisy target", fontsize=9, color=BLUE)
    _tidy(panel)


def _draw_scores(panel: Axes, scores: Sequence[tuple[int, float]], noisy: float) -> None:
    steps, values = zip(*scores, strict=True)
    panel.plot(steps, values, color=ORANGE, linewidth=1.5)
    panel.set_ylim(noisy, max(*values, noisy + 4) + 0.5)
    panel.set_ylabel(f"held-out PSNR, dB (noisy: {noisy:.1f})", fontsize=9, color=ORANGE)
    _tidy(panel)


def _tidy(panel: Axes) -> None:
    panel.spines["top"].set_visible(False)
    panel.tick_params(labelsize=8)


def _running_mean(values: Sequence[float], width: int = 50) -> np.ndarray:
    """The mean over each value and those before it, ``width`` values in all."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - width, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
