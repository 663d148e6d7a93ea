"""The shipped weights: how they were trained, and what ``denoise`` makes of files with them.

    python -m benchmarks.denoising --minutes 100 --noises gaussian --targets noisy --threads 1
    python -m benchmarks.shipped --minutes 90 --start benchmarks/runs/gaussian-noisy --threads 1
    python -m benchmarks.shipped                       # only scores the existing ones

Learning one noise level is enough if the contrast of the scenes varies widely: noise of half the
strength is like noise of full strength on a picture of twice the contrast. The weights are trained
with noisy targets alone, and scored on 8-bit files with Gaussian noise, white and correlated, and
with photon noise, and on single captures and means of four from microscopes; only pictures whose
noise they know count. Needs the image sets next to the checkout or at BLOCKWRIGHT_DATA.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console

from benchmarks.denoising import (
    BATCH,
    CROP,
    DATA,
    HELD_OUT,
    RUNS,
    VALIDATE_EVERY,
    photographs,
)
from benchmarks.fluorescence import Field, read_fields
from benchmarks.harness import RESULTS, command_line, machine, write
from graphs.noise2noise.data.noise import Noise, parse_noise
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import SyntheticShots
from graphs.noise2noise.images import Raster
from graphs.noise2noise.networks import SHIPPED, Architecture, load_network, save_network
from graphs.noise2noise.quality.evaluation import Sample, evaluate
from graphs.noise2noise.restoring import Restorer
from graphs.noise2noise.restoring.noise_level import noise_level
from graphs.noise2noise.restoring.shipped import RANGE, TRAINED_FOR, cleaned, shown
from graphs.noise2noise.training.objectives import shots_objective
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.run import keep, resume
from graphs.noise2noise.training.run_folder import RunFolder
from graphs.noise2noise.training.threads import settle_threads
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Validation

NOISE = parse_noise("gaussian:25")
LEAST, MOST = 0.5, 5.0
"""Contrast of the scenes, uniform on a log scale: as if the noise had a sigma from 50 to 5."""

SHOWN = MOST + 0.5
"""The range of values seen: that of the highest contrast, plus noise of about five deviations."""

LR = 5e-4
JPEG_QUALITY = 90
CASES: Mapping[str, Noise] = {
    "Gaussian, sigma 5": parse_noise("gaussian:5"),
    "Gaussian, sigma 10": parse_noise("gaussian:10"),
    "Gaussian, sigma 25": parse_noise("gaussian:25"),
    "Gaussian, sigma 50": parse_noise("gaussian:50"),
    "correlated, sigma 12": parse_noise("correlated:12"),
    "correlated, sigma 25": parse_noise("correlated:25"),
    "150 photons for white": parse_noise("poisson:150"),
    "30 photons for white": parse_noise("poisson:30"),
}


class Contrasts(SyntheticShots):
    """Pairs of noisy shots of photographs whose contrast around grey was raised or lowered.

    Args:
        pictures: clean, (3, H, W) each.
    """

    def __init__(self, pictures: Sequence[torch.Tensor]) -> None:
        super().__init__(pictures, NOISE, CROP)

    def clean(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`SyntheticShots.clean`."""
        scenes = super().clean(count, generator)
        shares = torch.rand((count, 1, 1, 1), generator=generator)
        return 0.5 + LEAST * (MOST / LEAST) ** shares * (scenes - 0.5)


def train(start: Path, minutes: float, folder: RunFolder, console: Console) -> None:
    """Train on from some weights, or resume such a training, and ship the best weights."""
    loaded = load_network(start)
    photos = photographs("bsds500-train")
    objective = shots_objective(loaded.network, loaded.architecture.channels)
    training = Training(
        loaded.network,
        Contrasts(photos[:-HELD_OUT]),
        Plan(seconds=60 * minutes, batch=BATCH, lr=LR, validate_every=VALIDATE_EVERY),
        objective=objective,
        validate=Validation(objective, Contrasts(photos[-HELD_OUT:]), batch=BATCH, seed=1),
    )
    resume(training, folder, console.print)
    if not watch(keep(training, loaded.architecture, folder), console, log=True):
        raise SystemExit("The same command goes on with it.")
    _ship(folder, loaded.architecture)


