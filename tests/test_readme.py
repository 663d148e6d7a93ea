"""Every snippet of the README runs."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from graphs.noise2noise.cli import app
from ops import REGISTRY
from tests.noise2noise import small_demo

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[list[str]]:
    lines = "".join(blocks("bash")).splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(program)]


def title(block: str) -> str:
    names = ("check_operator", "GraphBuilder", "Sequential")
    return next(name for name in names if name in block)


def body(block: str) -> list[str]:
    """The lines below the imports."""
    return block.split("\n\n", 1)[-1].splitlines()


@pytest.mark.parametrize("block", blocks("python"), ids=title)
def test_python(block: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    # A module of its own: Hypothesis and error messages look the source up by file.
    path = tmp_path / "snippet.py"
    path.write_text(block)
    names: dict[str, object] = {"__name__": "snippet"}
    try:
        exec(compile(block, str(path), "exec"), names)
    finally:
        REGISTRY.pop("softsign", None)
    if "loss" in names and isinstance(names["loss"], torch.Tensor):
        assert 0 < float(names["loss"]) < 1


def test_the_sizes_that_the_readme_promises() -> None:
    lines = {title(block): len(body(block)) for block in blocks("python")}
    assert lines["check_operator"] < 15
    assert lines["GraphBuilder"] <= 20
    assert lines["Sequential"] <= 10


def test_blockwright_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile
    monkeypatch.setattr("graphs.noise2noise.data.photographs.PHOTOGRAPHS", {})  # undone afterwards
    small_demo.use_small_photographs()
    for seed, name in enumerate(("shots-a/one.png", "shots-b/one.png", "photo.png")):
        pixels = np.random.default_rng(seed).integers(0, 256, (72, 64, 3), np.uint8)
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(name)
    assert commands("blockwright")
    for arguments in commands("blockwright"):
        quick = ["--minutes", "0.01"] if arguments[0] == "denoise" else []
        quick = ["--steps", "2"] if arguments[0] in ("train", "demo") else quick
        result = CliRunner().invoke(app, [*arguments, *quick])
        assert result.exit_code == 0, result.output
    for name in ("clean.png", "clean-too.png", "run/best.safetensors", "quick/demo.png"):
        assert Path(name).stat().st_size


def test_make_targets() -> None:
    targets = [arguments[0] for arguments in commands("make")]
    assert targets == ["demo", "test"]
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
