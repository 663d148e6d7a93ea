"""The folder of a training run.

    config.toml        the configuration, every setting of it; paths are absolute
    command.txt        the command line that started the run
    environment.json   versions, processor, threads, backend, compiler
    data.json          {"files": {path: SHA-256}}, of every file trained on
    metrics.csv        a row at the start, every so many steps and at the end: step, seconds, lr,
                       loss (mean over the steps since the row before), validation_loss,
                       estimated_psnr; a cell is empty where there is no such number
    checkpoints/step-XXXXXXXX.safetensors   the newest three, to go on from
    best.safetensors   the weights of the best validation, with their architecture
    report.html        written from the files above

All but ``metrics.csv`` are replaced whole. A row of metrics is on the disk before the checkpoint of
its step, and rows after the checkpoint that a run goes on from are dropped.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import LEFTOVERS, replacing, writing

COLUMNS = ("step", "seconds", "lr", "loss", "validation_loss", "estimated_psnr")
Cell = int | float | None


@dataclass(frozen=True)
class RunFolder:
    """Names and files of a run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.path / "config.toml"

    @property
    def command(self) -> Path:
        """The command line."""
        return self.path / "command.txt"

    @property
    def environment(self) -> Path:
        """Versions, processor, threads."""
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        """Hashes of the files trained on."""
        return self.path / "data.json"

    @property
    def metrics(self) -> Path:
        """The course of the training in numbers."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        """A page that shows the run."""
        return self.path / "report.html"

    @property
    def best(self) -> Path:
        """The best weights."""
        return self.path / "best.safetensors"

    def add_metrics(self, row: Mapping[str, Cell]) -> None:
        """Append a row of :data:`COLUMNS`, and have it on the disk."""
        is_new = not self.metrics.exists()
        with writing(self.metrics):
            self.path.mkdir(parents=True, exist_ok=True)
            self._append(row, is_new)

    def _append(self, row: Mapping[str, Cell], is_new: bool) -> None:
        with self.metrics.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())

    def drop_metrics_after(self, step: int) -> None:
        """Keep the rows up to a step; one that a crash cut short goes too."""
        if not self.metrics.exists():
            return
        kept = [row for row in read_metrics(self.metrics) if row["step"] <= step]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        write_text(self.metrics, text.getvalue())

    def clear(self) -> None:
        """Remove a run's files, and nothing else."""
        files = (self.config, self.command, self.environment, self.data, self.metrics, self.best)
        for path in (*files, self.report, *self.checkpoints.glob("step-*.safetensors")):
            path.unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove temporary files of a run that was killed while it wrote."""
        for folder in (self.path, self.checkpoints):
            for path in folder.glob(LEFTOVERS):
                path.unlink()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a metrics file, numbers as numbers and empty cells as None.

    Raises:
        InputError: it is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        rows = list(csv.DictReader(io.StringIO(whole)))
        return [{name: _number(name, row[name]) for name in COLUMNS} for row in rows]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is damaged: it is no table of {', '.join(COLUMNS)}") from None


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 as a whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file as a whole."""
    write_text(path, to_json(value))


def to_json(value: Mapping[str, Any]) -> str:
    """What :func:`write_json` writes."""
    return json.dumps(value, indent=2) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of one object.

    Raises:
        InputError: it is no such file.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged: it holds no object")
    return value


def _number(name: str, cell: str) -> Cell:
    if not cell:
        return None
    return int(cell) if name == "step" else float(cell)
