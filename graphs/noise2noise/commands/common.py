"""What the commands share: options, output and how they report bad input."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from ops import BlockwrightError

Minutes = Annotated[float, typer.Option(help="How long to train.")]
Steps = Annotated[
    int | None,
    typer.Option(help="Train for this many steps instead, the same on every machine.", min=1),
]
Seed = Annotated[int, typer.Option(help="Seed for everything random.", min=0, max=2**63 - 1)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Print results as JSON, one object per line.")]

WIDTH_OF_FILES = 200
"""Characters per line in output to a file or a pipe."""


@contextmanager
def explaining() -> Iterator[None]:
    """Report bad input as one sentence on standard error, with exit status 2."""
    try:
        yield
    except BrokenPipeError:  # the reader is gone, which is no fault of the input
        raise
    except (BlockwrightError, OSError) as error:
        typer.echo(f"blockwright: {error}", err=True)
        raise typer.Exit(2) from None


def progress_console() -> Console:
    """Standard error: for progress and notes, never for results."""
    return Console(stderr=True)


def result_console() -> Console:
    """Standard output, for tables: as wide as the terminal or, elsewhere, as any table needs."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_FILES)


def print_result(result: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result to standard output.

    Args:
        result: for programs, printed as JSON; paths and the like become strings.
        text: for people.
        as_json: whether to print ``result`` rather than ``text``.
    """
    typer.echo(json.dumps(_finite(result), default=str) if as_json else text)


def _finite(value: object) -> object:
    """The same value, with null where JSON has no number: NaN, and the PSNR of equal pictures."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
