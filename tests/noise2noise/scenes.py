"""Small pictures, files of them, and the command line run on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from graphs.noise2noise.cli import app
from graphs.noise2noise.images import from_bytes, to_bytes


def cat(height: int = 96, width: int = 128) -> torch.Tensor:
    """A part of a photograph, (3, height, width) in [0, 1]."""
    return from_bytes(skimage.data.chelsea()[60 : 60 + height, 120 : 120 + width])


def bytes_of(height: int, width: int, *channels: int, seed: int = 0) -> np.ndarray:
    """Random 8-bit pixels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, *channels), np.uint8)


def noisy(clean: torch.Tensor, seed: int = 0, sigma: float = 25.0) -> torch.Tensor:
    """A picture with noise as a file can hold it: in whole levels from 0 to 255."""
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    return from_bytes(to_bytes(clean + noise * (sigma / 255)))


def save(path: Path, pixels: torch.Tensor | np.ndarray) -> Path:
    """Write pixels to a file, creating its folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = to_bytes(pixels) if isinstance(pixels, torch.Tensor) else pixels
    Image.fromarray(array).save(path)
    return path


def load(path: Path) -> torch.Tensor:
    """A file's pixels, (3, H, W) in [0, 1]."""
    with Image.open(path) as image:
        return from_bytes(np.asarray(image))


def names(folder: Path) -> list[str]:
    """Every file in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def shots(folder: Path, count: int = 2, height: int = 40, width: int = 48) -> tuple[Path, Path]:
    """Two folders of noisy pictures, paired by name."""
    clean = cat(height, width)
    for i in range(count):
        save(folder / "a" / f"{i}.png", noisy(clean, seed=2 * i))
        save(folder / "b" / f"{i}.png", noisy(clean, seed=2 * i + 1))
    return folder / "a", folder / "b"


def blockwright(*arguments: object) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="blockwright")


def on_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Result:
    """Run the command line in this process as on a wide terminal that shows progress."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    result = blockwright(*arguments)
    assert result.exit_code == 0, result.output
    return result


def complaint(*arguments: object) -> str:
    """The command line's error message: one line, nothing else, and exit status 2."""
    result = blockwright(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    start, said = line.split(": ", 1)
    assert start == "blockwright"
    return said


def without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the shipped weights, so that everything is learned."""
    monkeypatch.setattr("graphs.noise2noise.restoring.shipped.SHIPPED", Path("there-is-none"))
