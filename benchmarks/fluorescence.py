"""Real captures: a network trained on raw fluorescence captures, scored against averages.

    python -m benchmarks.fluorescence --steps 24000 --gain 1.4
    python -m benchmarks.fluorescence --steps 23808 --captured-only \\
        --results benchmarks/results/fluorescence_without_gain.json

Training uses the upper halves of all fields, two raw captures at a time. The lower halves, which
the network has never seen, are scored against the average of 50 captures, next to the classical
methods, each at the strength that is best for that very field. Because the brightness of captures
varies, PSNR is also given after a straight-line fit, applied to the results of every method.

What correlated noise costs is measured by a second training run, in which the noise of every
capture of a correlated field is shuffled among pixels of similar brightness: as strong as before,
but independent from pixel to pixel. Runs are kept in ``benchmarks/runs``: the same command resumes
one that was interrupted. Needs the image sets next to the checkout or at BLOCKWRIGHT_DATA.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.harness import command_line, machine
from graphs.noise2noise.commands.common import result_console
from graphs.noise2noise.data.sources import Brightened, RepeatedShots
from graphs.noise2noise.inspection.differences import noise_of_pair
from graphs.noise2noise.networks import Architecture, load_network
from graphs.noise2noise.quality.baselines import BASELINES
from graphs.noise2noise.quality.evaluation import Sample, evaluate
from graphs.noise2noise.quality.fitting import fit_affine
from graphs.noise2noise.quality.metrics import psnr
from graphs.noise2noise.quality.scores import write_grid
from graphs.noise2noise.restoring import Restorer
from graphs.noise2noise.training.objectives import shots_objective
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.run import keep, resume
from graphs.noise2noise.training.run_folder import RunFolder, write_json
from graphs.noise2noise.training.threads import settle_threads
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Validation

DATA = Path(os.environ.get("BLOCKWRIGHT_DATA", Path(__file__).parents[2] / "shared" / "data"))
RESULTS = Path(__file__).parent / "results" / "fluorescence.json"
RUNS = Path(__file__).parent / "runs"
OURS = "Blockwright"
CROP, BATCH, LR = 64, 8, 1e-3
VALIDATE_EVERY = 500
CORRELATED = 0.15
"""Correlation of neighbours above which a field's noise counts as correlated."""
ALIKE = 512
"""The number of pixels of similar brightness among which noise is shuffled."""


@dataclass(frozen=True, eq=False)
class Field:
    """A field of view.

    Attributes:
        name: microscope and sample.
        captures: (k, 1, H, W) from 0 to 1.
        average: (1, H, W), the average of 50 captures.
        correlation: between the noise of neighbouring pixels.
    """

    name: str
    captures: torch.Tensor
    average: torch.Tensor
    correlation: float

    @property
    def is_correlated(self) -> bool:
        """Whether the noise of neighbouring pixels is more than slightly correlated."""
        return self.correlation > CORRELATED


def read_fields(folder: Path, chosen: str = "") -> list[Field]:
    """Every field whose name matches a regular expression."""
    fields = []
    for path in sorted(folder.glob("*_gt.png")):
        name = path.name.removesuffix("_gt.png")
        if re.search(chosen, name):
            raws = [_read(raw) for raw in sorted(folder.glob(f"{name}_raw*.png"))]
            pairs = [noise_of_pair(raws[0].numpy(), other.numpy()) for other in raws[1:]]
            # Motion and drift between two captures can only add to it.
            correlation = min(pair.correlation for pair in pairs)
            fields.append(Field(name, torch.stack(raws), _read(path), correlation))
    if not fields:
        raise SystemExit(f"no fields in {folder}: set BLOCKWRIGHT_DATA")
    return fields


def _read(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image, np.float32)[None] / 255)


def halves(field: Field) -> tuple[Field, Field]:
    """The upper half to train on, and the lower one to score."""
    middle = field.average.shape[1] // 2
    upper = replace(
        field, captures=field.captures[:, :, :middle], average=field.average[:, :middle]
    )
    lower = replace(
        field, captures=field.captures[:, :, middle:], average=field.average[:, middle:]
    )
    return upper, lower


