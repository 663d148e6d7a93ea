"""``blockwright evaluate``: how good a model is, compared with the classical methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from graphs.noise2noise.commands.common import (
    Json,
    Overwrite,
    explaining,
    print_result,
    progress_console,
    result_console,
)

if TYPE_CHECKING:
    from graphs.noise2noise.quality.evaluation import Evaluation, Sample

MUCH_CLIPPED = 0.01
"""The share of clipped values from which on an estimate is said to be too high."""


def evaluate(
    noisy: Annotated[Path, typer.Argument(metavar="NOISY", help="A picture, or a folder of them.")],
    pattern: Annotated[
        str | None, typer.Option(help="How file names are built, such as '{scene}_raw{shot}.png'.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            "-r",
            help="Clean pictures of the same names, or with --pattern, a path with {scene} in it.",
        ),
    ] = None,
    second: Annotated[
        Path | None,
        typer.Option("--second", "-s", help="Other noisy shots, if there are no clean pictures."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", "-m", help="Weights, or a run's folder; by default the shipped weights."
        ),
    ] = None,
    others: Annotated[
        list[Path] | None,
        typer.Option("--also", help="Results of another program to score, with the same names."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for scores.csv and grid.png."),
    ] = None,
    fit: Annotated[
        bool,
        typer.Option("--fit", help="Fit each result to its reference by a straight line first."),
    ] = False,
    peak: Annotated[
        float | None,
        typer.Option(help="The value of white in the files; by default the largest they can hold."),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines/--no-baselines", help="Whether to score classical methods too."),
    ] = True,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score a model, beside wavelets, total variation and non-local means at their best.

    PSNR is the course's: 10 log10(peak^2 / mse) of each picture, over all its pixels and channels,
    averaged over pictures; so is SSIM. Without clean pictures, a second noisy shot of each will do:
    PSNR is then estimated, with a 95 % interval, provided that the noise of the two is independent.
    Each classical method gets the strength with the least error on these very pictures. Without a
    model, the shipped weights are used, on pictures rescaled as 'blockwright denoise' does. With a
    pattern, the first two shots of each scene are scored by one another, or all by its reference.
    In a course's pickle, the second pictures serve as clean ones, or as other shots if they are
    about as noisy as the first.

    \b
    Examples:
      blockwright evaluate noisy --reference clean -m run -o scores
      blockwright evaluate shots-a --second shots-b -m model.safetensors
      blockwright evaluate cells --pattern '{scene}_raw{shot}.png' -r 'cells/{scene}_gt.png'
      blockwright evaluate val_data.pkl -m run
      blockwright evaluate cell.tif --reference average.tif --fit --json
    """
    from graphs.noise2noise.errors import InputError
    from graphs.noise2noise.files import require_free
    from graphs.noise2noise.quality.baselines import BASELINES
    from graphs.noise2noise.quality.evaluation import NOISY
    from graphs.noise2noise.quality.samples import read_samples, require_distinct, title_of
    from graphs.noise2noise.quality.scores import REFERENCE, scores_json

    with explaining():
        files = {} if output is None else _files(output)
        for path in files.values():
            require_free(path, overwrite)
        title = "Blockwright" if model is None else title_of(model)
        classical = BASELINES if baselines else ()
        require_distinct([NOISY, title, *classical, *map(title_of, others or ()), REFERENCE])
        samples = read_samples(
            noisy,
            pattern=pattern,
            reference=reference,
            second=second,
            others=others or (),
            peak=peak,
        )
        if fit and samples[0].reference is None:
            raise InputError("results are fitted to clean pictures: add --reference")
        evaluation = _evaluate(samples, model, title, fit=fit, baselines=baselines)
        if output is not None:
            _write(output, evaluation, samples)
        text = "\n".join(f"{name}: {path}" for name, path in files.items())
        if evaluation.is_estimated and evaluation.clipped > MUCH_CLIPPED:
            progress_console().print(
                f"{evaluation.clipped:.0%} of the values are clipped at black or white, where "
                "noise does not average out: the estimates are too high",
                soft_wrap=True,
            )
        if as_json:
            print_result(scores_json(evaluation) | files, text, as_json=True)
            return
        _print_table(evaluation, len(samples), fit)
        if text:
            typer.echo(text)


def _evaluate(
    samples: list[Sample], model: Path | None, title: str, *, fit: bool, baselines: bool
) -> Evaluation:
    from graphs.noise2noise.networks import load_network
    from graphs.noise2noise.quality.evaluation import Method, evaluate
    from graphs.noise2noise.restoring import Restorer
    from graphs.noise2noise.restoring.shipped import cleaned
    from graphs.noise2noise.training.threads import settle_threads

    settle_threads(None)
    loaded = load_network(model)
    restore = Restorer(loaded.network, loaded.architecture.channels)
    console = progress_console()
    method: Method = restore if model else lambda noisy: cleaned(noisy, restore)
    methods = {title: method}
    if not console.is_terminal:
        return evaluate(samples, methods, fit=fit, baselines=baselines)
    with console.status("Trying the strengths of the classical methods ...") as status:
        return evaluate(
            samples,
            methods,
            fit=fit,
            baselines=baselines,
            advance=lambda picture: status.update(Text(f"Scoring {picture} ...")),
        )


def _files(output: Path) -> dict[str, Path]:
    return {"scores": output / "scores.csv", "grid": output / "grid.png"}


def _write(output: Path, evaluation: Evaluation, samples: list[Sample]) -> None:
    from graphs.noise2noise.quality.scores import write_grid, write_scores

    files = _files(output)
    write_scores(files["scores"], evaluation)
    write_grid(files["grid"], evaluation, samples)


def _print_table(evaluation: Evaluation, count: int, fit: bool) -> None:
    from graphs.noise2noise.quality.scores import scores_table

    result_console().print(scores_table(evaluation))
    pictures = f"{count} pictures" if count > 1 else "1 picture"
    basis = "estimated from noisy pairs" if evaluation.is_estimated else "against the references"
    if fit:
        basis += ", each result brought to its reference by a straight line"
    typer.echo(f"means over {pictures}, {basis}")
