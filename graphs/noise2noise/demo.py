"""The demonstration: a network learns to denoise pictures, having seen only noisy ones.

Photographs are split into training and held-out ones. Two noisy shots are made of each training
photograph at each of two sizes; training sees these shots and nothing else. Clean pictures are used
only to make the shots and, for the held-out photographs, to measure the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from graphs.noise2noise.data.noise import Gaussian
from graphs.noise2noise.data.photographs import HELD_OUT, TRAINING, load, pieces, scale_down
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import RepeatedShots
from graphs.noise2noise.files import replacing, require_free
from graphs.noise2noise.networks import Architecture, save_network
from graphs.noise2noise.quality.baselines import BASELINES
from graphs.noise2noise.quality.metrics import Quality, psnr, quality
from graphs.noise2noise.report.figure import Row, draw_figure
from graphs.noise2noise.restoring.restorer import Restorer
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.threads import settle_threads
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Score

SIGMA = 25.0
NOISE = Gaussian(SIGMA, SIGMA)
ARCHITECTURE = Architecture(network="unet", width=32, depth=3)
"""Narrower than the paper's U-Net and two levels shallower: there are two minutes to train it."""

CROP, BATCH, LR = 64, 4, 2e-3
SCORED_PIECES = 96
OURS = "Blockwright"


@dataclass(frozen=True)
class Restored:
    """A held-out photograph, its noisy shot, and each method's result.

    Attributes:
        results: pictures by method; the first is the noisy shot itself.
        qualities: of each result.
    """

    name: str
    clean: torch.Tensor
    results: Mapping[str, torch.Tensor]
    qualities: Mapping[str, Quality]


@dataclass(frozen=True)
class Demo:
    """The outcome of a demonstration.

    Attributes:
        finished: whether it trained for its full time.
        restored: the results on the held-out photographs.
        training: the finished training, with its losses and scores.
        figure, weights: the files written.
    """

    finished: bool
    restored: Sequence[Restored]
    training: Training
    figure: Path
    weights: Path


def run_demo(
    folder: Path,
    *,
    seconds: float,
    steps: int | None = None,
    seed: int = 0,
    console: Console,
    overwrite: bool = False,
) -> Demo:
    """Train, measure on the held-out photographs, and write the figure and the weights.

    Args:
        folder: where the files go; it is created if needed.
        seconds, steps: how long to train; see :class:`Plan`.
        seed: of the noise, the weights and the batches.
        console: where the progress is shown.
        overwrite: whether files of an earlier run are replaced.

    Raises:
        InputError: a file exists already, the folder cannot be written to, or there is no time to
            train.
    """
    plan = Plan(seconds=seconds, steps=steps, batch=BATCH, lr=LR)
    figure, weights = folder / "demo.png", folder / "model.safetensors"
    for path in (figure, weights):
        require_free(path, overwrite)
    if steps is None:
        settle_threads(None)
    held_out = {name: load(name) for name in HELD_OUT}
    pairs = noisy_pairs(TRAINING, seed)
    net = ARCHITECTURE.build(seed)
    restore = Restorer(net)
    score = _scorer(restore, held_out.values(), seed)
    training = Training(net, pairs, plan, validate=score, seed=seed)
    console.print(
        f"{len(TRAINING)} photographs, two noisy shots of each; no clean one is shown. "
        f"Held out: {', '.join(HELD_OUT)}.",
        soft_wrap=True,
    )
    finished = watch(training.run(), console)
    console.print("Cleaning the held-out photographs ...")
    generator = torch.Generator().manual_seed(seed + 1)
    restored = [
        _restore(name, clean, restore, NOISE(clean[None], generator).pixels[0])
        for name, clean in held_out.items()
    ]
    with replacing(figure) as temporary:
        rows = [Row(r.name, r.clean, r.results["noisy"], r.results[OURS]) for r in restored]
        scores = [(step, score.psnr) for step, score in training.scores if score.psnr is not None]
        draw_figure(temporary, rows, training.losses, scores, SIGMA)
    save_network(weights, net, ARCHITECTURE)
    return Demo(finished, restored, training, figure, weights)


def noisy_pairs(names: Iterable[str], seed: int) -> RepeatedShots:
    """Two noisy shots of each photograph at full size, and two at half the size."""
    generator = generator_for(seed)
    scenes = (scale_down(load(name), factor) for name in names for factor in (1, 2))
    twice = (scene.expand(2, -1, -1, -1) for scene in scenes)
    return RepeatedShots([NOISE(shots, generator).pixels for shots in twice], CROP)


def quality_table(restored: Sequence[Restored]) -> Table:
    """PSNR and SSIM of every method on every photograph, and their means."""
    methods = list(restored[0].qualities)
    table = Table(title="Held-out photographs: PSNR in dB / SSIM", title_justify="left")
    table.add_column("photograph")
    for method in methods:
        table.add_column(method, justify="right")
    for photograph in restored:
        table.add_row(photograph.name, *map(_format, photograph.qualities.values()))
    table.add_section()
    means = [_mean(photograph.qualities[method] for photograph in restored) for method in methods]
    table.add_row("mean", *map(_format, means))
    return table


def _scorer(restore: Restorer, held_out: Iterable[torch.Tensor], seed: int) -> Callable[[], Score]:
    """Score by the PSNR of denoised pieces of the held-out photographs, scaled down by two."""
    generator = torch.Generator().manual_seed(seed + 2)
    clean = pieces([scale_down(photo, 2) for photo in held_out], SCORED_PIECES, generator)
    noisy = NOISE(clean, generator).pixels

    def score() -> Score:
        measured = psnr(restore(noisy), clean)
        return Score(10 ** (-measured / 10), measured)

    return score


def _restore(name: str, clean: torch.Tensor, restore: Restorer, noisy: torch.Tensor) -> Restored:
    results = {"noisy": noisy, OURS: restore(noisy)}
    results |= {method: baseline(noisy, SIGMA) for method, baseline in BASELINES.items()}
    qualities = {method: quality(result, clean) for method, result in results.items()}
    return Restored(name, clean, results, qualities)


def _mean(qualities: Iterable[Quality]) -> Quality:
    psnrs, ssims = zip(*qualities, strict=True)
    return Quality(sum(psnrs) / len(psnrs), sum(ssims) / len(ssims))


def _format(value: Quality) -> str:
    return f"{value.psnr:.2f} / {value.ssim:.3f}"
