"""``blockwright inspect``: find what is wrong with pictures before training on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from graphs.noise2noise.commands.common import (
    Json,
    explaining,
    print_result,
    progress_console,
    result_console,
)

if TYPE_CHECKING:
    from graphs.noise2noise.inspection.findings import Findings
    from graphs.noise2noise.inspection.loading import SceneFiles


def inspect(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURES...", help="Folders or files, as for training.")
    ],
    pattern: Annotated[
        str | None, typer.Option(help="How file names are built, such as '{scene}_raw{shot}.png'.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            "-r",
            help="Clean pictures: a file, a folder, or a path with {scene} in it.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for what would spoil a training, and say what to do.

    PICTURES are what you would train on: two folders of shots with the same names, a folder of
    bursts, stacks, single pictures, or a course's train_data.pkl; or the files of one scene. For
    each scene it measures how strong the noise is and how it grows with brightness, whether
    neighbouring pixels or the shots share it, whether shots are shifted, drift in brightness or are
    the same file twice, and what is clipped. With a reference, it also measures how the shots
    differ from it. All values are on the files' own scale.

    \b
    Examples:
      blockwright inspect shots-a shots-b
      blockwright inspect burst_1.png burst_2.png burst_3.png
      blockwright inspect cells --pattern '{scene}_raw{shot}.png' -r 'cells/{scene}_gt.png'
      blockwright inspect stack.tif --json
    """
    from graphs.noise2noise.inspection.advice import advise
    from graphs.noise2noise.inspection.loading import find_scene_files
    from graphs.noise2noise.inspection.table import advice_text, findings_table

    with explaining():
        findings = _inspect(find_scene_files(pictures, pattern, reference))
        advice = advise(findings)
        text = advice_text(advice, len(findings))
        if not as_json:
            result_console().print(findings_table(findings))
            typer.echo()
        result = {"scenes": list(map(_fields, findings)), "advice": list(map(asdict, advice))}
        print_result(result, text, as_json=as_json)


def _inspect(scenes: Sequence[SceneFiles]) -> list[Findings]:
    from graphs.noise2noise.inspection.findings import inspect_scene
    from graphs.noise2noise.inspection.loading import read_scene

    console = progress_console()
    if not console.is_terminal:
        return [inspect_scene(read_scene(scene)) for scene in scenes]
    findings = []
    with console.status("") as status:
        for number, scene in enumerate(scenes, start=1):
            status.update(Text(f"{number} of {len(scenes)}: {scene.name}"))
            findings.append(inspect_scene(read_scene(scene)))
    return findings


def _fields(scene: Findings) -> dict[str, object]:
    """Everything that was measured, and what follows from it."""
    return asdict(scene) | {
        "straying": scene.straying,
        "drift": scene.drift,
        "misalignment": scene.misalignment,
        "agreeing": scene.agreeing,
    }
