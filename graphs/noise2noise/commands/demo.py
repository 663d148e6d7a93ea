"""``blockwright demo``: watch a network learn to denoise from noisy photographs alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    result_console,
)

if TYPE_CHECKING:
    from graphs.noise2noise.quality.metrics import Quality


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the figure and the weights.")
    ] = Path("blockwright-demo"),
    minutes: Minutes = 1.75,
    steps: Steps = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Watch a network learn to denoise from noisy photographs alone.

    A small U-Net trains on noisy pairs made from photographs that come with scikit-image, then
    cleans photographs that it was not trained on, and compares the results with those of classical
    methods. Ctrl-C ends the training early and continues with what has been learned so far.

    \b
    Examples:
      blockwright demo
      blockwright demo --minutes 0.5 -o quick
    """
    from graphs.noise2noise.demo import quality_table, run_demo

    with explaining():
        result = run_demo(
            output,
            seconds=60 * minutes,
            steps=steps,
            seed=seed,
            console=progress_console(),
            overwrite=overwrite,
        )
        if not as_json:
            result_console().print(quality_table(result.restored))
        files = {"figure": result.figure, "weights": result.weights}
        text = "\n".join(f"{name}: {path}" for name, path in files.items())
        qualities = {shot.name: _figures(shot.qualities) for shot in result.restored}
        print_result({**files, "qualities": qualities}, text, as_json=as_json)


def _figures(qualities: Mapping[str, Quality]) -> dict[str, dict[str, float]]:
    return {method: quality._asdict() for method, quality in qualities.items()}
