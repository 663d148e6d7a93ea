"""``blockwright train``: learn from a user's own noisy pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphs.noise2noise.commands.common import (
    Json,
    Overwrite,
    explaining,
    print_result,
    progress_console,
)
from ops import BlockwrightError

if TYPE_CHECKING:
    from rich.console import Console

    from graphs.noise2noise.report.contents import RunReport
    from graphs.noise2noise.training.begin import Outcome
    from graphs.noise2noise.training.configuration import Configuration

LENGTHS = {"steps", "minutes"}
"""The settings for how long to train: either, if given as an option, overrides both in a file."""


def train(
    context: typer.Context,
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="PICTURES", help="Folders or files; see above."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the run.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file of settings, named like the options from --pattern on."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue the run in this folder.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    pattern: Annotated[
        str | None, typer.Option(help="How file names are built, such as '{scene}_raw{shot}.png'.")
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help="The pictures are clean: add this noise. gaussian:25, gaussian:0-50, "
            "correlated:25, poisson:30, bernoulli:0.5, impulse:0.3, text:0.25 or speckle:0.2."
        ),
    ] = None,
    targets: Annotated[
        str | None, typer.Option(help="With --noise: noisy, or clean for comparison.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="l2, l1, l0 or masked; by default what fits the noise.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="unet, or report: small, and learns all it can in a minute."),
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="Channels of the network's first convolution.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="How many times the U-Net halves the resolution.")
    ] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam or sgd.")] = None,
    lr: Annotated[float | None, typer.Option(help="The highest learning rate.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="cosine, constant, step or ramp-down.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Examples per step.")] = None,
    crop: Annotated[
        int | None,
        typer.Option(help="Side of the square crops; by default at most the smallest picture's."),
    ] = None,
    gain: Annotated[
        float | None,
        typer.Option(
            help="Largest factor by which half of the squares are made brighter or darker: for "
            "pictures with brighter parts than those trained on."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps to train for; repeatable to the last bit.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes to train for; 10 if neither is given.")
    ] = None,
    validation: Annotated[
        float | None, typer.Option(help="Fraction of the pictures held out; 0 for none.")
    ] = None,
    validate_every: Annotated[
        int | None, typer.Option(help="Steps between validations and checkpoints.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Validations without a new best before the learning rate drops to a tenth, and as "
            "many more before training ends; 0 for never.  [default: 20]"
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads to compute with.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed for everything random.")] = None,
) -> None:
    """Train on your own noisy pictures; no clean ones are needed.

    PICTURES are one of these:

    \b
      - two or more folders: files of the same name are shots of one scene
      - a folder whose file names follow a --pattern, or that has a folder
        for each burst, or that has a stack (TIFF, .npy) for each scene
      - stacks of repeated shots, each a file
      - the files of one burst: shots that look alike
      - a folder of single noisy pictures (Neighbor2Neighbor)
      - with --noise: clean pictures, for experiments
      - a course's train_data.pkl

    Shots of a scene must show the same pixels apart from the noise: use a tripod and the same
    exposure. Some pictures are held out; these, noisy as they are, decide which weights are best,
    and training ends by itself when they no longer improve. A training that diverges says so and
    returns to its best weights, at half the learning rate. The run's folder holds the settings,
    hashes of the data, metrics, checkpoints, best.safetensors for 'blockwright denoise -m', and
    report.html, which shows it all. Ctrl-C ends a run early, and --resume continues it: with
    --steps to exactly the weights of an uninterrupted run, with --minutes to about the same.
    Progress is shown on a terminal only; elsewhere metrics.csv tells how far a run is.

    \b
    Examples:
      blockwright train shots-a shots-b -o run
      blockwright train bursts --pattern '{scene}_{shot}.tif' -o run --minutes 60
      blockwright train stack.tif -o run --steps 5000 --patience 10
      blockwright train photos --noise gaussian:0-50 -o run --config settings.toml
      blockwright train --resume run
    """
    from graphs.noise2noise.errors import InputError
    from graphs.noise2noise.training.begin import begin, go_on
    from graphs.noise2noise.training.run_folder import RunFolder

    with explaining():
        console = progress_console()
        given = _settings(context.params)
        if resume is not None:
            if given or output or config or overwrite:
                raise InputError("a run goes on with its own settings: give --resume alone")
            outcome = go_on(RunFolder(resume), console)
        else:
            if output is None:
                raise InputError("expected a folder for the run, such as -o run")
            configuration = _configuration(given, config)
            folder = RunFolder(output)
            outcome = begin(configuration, folder, overwrite=overwrite, console=console)
        report = _report(outcome, console)
        summary, text = _results(outcome, report)
        print_result(summary, text, as_json=as_json)
        if report is None:
            raise typer.Exit(2)


def _settings(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given on the command line."""
    from graphs.noise2noise.training.configuration import SETTINGS

    given = {name: parameters[name] for name in SETTINGS}
    return {name: value for name, value in given.items() if value not in (None, [], ())}


def _configuration(given: Mapping[str, Any], config: Path | None) -> Configuration:
    """The configuration from the settings given, which take precedence, and those in a file."""
    from graphs.noise2noise.training.configuration import Configuration

    settings = Configuration.settings_in(config) if config is not None else {}
    if LENGTHS & given.keys():
        settings = {name: value for name, value in settings.items() if name not in LENGTHS}
    return Configuration.from_mapping({**settings, **given})


def _report(outcome: Outcome, console: Console) -> RunReport | None:
    """The page about the run; if it cannot be made, the training still counts."""
    from graphs.noise2noise.report.run_report import write_run_report

    try:
        return write_run_report(outcome.folder)
    except (BlockwrightError, OSError) as error:
        console.print(f"No report: {error}", markup=False, highlight=False, soft_wrap=True)
        return None


def _results(outcome: Outcome, report: RunReport | None) -> tuple[dict[str, Any], str]:
    """The results for programs, and in words."""
    from graphs.noise2noise.training.begin import counted

    position, best = outcome.position, outcome.folder.best
    page = None if report is None else outcome.folder.report
    quality = None if report is None else report.quality
    summary = {
        "run": outcome.folder.path,
        "weights": best,
        "report": page,
        "scenes": outcome.scenes,
        "steps": position.step,
        "finished": outcome.finished,
        "best_step": position.best_step,
        "estimated_psnr": position.best_psnr if quality is None else quality.psnr,
        "interval": None if quality is None else [quality.low, quality.high],
    }
    done = "" if outcome.finished else ", stopped early"
    text = f"trained on {counted(outcome.scenes, 'scene')}, {counted(position.step, 'step')}{done}"
    if summary["estimated_psnr"] is not None:
        text += f"\nestimated PSNR on held-out pictures: {summary['estimated_psnr']:.2f} dB"
        if quality is not None:
            text += f", {quality.level:.0%} interval {quality.low:.2f} to {quality.high:.2f} dB"
        text += f", after {counted(position.best_step, 'step')}"
    text += f"\nweights: {best}"
    return summary, text if page is None else f"{text}\nreport: {page}"
