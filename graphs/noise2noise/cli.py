"""The command line: ``blockwright demo``, ``blockwright train`` and ``blockwright denoise``.

Results go to standard output, progress and errors to standard error. Bad input ends in one
sentence and exit status 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

try:
    import typer
    from rich.console import Console
except ModuleNotFoundError as missing:
    raise SystemExit(
        f"the command line needs {missing.name}: pip install 'blockwright[app]'"
    ) from None

from ops import BlockwrightError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Minutes = Annotated[float, typer.Option(help="How long to train.")]
Steps = Annotated[
    int | None,
    typer.Option(help="Train for this many steps instead, the same on every machine.", min=1),
]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]


def main() -> None:
    """The console script."""
    app(prog_name="blockwright")


@app.callback()
def blockwright() -> None:
    """Clean noisy pictures with a network that has only ever seen noisy ones.

    \b
    Examples:
      blockwright demo
      blockwright train shots-a shots-b -o model.safetensors
      blockwright denoise photo.jpg -o clean.jpg -m model.safetensors
    """


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the figure and the weights.")
    ] = Path("blockwright-demo"),
    minutes: Minutes = 1.75,
    steps: Steps = None,
    seed: Seed = 0,
) -> None:
    """Watch a network learn to denoise from noisy photographs alone.

    It trains on noisy pairs made from photographs that come with scikit-image, then cleans
    photographs that it was not trained on, and compares. Ctrl-C ends the training early and goes on
    with what has been learned. Files of an earlier demo are replaced.

    \b
    Examples:
      blockwright demo
      blockwright demo --minutes 0.5 -o quick
    """
    from graphs.noise2noise.demo import quality_table, run_demo
    from graphs.noise2noise.training import Plan

    with _explaining():
        plan = Plan(seconds=60 * minutes, steps=steps)
        result = run_demo(output, plan, seed=seed, console=_progress_console())
        Console().print(quality_table(result.restored))
        for name, path in {"figure": result.figure, "weights": result.weights}.items():
            typer.echo(f"{name}: {path}")


@app.command()
def train(
    first: Annotated[Path, typer.Argument(metavar="FOLDER_A", help="Noisy pictures.")],
    second: Annotated[
        Path, typer.Argument(metavar="FOLDER_B", help="Other shots of them, of the same names.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the weights.")],
    minutes: Minutes = 10.0,
    steps: Steps = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train on your own pictures: two noisy shots of each scene, no clean ones.

    The two shots of a scene have the same file name, one in each folder, and show the same pixels
    but for the noise: a tripod, the same exposure. PNG, JPEG and TIFF, 8-bit, grey or RGB. Ctrl-C
    ends the training early and keeps what has been learned.

    \b
    Examples:
      blockwright train shots-a shots-b -o model.safetensors
      blockwright train shots-a shots-b -o model.safetensors --minutes 60 --overwrite
    """
    from graphs.noise2noise.folders import train_on_folders
    from graphs.noise2noise.training import Plan

    with _explaining():
        plan = Plan(seconds=60 * minutes, steps=steps)
        console = _progress_console()
        result = train_on_folders(
            first, second, output, plan, seed=seed, overwrite=overwrite, console=console
        )
        done = "" if result.finished else ", stopped early"
        typer.echo(f"trained on {result.pictures} pairs, {len(result.training.losses)} steps{done}")
        typer.echo(f"weights: {output}")


@app.command()
def denoise(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="Pictures to clean.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File for one picture, or folder for any number.")
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="File of weights; by default those that come along."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Clean pictures: PNG, JPEG or TIFF, 8-bit, grey or RGB, of any size.

    Each result has the size and the channels of its picture. The weights that come along were
    trained on noise of standard deviation 25 on the scale of 0 to 255, independent from pixel to
    pixel; for your own camera train your own.

    \b
    Examples:
      blockwright denoise photo.jpg -o clean.jpg
      blockwright denoise shots/*.png -o clean -m model.safetensors
    """
    from graphs.noise2noise.folders import denoise_files

    with _explaining():
        for path in denoise_files(pictures, model, output, overwrite=overwrite):
            typer.echo(path)


@contextmanager
def _explaining() -> Iterator[None]:
    """Bad input as one sentence on standard error and exit status 2."""
    try:
        yield
    except (BlockwrightError, OSError) as error:
        typer.echo(f"blockwright: {error}", err=True)
        raise typer.Exit(2) from None


def _progress_console() -> Console:
    return Console(stderr=True)


if __name__ == "__main__":
    main()