def whitened(field: Field, seed: int = 0) -> Field:
    """The field with the noise of each capture shuffled among pixels of similar brightness."""
    generator = torch.Generator().manual_seed(seed)
    order = field.average.flatten().argsort()
    captures = []
    for capture in field.captures:
        noise = (capture - field.average).flatten()[order]
        shuffled = torch.cat(
            [part[torch.randperm(len(part), generator=generator)] for part in noise.split(ALIKE)]
        )
        placed = torch.empty_like(shuffled)
        placed[order] = shuffled
        captures.append(field.average + placed.reshape(field.average.shape))
    return replace(field, captures=torch.stack(captures))


def train(fields: Sequence[Field], options: argparse.Namespace, folder: Path) -> Restorer:
    """A network trained on the fields' captures, each the target of the others."""
    architecture = Architecture(
        network="unet", width=options.width, depth=options.depth, channels=1
    )
    net = architecture.build(seed=0)
    # The bottom rows of the training halves are held out to pick the best weights.
    held = max(CROP, fields[0].average.shape[1] // 8)
    objective = shots_objective(net, 1)
    training = Training(
        net,
        Brightened(RepeatedShots([f.captures[:, :, :-held] for f in fields], CROP), options.gain),
        Plan(
            seconds=60 * options.minutes,
            steps=options.steps,
            batch=BATCH,
            lr=LR,
            validate_every=VALIDATE_EVERY,
        ),
        objective=objective,
        validate=Validation(
            objective,
            RepeatedShots([f.captures[:, :, -held:] for f in fields], CROP),
            batch=BATCH,
            seed=1,
        ),
    )
    console = Console(stderr=True)
    run = RunFolder(folder)
    resume(training, run, console.print)
    if not watch(keep(training, architecture, run), console, log=True):
        raise SystemExit("The same command goes on with it.")
    return Restorer(load_network(run.best).network, channels=1)


@dataclass(frozen=True)
class Row:
    """A field's scores, averaged over its captures.

    Attributes:
        correlation: between the noise of neighbouring pixels.
        psnr, ssim: by method.
        fitted: PSNR by method, after fitting each result to the reference by a straight line.
        strengths: of the classical methods.
    """

    correlation: float
    psnr: Mapping[str, float]
    ssim: Mapping[str, float]
    fitted: Mapping[str, float]
    strengths: Mapping[str, float]

    @property
    def over_noisy(self) -> float:
        """What the network gains over the noisy captures, in dB."""
        return self.psnr[OURS] - self.psnr["noisy"]

    @property
    def over_classical(self) -> float:
        """What the network gains over the best of the classical methods, in dB."""
        return self.psnr[OURS] - max(self.psnr[name] for name in BASELINES)

    def to_json(self) -> dict[str, object]:
        """As JSON, with rounded figures."""
        return {
            "correlation of neighbours": round(self.correlation, 3),
            "psnr": _rounded(self.psnr),
            "ssim": _rounded(self.ssim, 4),
            "psnr after a fit": _rounded(self.fitted),
            "strengths": dict(self.strengths),
            "over noisy": round(self.over_noisy, 3),
            "over the best classical": round(self.over_classical, 3),
        }


def score(field: Field, restore: Restorer, grid: Path | None = None) -> Row:
    """Score every method on every capture of a field; write the pictures to ``grid``, if given."""
    samples = [
        Sample(f"{field.name} {i + 1}", capture, reference=field.average)
        for i, capture in enumerate(field.captures)
    ]
    found = evaluate(samples, {OURS: restore}, kept=len(samples))
    if grid is not None:
        write_grid(grid, found, samples)
    fitted = {
        mean.method: [_fitted(found.results[s.name][mean.method], s) for s in samples]
        for mean in found.means
    }
    return Row(
        correlation=field.correlation,
        psnr={mean.method: mean.psnr for mean in found.means},
        ssim={mean.method: mean.ssim or 0.0 for mean in found.means},
        fitted={name: float(np.mean(values)) for name, values in fitted.items()},
        strengths=found.strengths,
    )


def _fitted(result: torch.Tensor, sample: Sample) -> float:
    assert sample.reference is not None
    return psnr(fit_affine(result, sample.reference)(result), sample.reference)


def compare(
    fields: Sequence[Field], options: argparse.Namespace, name: str, grids: bool
) -> dict[str, Row]:
    """Train on the upper halves, score the lower ones."""
    upper, lower = zip(*map(halves, fields), strict=True)
    restore = train(upper, options, options.runs / f"fluorescence-{name}")
    return {
        field.name: score(
            field,
            restore,
            options.results.with_name(f"fluorescence-{field.name}.png") if grids else None,
        )
        for field in lower
    }


def cost_of_correlation(captured: Row, white: Row) -> dict[str, float]:
    """By how many dB each method does worse than it would if the same noise were white."""
    return _rounded(
        {
            method: white.fitted[method] - captured.fitted[method]
            for method in white.fitted
            if method != "noisy"
        }
    )


def print_rows(title: str, rows: Mapping[str, Row]) -> None:
    """Print a row for each field: its noise, every method, and how far the network is ahead."""
    methods = ["noisy", OURS, *BASELINES]
    table = Table("field", "neighbours", *methods, "ahead by", title=title, title_justify="left")
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row.correlation:.2f}",
            *(f"{row.psnr[method]:.2f}" for method in methods),
            f"{row.over_classical:+.2f}",
        )
    result_console().print(table)


