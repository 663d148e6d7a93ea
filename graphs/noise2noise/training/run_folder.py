"""The folder of a training run.

    config.toml        the configuration, with every setting that is not open; absolute paths
    command.txt        the command line that started the run
    environment.json   versions, processor, threads, backend, compiler
    data.json          {"files": {path: SHA-256}}, for every file trained on
    metrics.csv        a row at the start, at regular intervals and at the end: step, seconds, lr,
                       loss (mean over the steps since the row before), validation_loss,
                       estimated_psnr; a cell is empty where there is no such number
    checkpoints/step-00001000.safetensors   the newest three, to resume from
    best.safetensors   the weights of the best validation, with their architecture
    report.html        generated from the files above

All but ``metrics.csv`` are replaced atomically. A row of metrics is on disk before the checkpoint
of its step, and rows after the checkpoint that a run resumes from are dropped.
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

from engine.atomic import LEFTOVERS
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import replacing, writing

COLUMNS = ("step", "seconds", "lr", "loss", "validation_loss", "estimated_psnr")
Cell = int | float | None


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run's files, and the writing of its metrics."""

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
        """The table of metrics over the training."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """The folder that holds the checkpoints."""
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        """The HTML report on the run."""
        return self.path / "report.html"

    @property
    def best(self) -> Path:
        """The best weights."""
        return self.path / "best.safetensors"

    def add_metrics(self, row: Mapping[str, Cell]) -> None:
        """Append a row of :data:`COLUMNS`, and flush it to disk."""
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
        """Keep only the rows up to a step; a row that a crash cut short is dropped too."""
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
        """Remove the temporary files of a run that was killed while writing."""
        for folder in (self.path, self.checkpoints):
            for path in folder.glob(LEFTOVERS):
                path.unlink()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The complete rows of a metrics file, with numbers parsed and empty cells as None.

    Raises:
        InputError: it is not a metrics file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        rows = list(csv.DictReader(io.StringIO(whole)))
        return [{name: _number(name, row[name]) for name in COLUMNS} for row in rows]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is damaged: it is no table of {', '.join(COLUMNS)}") from None


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_text(path, to_json(value))


def to_json(value: Mapping[str, Any]) -> str:
    """The text that :func:`write_json` writes."""
    return json.dumps(value, indent=2) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        InputError: it does not.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged: it holds no object")
    return value


def _number(name: str, cell: str) -> Cell:
    if not cell and name not in ("step", "seconds"):
        return None
    return int(cell) if name == "step" else float(cell)
