"""``blockwright denoise``: clean pictures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from graphs.noise2noise.commands.common import (
    Json,
    Overwrite,
    Seed,
    explaining,
    print_result,
    progress_console,
)
from graphs.noise2noise.commands.memory import MaxMemory, parse_bytes


def denoise(
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE...", help="Files to clean, or folders."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File for one result, or folder for any number."),
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="Weights, or the folder of a training's run."),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="How names are made, as '{scene}_raw{shot}.png'.")
    ] = None,
    method: Annotated[
        Literal["auto", "model", "zero-shot", "repeats", "neighbours"],
        typer.Option(help="How; by default what fits the pictures."),
    ] = "auto",
    minutes: Annotated[float, typer.Option(help="How long it may take, about.")] = 2.0,
    average: Annotated[
        bool, typer.Option("--average", help="Make one picture of all shots of a scene.")
    ] = False,
    max_memory: MaxMemory = "1G",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Clean pictures: PNG, JPEG, TIFF or .npy, of any size, of 8 or 16 bits or floats.

    A result has the kind, the numbers, the channels and the metadata of its picture; of a PNG with
    a palette or of less than 8 bits, it is RGB or grey of 8, and one transparent colour becomes
    opacity. An array of three axes is one picture where its last or first axis is 4 or less, its
    channels; else it is a stack of frames. One of four axes is (frames, channels, height, width),
    or has its channels last where they are 4 or less. Of a course's pickle the first shots are
    cleaned, into a stack. What is done follows from what there is, and is told on standard error:

    \b
      even noise               model: the weights that come along, in seconds
      a single picture         zero-shot: learns from its own pixels
      shots of one scene,      repeats: learns to predict each from the others;
      as files or as a stack   into one file it writes their mean, cleaned
      different pictures       neighbours: learns from neighbouring pixels of all
      a model (-m)             uses that and learns nothing

    Several scenes are several stacks, folders whose files of one name show one scene, a folder of
    folders each of which is a burst, or names that follow a --pattern. Their results keep their
    folders; with --average there is one picture for each scene.

    Noise is even if every pixel has as much of it, or so much more where it is bright as photons
    bring about; of such, the weights know all but very weak noise and very few photons, on pictures
    of one channel or three, in files of one picture. They clean single pictures, different ones,
    and the mean of shots of a scene; where each shot is to be cleaned, the others tell more. If
    neighbouring pixels share noise, they clean pixels that lie apart, where it is no texture for
    sure, or with '--method model'. Zero-shot and neighbours take it for independent.

    \b
    Examples:
      blockwright denoise photo.png -o clean.png
      blockwright denoise burst/*.tif -o clean.tif --minutes 10
      blockwright denoise stack.tif -o clean.tif --average
      blockwright denoise shots-a shots-b -o clean --average
      blockwright denoise cells --pattern '{scene}_raw{shot}.png' -o clean
      blockwright denoise shots -o clean -m model.safetensors --max-memory 500M
    """
    from graphs.noise2noise.restoring.denoise import denoise_files
    from graphs.noise2noise.restoring.options import Options

    with explaining():
        options = Options(
            pattern=pattern,
            method=None if method == "auto" else method,
            model=model,
            seconds=60 * minutes,
            average=average,
            max_bytes=parse_bytes(max_memory),
            seed=seed,
            overwrite=overwrite,
        )
        for result in denoise_files(pictures, output, options, progress_console()):
            summary = {
                "output": result.output,
                "method": result.choice.method,
                "reason": result.choice.reason,
                "noise": None if result.noise is None else asdict(result.noise),
                "seconds": round(result.seconds, 3),
            }
            print_result(summary, str(result.output), as_json=as_json)