def main() -> None:
    """Train twice, score, write ``results/fluorescence.json``."""
    options = _options()
    settle_threads(options.threads)
    fields = read_fields(DATA / "fmd-fluorescence", options.fields)
    captured = compare(fields, options, "captured", options.grids)
    print_rows("PSNR in dB, held-out halves", captured)
    architecture = Architecture(
        network="unet", width=options.width, depth=options.depth, channels=1
    )
    result = {
        "command": command_line(),
        "machine": machine(),
        "architecture": asdict(architecture),
        "fields": {name: row.to_json() for name, row in captured.items()},
        "mean": _means(captured.values()),
    }
    write_json(options.results, result)
    correlated = [field.name for field in fields if field.is_correlated]
    if not correlated or options.captured_only:
        return
    mixed = [whitened(field) if field.is_correlated else field for field in fields]
    rows = compare(mixed, options, "whitened", grids=False)
    white = {name: rows[name] for name in correlated}
    print_rows("The same, the noise of correlated fields whitened", white)
    costs = {name: cost_of_correlation(captured[name], row) for name, row in white.items()}
    result |= {
        "whitened": {name: row.to_json() for name, row in white.items()},
        "dB lost to correlation": costs,
    }
    write_json(options.results, result)


def _means(rows: Collection[Row]) -> dict[str, float]:
    return {
        "over noisy": round(float(np.mean([row.over_noisy for row in rows])), 3),
        "over the best classical": round(float(np.mean([row.over_classical for row in rows])), 3),
    }


def _rounded(values: Mapping[str, float], digits: int = 3) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fluorescence, trained from its raw pairs.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=20.0, help="for each of two trainings")
    length.add_argument("--steps", type=int, help="for each training, instead")
    parser.add_argument("--fields", default="", help="regular expression of names; default all")
    parser.add_argument("--gain", type=float, default=1.0, help="of brightness, as of train")
    parser.add_argument("--width", type=int, default=32, help="channels of the U-Net")
    parser.add_argument("--depth", type=int, default=4, help="halvings of the U-Net")
    parser.add_argument("--threads", type=int, help="default: one or all, what is faster")
    parser.add_argument("--captured-only", action="store_true", help="without the second training")
    parser.add_argument("--grids", action="store_true", help="write pictures beside the results")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where trainings are kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
