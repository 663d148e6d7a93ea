"""``blockwright report``: a training run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphs.noise2noise.commands.common import Json, Overwrite, explaining, print_result


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.")],
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write the report of a training run: report.html in its folder.

    The page needs no other files and no internet. It shows pictures before and after with a slider,
    what was removed, how the training went, a drawing of the network, the memory and time of a
    training step, and everything needed to repeat the run. 'blockwright train' writes it when it
    ends.

    \b
    Examples:
      blockwright report run --overwrite
    """
    from graphs.noise2noise.files import require_free
    from graphs.noise2noise.report.run_report import write_run_report
    from graphs.noise2noise.training.run_folder import RunFolder
    from graphs.noise2noise.training.threads import settle_threads

    with explaining():
        folder = RunFolder(run)
        require_free(folder.report, overwrite)
        settle_threads(None)
        write_run_report(folder)
        print_result({"report": folder.report}, str(folder.report), as_json=as_json)
