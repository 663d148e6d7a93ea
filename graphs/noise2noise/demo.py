"""The demonstration: a network learns to clean pictures, having seen only noisy ones.

Photographs are split into some to train on and some held out. Two noisy shots are made of each
training photograph; the training sees these shots and nothing else. Clean pictures serve to make
the shots and, of the held-out photographs alone, to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from graphs.architectures import report_network
from graphs.module import Module
from graphs.noise2noise.files import replacing, require_folder
from graphs.noise2noise.noise import add_gaussian, shoot_twice
from graphs.noise2noise.pairs import NoisyPairs
from graphs.noise2noise.photographs import HELD_OUT, TRAINING, load, pieces, scale_down
from graphs.noise2noise.progress import watch
from graphs.noise2noise.quality.baselines import BASELINES
from graphs.noise2noise.quality.metrics import Quality, psnr, quality
from graphs.noise2noise.report.figure import Row, draw_figure
from graphs.noise2noise.restoring.restorer import Restorer
from graphs.noise2noise.training import Plan, Training
from graphs.weights import save_weights

SIGMA = 25.0
SCORED_PIECES = 96
OURS = "Blockwright"


@dataclass(frozen=True)
class Restored:
    """A held-out photograph, its noisy shot, and what each method made of that.

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
    """What a demonstration came to.

    Attributes:
        finished: whether it trained for its full time.
        restored: the held-out photographs.
        training: with its losses and scores.
        figure, weights: the files written.
    """

    finished: bool
    restored: Sequence[Restored]
    training: Training
    figure: Path
    weights: Path


def run_demo(
    folder: Path,
    plan: Plan,
    *,
    seed: int = 0,
    console: Console,
    training_names: Sequence[str] = TRAINING,
    held_out_names: Sequence[str] = HELD_OUT,
) -> Demo:
    """Train, measure on the held-out photographs, write the figure and the weights.

    Args:
        folder: where the files go; it is made if need be, and files of an earlier run replaced.
        plan: how and how long to train.
        seed: of the noise, the weights and the batches.
        console: where the progress is shown.
        training_names, held_out_names: photographs of :data:`photographs.PHOTOGRAPHS`.

    Raises:
        InputError: the folder cannot be written to.
    """
    require_folder(folder)
    held_out = {name: load(name) for name in held_out_names}
    pairs = noisy_pairs(training_names, SIGMA, seed)
    net = seeded_network(seed)
    restore = Restorer(net)
    training = Training(net, pairs, plan, score=_scorer(restore, held_out.values(), seed))
    console.print(
        f"{len(training_names)} photographs, two noisy shots of each; no clean one is shown. "
        f"Held out: {', '.join(held_out_names)}."
    )
    finished = watch(training, console)
    console.print("Cleaning the held-out photographs ...")
    generator = torch.Generator().manual_seed(seed + 1)
    restored = [
        _restore(name, clean, restore, add_gaussian(clean, SIGMA, generator))
        for name, clean in held_out.items()
    ]
    figure, weights = folder / "demo.png", folder / "model.safetensors"
    with replacing(figure) as temporary:
        rows = [Row(r.name, r.clean, r.results["noisy"], r.results[OURS]) for r in restored]
        draw_figure(temporary, rows, training.losses, training.scores, SIGMA)
    save_weights(net, weights)
    return Demo(finished, restored, training, figure, weights)


def noisy_pairs(names: Iterable[str], sigma: float, seed: int) -> NoisyPairs:
    """Two noisy shots of each photograph as it is, and two of it at half the size."""
    generator = torch.Generator().manual_seed(seed)
    scenes = (scale_down(load(name), factor) for name in names for factor in (1, 2))
    return NoisyPairs([shoot_twice(scene, sigma, generator) for scene in scenes], seed)


def seeded_network(seed: int) -> Module:
    """The report's network with first weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return report_network()


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


def _scorer(restore: Restorer, held_out: Iterable[torch.Tensor], seed: int) -> Callable[[], float]:
    """The PSNR of pieces of the held-out photographs, scaled down by two, once cleaned."""
    generator = torch.Generator().manual_seed(seed + 2)
    clean = pieces([scale_down(photo, 2) for photo in held_out], SCORED_PIECES, generator)
    noisy = add_gaussian(clean, SIGMA, generator)
    return lambda: psnr(restore(noisy), clean)


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
