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
        typer.Argument(metavar="PICTURE...", help="Files or folders to clean."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="A file for one result, or a folder for any number."),
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="Weights, or the folder of a training run."),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="How file names are built, such as '{scene}_raw{shot}.png'.")
    ] = None,
    method: Annotated[
        Literal["auto", "model", "zero-shot", "repeats", "neighbours"],
        typer.Option(help="How to denoise; by default what fits the pictures."),
    ] = "auto",
    minutes: Annotated[float, typer.Option(help="How long it may take to learn, roughly.")] = 2.0,
    average: Annotated[
        bool, typer.Option("--average", help="Make one picture of all shots of a scene.")
    ] = False,
    max_memory: MaxMemory = "1G",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Clean pictures: PNG, JPEG, TIFF or .npy, of any size, of 8 or 16 bits or floats.

    A result has the format, number type, channels and metadata of its picture; a PNG with a palette
    or fewer than 8 bits becomes 8-bit RGB or grey, and its single transparent colour becomes
    opacity. An array of three axes is one picture if its last or first axis, the channels, is 4 or
    less; otherwise it is a stack of frames. One of four axes is (frames, channels, height, width),
    or has its channels last if these are 4 or less. Of a course's pickle, the first shots are
    cleaned, into a stack. The method follows from what you have, and is reported on standard error:

    \b
      even noise               model: the shipped weights, in seconds
      a single picture         zero-shot: learns from its own pixels
      shots of one scene,      repeats: learns to predict each from the others;
      as files or as a stack   with --average, or one output for several files,
                               it writes their mean, cleaned
      different pictures       neighbours: learns from neighbouring pixels of all
      a model (-m)             uses that and learns nothing

    Several scenes can be several stacks, folders in which files of the same name show the same
    scene, a folder with a folder for each burst, or file names that follow a --pattern. Their
    results keep their folders; with --average there is one picture for each scene.

    Noise is even if it is equally strong everywhere, or grows with brightness as photon noise does.
    The shipped weights know such noise unless it is very weak or there are very few photons, on
    pictures of one channel or three, in files of one picture. They clean single pictures, different
    pictures, and the mean of a scene's shots; if each shot is to be cleaned, the other shots tell
    more. If neighbouring pixels share noise, the weights clean pixels that lie apart, provided the
    noise cannot be texture, or with '--method model'. Zero-shot and neighbours assume that the
    noise of neighbouring pixels is independent.

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
