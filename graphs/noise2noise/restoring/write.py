"""Cleans pictures into files, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from rich import progress as bars
from rich.console import Console

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Raster, Scale, creating, release
from graphs.noise2noise.restoring.cleaner import Advance, Cleaner, Write, advance_part


def write_frames(
    target: Path, raster: Raster, cleaner: Cleaner, scale: Scale, console: Console
) -> None:
    """Clean every frame of a raster into a file of the same kind.

    Args:
        target: the file; it appears once everything is done.
        raster: of any kind that such a file can hold.
        cleaner: does the cleaning.
        scale: to the values that the cleaner takes.
        console: shows progress on a terminal.

    Raises:
        InputError: the file cannot be written, or the result is not finite somewhere.
    """
    with creating(target, raster) as result, _shown(target.name, console) as advance:
        for frame in range(raster.frames):
            write = _writer(target, result.planes(frame), scale)
            _clean(
                raster, frame, cleaner, scale, write, advance_part(advance, frame, raster.frames)
            )


def write_mean(
    target: Path, rasters: Sequence[Raster], cleaner: Cleaner, scale: Scale, console: Console
) -> None:
    """Clean every frame of all rasters and write their mean. See :func:`write_frames`."""
    frames = [(raster, frame) for raster in rasters for frame in range(raster.frames)]
    kind = rasters[0].first_frame()
    with creating(target, kind) as result, _shown(target.name, console) as advance:
        total = torch.zeros((kind.channels, *kind.size))

        def add(rows: slice, columns: slice, part: torch.Tensor) -> None:
            total[:, rows, columns] += part[0]

        for i, (raster, frame) in enumerate(frames):
            _clean(raster, frame, cleaner, scale, add, advance_part(advance, i, len(frames)))
        _require_finite(target, total)
        result.planes()[...] = scale.from_unit(total / len(frames), kind.dtype)


def _writer(target: Path, planes: np.ndarray, scale: Scale) -> Write:
    def write(rows: slice, columns: slice, part: torch.Tensor) -> None:
        _require_finite(target, part)
        planes[:, rows, columns] = scale.from_unit(part[0], planes.dtype)
        release(planes)

    return write


def _require_finite(target: Path, clean: torch.Tensor) -> None:
    if not clean.isfinite().all():
        raise InputError(
            f"{target} is not written: the picture has numbers so large that the network's result "
            "is none"
        )


def _clean(
    raster: Raster, frame: int, cleaner: Cleaner, scale: Scale, write: Write, advance: Advance
) -> None:
    planes = raster.planes(frame)

    def read(rows: slice, columns: slice) -> torch.Tensor:
        values = scale.to_unit(planes[:, rows, columns])[None]
        release(planes)
        return values

    cleaner.restore((1, *planes.shape), read, write, advance)


@contextmanager
def _shown(name: str, console: Console) -> Iterator[Advance]:
    if not console.is_terminal:
        yield lambda share: None
        return
    columns = (
        bars.TextColumn("Cleaning {task.description}", markup=False),
        bars.BarColumn(bar_width=16),
        bars.TaskProgressColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console) as display:
        task = display.add_task(name, total=1.0)
        yield lambda share: display.update(task, completed=share)
