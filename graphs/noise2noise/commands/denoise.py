"""``blockwright denoise``: clean pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphs.noise2noise.commands.common import Json, Overwrite, explaining, print_result


def denoise(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="Pictures to clean.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File for one picture, or folder for any number.")
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="Run or file of weights; by default what comes along."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Clean pictures: PNG, JPEG or TIFF, 8-bit, grey or RGB, of any size.

    Each result has the size and the channels of its picture. The weights that come along were
    trained on noise of standard deviation 25 on the scale of 0 to 255, independent from pixel to
    pixel; for your own camera train your own.

    \b
    Examples:
      blockwright denoise photo.jpg -o clean.jpg
      blockwright denoise shots/*.png -o clean -m run
    """
    from graphs.noise2noise.restoring.files import denoise_files

    with explaining():
        for path in denoise_files(pictures, model, output, overwrite=overwrite):
            print_result({"output": path}, str(path), as_json=as_json)