def _ship(folder: RunFolder, architecture: Architecture) -> None:
    best = load_network(folder.path).network
    save_network(SHIPPED, best, architecture, {TRAINED_FOR: str(NOISE), RANGE: f"{SHOWN:g}"})


Kept = Callable[[torch.Tensor], torch.Tensor]
"""What is left of a noisy picture (C, H, W), white being 1, in a file."""


def photographs_with(noise: Noise, kept: Kept) -> Iterator[Sample]:
    """Set14 with noise, as files hold it."""
    for i, picture in enumerate(photographs("set14")):
        clean = picture.float() / 255
        noisy = noise(clean[None], generator_for(2, 0, i)).pixels[0]
        yield Sample(f"{i}", kept(noisy), clean)


def mean_captures(fields: Iterable[Field], shots: int) -> Iterator[Sample]:
    """Fluorescence fields, each as the mean of its first ``shots`` captures."""
    for field in fields:
        yield Sample(field.name, _in_bytes(field.captures[:shots].mean(0)), field.average)


def _in_bytes(picture: torch.Tensor) -> torch.Tensor:
    return (picture * 255).round().clamp(0, 255) / 255


def _in_jpeg(picture: torch.Tensor) -> torch.Tensor:
    pixels = (_in_bytes(picture) * 255).byte().permute(1, 2, 0).squeeze(2).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    read = torch.from_numpy(np.array(Image.open(file))).float() / 255
    return read.permute(2, 0, 1) if read.ndim == 3 else read[None]


def _is_known(sample: Sample) -> bool:
    raster = Raster(sample.noisy.numpy(), "CYX")
    seen = shown(raster, noise_level(raster))
    return seen is not None and seen.is_sure


def scores(console: Console) -> dict[str, dict[str, object]]:
    """For every case, the number of pictures and the mean PSNR of each method."""
    loaded = load_network(SHIPPED)
    restore = Restorer(loaded.network, loaded.architecture.channels)
    sets = {name: photographs_with(noise, _in_bytes) for name, noise in CASES.items()}
    for sigma in (10, 25):
        noise = parse_noise(f"gaussian:{sigma}")
        sets[f"Gaussian, sigma {sigma}, JPEG"] = photographs_with(noise, _in_jpeg)
    sets["Gaussian, sigma 25, unclipped"] = photographs_with(NOISE, lambda noisy: noisy)
    fields = read_fields(DATA / "fmd-fluorescence")
    wide = [field for field in fields if field.is_correlated]
    others = [field for field in fields if not field.is_correlated]
    sets["fluorescence, one shot"] = mean_captures(others, 1)
    sets["fluorescence, mean of four"] = mean_captures(others, 4)
    sets["wide-field fluorescence, one shot"] = mean_captures(wide, 1)
    rows: dict[str, dict[str, object]] = {}
    for name, samples in sets.items():
        found = list(filter(_is_known, samples))
        if not found:
            console.print(f"no pictures for {name} whose noise the weights know")
            continue
        means = evaluate(found, {"Blockwright": partial(cleaned, restore=restore)}, kept=0).means
        psnrs = {score.method: round(score.psnr, 3) for score in means}
        rows[name] = {"pictures": len(found), "psnr": psnrs}
        console.print(name, rows[name])
    return rows


def main() -> None:
    """Train if asked to, score, and write the results."""
    parser = argparse.ArgumentParser(description="The shipped weights.")
    parser.add_argument("--minutes", type=float, help="train them, for so long")
    parser.add_argument("--start", type=Path, default=SHIPPED, help="weights to train from")
    parser.add_argument("--threads", type=int, help="default: one or all, what is faster")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where trainings are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    options = parser.parse_args()
    settle_threads(options.threads)
    console = Console(stderr=True)
    if options.minutes is not None:
        train(options.start, options.minutes, RunFolder(options.runs / "contrasts"), console)
    content = {"command": command_line(), "machine": machine(), "cases": scores(console)}
    write(options.results, "shipped", content)


if __name__ == "__main__":
    main()
