"""The report's own study: quality by the number of channels, and examples of denoised images.

    python -m benchmarks.report_study                        # a few minutes
    python -m benchmarks.report_study --course FOLDER        # on train_data.pkl and val_data.pkl

Writes ``report_channels.png``, the report's figure 2: PSNR by the channels of the first
convolution; ``report_panel.png``, its figure 3: noisy, denoised, clean; and ``report_study.json``.
Without the course's files, the pairs are made as in :mod:`benchmarks.course_pairs`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.figure import Figure

from benchmarks.course_pairs import (
    Images,
    photographs,
    pieces,
    psnr,
    seeded_model,
    shot,
    train_ours,
)
from benchmarks.harness import command_line
from graphs import Model
from graphs.noise2noise.data.course import read_course_pickle
from graphs.noise2noise.images import to_bytes

RESULTS = Path(__file__).parent / "results"
CHANNELS = (4, 8, 16, 32, 64)
SHOWN_CHANNELS = 32
SHOWN = (0, 1, 2)
DPI = 150


class Pairs(NamedTuple):
    """Noisy shots to train on, and noisy images with their clean versions to measure on."""

    first: Images
    second: Images
    noisy: Images
    clean: Images


def course_pairs(folder: Path) -> Pairs:
    """The course's own pairs."""
    train = read_course_pickle(folder / "train_data.pkl")
    validation = read_course_pickle(folder / "val_data.pkl")
    return Pairs(*(images.float() for images in (*train, *validation)))


def made_pairs(count: int, test: int) -> Pairs:
    """Pieces of photographs with added noise."""
    generator = torch.Generator().manual_seed(0)
    train = pieces(photographs("bsds500-train"), count, generator)
    first, second = shot(train, generator), shot(train, generator)
    clean = pieces(photographs("cbsd68"), test, generator)
    return Pairs(first, second, shot(clean, generator), clean)


def study(pairs: Pairs, epochs: int) -> tuple[dict[int, float], Model]:
    """PSNR by the number of channels, and the model with 32."""
    scores, models = {}, {}
    for channels in CHANNELS:
        model = models[channels] = seeded_model(channels)
        train_ours(model, pairs.first, pairs.second, epochs)
        scores[channels] = psnr(model.predict(pairs.noisy), pairs.clean)
        print(f"{channels:3} channels: {scores[channels]:.2f} dB", flush=True)
    return scores, models[SHOWN_CHANNELS]


def draw_channels(path: Path, scores: Mapping[int, float], noisy: float) -> None:
    """Figure 2 of the report."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    panel = figure.subplots()
    panel.plot(list(scores), list(scores.values()), marker="o", color="#d1495b")
    panel.axhline(noisy, color="#8d99ae", linestyle="--", label="noisy")
    panel.set_xscale("log", base=2)
    panel.set_xticks(list(scores), [str(channels) for channels in scores])
    panel.set(xlabel="channels of the first convolution", ylabel="PSNR, dB")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    figure.savefig(path, dpi=DPI)


def draw_panel(path: Path, pairs: Pairs, model: Model) -> None:
    """Figure 3 of the report: each row an image, noisy, denoised and clean."""
    chosen = list(SHOWN)
    noisy, clean = pairs.noisy[chosen], pairs.clean[chosen]
    columns = {"noisy": noisy, "denoised": model.predict(noisy), "clean": clean}
    figure = Figure(figsize=(6, 2.1 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(chosen), len(columns), squeeze=False)
    for column, (name, images) in enumerate(columns.items()):
        for row, image in enumerate(images):
            panel = grid[row][column]
            panel.imshow(to_bytes(image / 255), interpolation="nearest")
            panel.set_axis_off()
            figures = "" if name == "clean" else f", {psnr(image[None], clean[row][None]):.2f} dB"
            panel.set_title(name + figures, fontsize=9)
    figure.savefig(path, dpi=DPI)


def main() -> None:
    """Train, draw, write."""
    parser = argparse.ArgumentParser(description="The report's figures 2 and 3.")
    parser.add_argument("--course", type=Path, help="folder of train_data.pkl and val_data.pkl")
    parser.add_argument("--pieces", type=int, default=20_000, help="training pairs, if made here")
    parser.add_argument("--tested", type=int, default=1_000, help="test images, if made here")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs = (
        course_pairs(options.course)
        if options.course
        else made_pairs(options.pieces, options.tested)
    )
    noisy = psnr(pairs.noisy, pairs.clean)
    scores, model = study(pairs, options.epochs)
    options.results.mkdir(parents=True, exist_ok=True)
    draw_channels(options.results / "report_channels.png", scores, noisy)
    draw_panel(options.results / "report_panel.png", pairs, model)
    result = {
        "command": command_line(),
        "noisy": noisy,
        "psnr by channels": scores,
    }
    (options.results / "report_study.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
