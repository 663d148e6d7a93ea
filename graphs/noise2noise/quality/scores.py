"""Scores as a table, as CSV and as a grid of pictures."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from rich.table import Table
from rich.text import Text

from graphs.noise2noise.files import replacing
from graphs.noise2noise.images import middle, to_bytes
from graphs.noise2noise.quality.evaluation import Evaluation, Sample, Score

COLUMNS = ("picture", "method", "psnr", "ssim", "low", "high")
CROP = 224
PANEL, DPI = 2.4, 150
REFERENCE = "reference"


def scores_table(evaluation: Evaluation) -> Table:
    """A table with one row for each method: its means over all pictures."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("method", no_wrap=True)
    estimated = evaluation.is_estimated
    for heading in ("est. PSNR", "95% interval") if estimated else ("PSNR", "SSIM"):
        table.add_column(heading, justify="right", no_wrap=True)
    best = max(score.psnr for score in evaluation.means)
    for score in evaluation.means:
        second = (
            f"{score.low:.2f} to {score.high:.2f}"
            if score.low is not None and score.high is not None
            else ("" if score.ssim is None else f"{score.ssim:.4f}")
        )
        style = "bold" if score.psnr == best else None
        table.add_row(Text(score.method), f"{score.psnr:.2f} dB", second, style=style)
    return table


def write_scores(path: Path, evaluation: Evaluation) -> None:
    """Write every score as CSV; the means come last, with an empty picture name."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for score in (*evaluation.scores, *evaluation.means):
            figures = (score.psnr, score.ssim, score.low, score.high)
            written = ["" if value is None else f"{value:.6g}" for value in figures]
            writer.writerow([score.picture or "", score.method, *written])


def write_grid(path: Path, evaluation: Evaluation, samples: Sequence[Sample]) -> None:
    """Write the middles of the first pictures as PNG: one row each, one column per method."""
    named = {sample.name: sample for sample in samples}
    psnrs = {(score.picture, score.method): score.psnr for score in evaluation.scores}
    rows = [
        (name, dict(_panels(results, named[name]))) for name, results in evaluation.results.items()
    ]
    columns = list(rows[0][1])
    figure = Figure(
        figsize=(PANEL * len(columns), (PANEL + 0.3) * len(rows)), dpi=DPI, layout="constrained"
    )
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes, (name, panels) in zip(grid, rows, strict=True):
        for panel, (method, picture) in zip(axes, panels.items(), strict=True):
            shown = picture[0] if len(picture) == 1 else picture[:3]
            panel.imshow(to_bytes(shown), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            psnr = psnrs.get((name, method), math.nan)
            caption = method if math.isnan(psnr) else f"{method}  {psnr:.2f} dB"
            panel.set_title(caption, fontsize=8)
            panel.set_xticks([])
            panel.set_yticks([])
            for spine in panel.spines.values():
                spine.set_visible(False)
        axes[0].set_ylabel(name, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def scores_json(evaluation: Evaluation) -> dict[str, object]:
    """Everything but the pictures, for programs."""
    return {
        "psnr": "estimated from noisy pairs" if evaluation.is_estimated else "mean over pictures",
        "means": [_fields(score) for score in evaluation.means],
        "scores": [_fields(score) for score in evaluation.scores],
        "strengths": dict(evaluation.strengths),
        "clipped": evaluation.clipped,
    }


def _fields(score: Score) -> dict[str, object]:
    values = {name: getattr(score, name) for name in COLUMNS}
    return {name: value for name, value in values.items() if value is not None}


def _panels(
    results: Mapping[str, torch.Tensor], sample: Sample
) -> Iterator[tuple[str, torch.Tensor]]:
    """Each method's picture, all with one contrast stretch: the reference's, or the noisy one's."""
    basis = sample.noisy if sample.reference is None else sample.reference
    pixels = _middle(basis).flatten()
    low, high = (float(pixels.quantile(q)) for q in (0.001, 0.999))
    width = high - low or 1.0
    for method, picture in results.items():
        yield method, (_middle(picture) - low) / width
    if sample.reference is not None:
        yield REFERENCE, (_middle(sample.reference) - low) / width


def _middle(picture: torch.Tensor) -> torch.Tensor:
    return middle(picture, CROP).float()
