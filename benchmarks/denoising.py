"""The Noise2Noise paper's Table 1: the U-Net trained with noisy targets, and with clean ones.

    python -m benchmarks.denoising --minutes 100 --noises gaussian --targets noisy
    python -m benchmarks.denoising --steps 20000 --threads 2    # all six, the same steps for each

Training uses 64x64 crops of BSDS500's training photographs, scores are on whole pictures of Set14
and CBSD68 (grey ones as RGB), with unclipped noise: Gaussian with sigma 25, Poisson with lambda 30,
Bernoulli with p 0.5. Each training run is kept in a folder of ``benchmarks/runs``; the same command
resumes one that was interrupted, and only scores one that is finished. Needs the image sets next to
the checkout or at BLOCKWRIGHT_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console

from benchmarks.harness import command_line
from engine import compile
from graphs.builder import GraphBuilder
from graphs.model import extend_to_multiple
from graphs.module import Module
from graphs.noise2noise.data.noise import Noise, parse_noise
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import SyntheticShots, Targets
from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.quality.metrics import psnr
from graphs.noise2noise.training.objectives import shots_objective
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.run import keep, resume
from graphs.noise2noise.training.run_folder import RunFolder, write_json
from graphs.noise2noise.training.threads import settle_threads
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Validation

DATA = Path(os.environ.get("BLOCKWRIGHT_DATA", Path(__file__).parents[2] / "shared" / "data"))
RESULTS = Path(__file__).parent / "results" / "denoising.json"
RUNS = Path(__file__).parent / "runs"
NOISES: Mapping[str, Noise] = {
    "gaussian": parse_noise("gaussian:25"),
    "poisson": parse_noise("poisson:30"),
    "bernoulli": parse_noise("bernoulli:0.5"),
}
TARGETS: tuple[Targets, ...] = ("noisy", "clean")
TEST_SETS = ("set14", "cbsd68")
CROP, BATCH, LR = 64, 8, 1e-3
VALIDATE_EVERY = 500
HELD_OUT = 8
"""Photographs of the training set held out for validation, with noise on inputs and targets."""

Row = dict[str, float | str]


@dataclass(frozen=True)
class Contest:
    """One training run: with which noise and which targets."""

    noise: str
    targets: Targets

    @property
    def name(self) -> str:
        """The name of its row in the results."""
        return f"{self.noise}, {self.targets} targets"


def photographs(folder: str) -> list[torch.Tensor]:
    """Every picture of a set as RGB, uint8 [3, H, W], sorted by name."""
    paths = sorted((DATA / folder).glob("*.*g"))
    if not paths:
        raise SystemExit(f"no images in {DATA / folder}: set BLOCKWRIGHT_DATA")
    pictures = (np.asarray(Image.open(path).convert("RGB")) for path in paths)
    return [torch.from_numpy(picture.transpose(2, 0, 1).copy()) for picture in pictures]


def train(
    contest: Contest,
    photos: Sequence[torch.Tensor],
    architecture: Architecture,
    plan: Plan,
    folder: RunFolder,
    console: Console,
) -> tuple[Module, Row]:
    """Train, resume, or find the training finished; return the last network and what it took."""
    noise = NOISES[contest.noise]
    net = architecture.build(seed=0)
    training_set = SyntheticShots(photos[:-HELD_OUT], noise, CROP, contest.targets)
    held_out = SyntheticShots(photos[-HELD_OUT:], noise, CROP)
    by_noisy = shots_objective(net, architecture.channels, noise.loss)
    by_clean = shots_objective(net, architecture.channels)
    training = Training(
        net,
        training_set,
        plan,
        objective=by_noisy if contest.targets == "noisy" else by_clean,
        validate=Validation(by_noisy, held_out, batch=BATCH, seed=1),
    )
    resume(training, folder, console.print)
    if not watch(keep(training, architecture, folder), console, log=True):
        raise SystemExit("The same command goes on with it.")
    position = training.position
    return net, {
        "steps": position.step,
        "minutes": round(position.seconds / 60, 2),
        "command": command_line(),
    }


class Denoiser:
    """Applies a network to a whole picture [3, H, W], extended to sides that the network takes."""

    def __init__(self, net: Module, multiple: int) -> None:
        g = GraphBuilder("denoiser")
        self._graph = g.build(clean=net(g.input("noisy", (1, 3, "H", "W"))))
        self._multiple = multiple

    def __call__(self, noisy: torch.Tensor) -> torch.Tensor:
        """The picture cleaned, and clipped to [0, 1]."""
        whole = extend_to_multiple(noisy[None], self._multiple)
        height, width = whole.shape[2:]
        # Torch's kernels: native code used once per size would take longer to compile than to run.
        program = compile(self._graph, backend="torch", H=height, W=width)
        clean = program(noisy=whole)["clean"]
        return clean[0, :, : noisy.shape[1], : noisy.shape[2]].clamp(0, 1)


def scores(noise: Noise, restored: Callable[[torch.Tensor], torch.Tensor]) -> Row:
    """The mean PSNR over the pictures of each test set, each with its own noise."""
    row: Row = {}
    for number, name in enumerate(TEST_SETS):
        figures = []
        for i, picture in enumerate(photographs(name)):
            clean = picture.float() / 255
            noisy = noise(clean[None], generator_for(2, number, i)).pixels[0]
            figures.append(psnr(restored(noisy), clean))
        row[name] = round(sum(figures) / len(figures), 3)
    return row


def main() -> None:
    """Train, score, and write the results after each training."""
    options = _options()
    settle_threads(options.threads)
    console = Console(stderr=True)
    architecture = Architecture(network="unet", width=options.width, depth=options.depth)
    plan = Plan(
        seconds=60 * options.minutes,
        steps=options.steps,
        batch=BATCH,
        lr=LR,
        validate_every=VALIDATE_EVERY,
    )
    photos = photographs("bsds500-train")
    for noise, targets in product(options.noises, options.targets):
        contest = Contest(noise, targets)
        console.print(contest.name)
        folder = RunFolder(options.runs / f"{noise}-{targets}")
        net, row = train(contest, photos, architecture, plan, folder, console)
        row |= scores(NOISES[noise], Denoiser(net, architecture.multiple))
        noisy_row = scores(NOISES[noise], lambda noisy: noisy)
        _write(options.results, {f"{noise}, noisy": noisy_row, contest.name: row}, architecture)
        print(json.dumps({contest.name: row}), flush=True)


def _write(path: Path, rows: Mapping[str, Row], architecture: Architecture) -> None:
    """Add rows to those already in the file, replacing rows of the same name."""
    earlier = json.loads(path.read_text())["rows"] if path.exists() else {}
    result = {
        "torch": torch.__version__,
        "architecture": asdict(architecture),
        "rows": earlier | dict(rows),
    }
    write_json(path, result)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The Noise2Noise paper's Table 1.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=20.0, help="for each training")
    length.add_argument("--steps", type=int, help="for each training, instead")
    parser.add_argument("--noises", nargs="+", choices=NOISES, default=list(NOISES))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--width", type=int, default=48, help="channels of the U-Net")
    parser.add_argument("--depth", type=int, default=5, help="halvings of the U-Net")
    parser.add_argument("--threads", type=int, help="default: one or all, what is faster")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where trainings are kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
