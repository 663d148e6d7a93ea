"""``blockwright train``: learn from a user's own noisy pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphs.noise2noise.commands.common import (
    Json,
    Minutes,
    Overwrite,
    Seed,
    Steps,
    explaining,
    print_result,
    progress_console,
)


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
    as_json: Json = False,
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
    from graphs.noise2noise.training.plan import Plan

    with explaining():
        plan = Plan(seconds=60 * minutes, steps=steps)
        console = progress_console()
        result = train_on_folders(
            first, second, output, plan, seed=seed, overwrite=overwrite, console=console
        )
        done = "" if result.finished else ", stopped early"
        steps_done = len(result.training.losses)
        summary = {
            "weights": output,
            "pairs": result.pictures,
            "steps": steps_done,
            "finished": result.finished,
        }
        text = f"trained on {result.pictures} pairs, {steps_done} steps{done}\nweights: {output}"
        print_result(summary, text, as_json=as_json)
