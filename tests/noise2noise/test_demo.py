"""The demonstration in miniature: small photographs, few steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from graphs.noise2noise import demo
from graphs.noise2noise.data.photographs import HELD_OUT, TRAINING
from graphs.noise2noise.data.sources import RepeatedShots
from graphs.noise2noise.networks import load_network
from tests.noise2noise import small_demo
from tests.noise2noise.scenes import blockwright, complaint, names

ROOT = Path(__file__).parents[2]
METHODS = ("noisy", "Blockwright", "wavelet", "total variation", "non-local means")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, np.ndarray]:
    monkeypatch.setattr("graphs.noise2noise.data.photographs.PHOTOGRAPHS", {})  # undone afterwards
    monkeypatch.setattr(demo, "ARCHITECTURE", replace(demo.ARCHITECTURE, width=8))
    small_demo.use_small_photographs()
    return small_demo.SMALL


def table(text: str) -> dict[str, list[float]]:
    """The PSNRs of each row, in the order of the columns."""
    rows = {}
    for line in text.splitlines():
        if figures := re.findall(r"(\d+\.\d\d) / \d\.\d{3}", line):
            name = re.sub(r"[^a-z ]", "", line.split(figures[0])[0]).strip()
            rows[name] = [float(figure) for figure in figures]
    return rows


@pytest.mark.usefixtures("small")
def test_it_prints_a_table_and_writes_a_figure_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")  # as in a pipe, which needs no lines to be broken
    out = tmp_path / "new" / "out"
    result = blockwright("demo", "--steps", 60, "-o", out)
    assert result.exit_code == 0, result.output
    assert names(out) == ["demo.png", "model.safetensors"]
    assert result.stdout.endswith(
        f"figure: {out / 'demo.png'}\nweights: {out / 'model.safetensors'}\n"
    )
    heading = next(line for line in result.stdout.splitlines() if "photograph " in line)
    assert [heading.index(method) for method in METHODS] == sorted(map(heading.index, METHODS))
    rows = table(result.stdout)
    assert list(rows) == [*HELD_OUT, "mean"]
    for column in range(len(METHODS)):
        mean = sum(rows[name][column] for name in HELD_OUT) / len(HELD_OUT)
        assert rows["mean"][column] == pytest.approx(mean, abs=0.011)
    noisy, ours, *classical = rows["mean"]
    assert noisy == pytest.approx(20.2, abs=0.2)
    assert all(20.5 < psnr < 40 for psnr in classical)
    assert ours > 15

    told, *more = result.stderr.splitlines()
    assert f"{len(TRAINING)} photographs, two noisy shots of each" in told
    assert more == ["Cleaning the held-out photographs ..."]

    with Image.open(out / "demo.png") as figure:
        figure.load()
        assert figure.format == "PNG"
        assert figure.width == 1500
        assert 1200 < figure.height < 6000
        assert np.asarray(figure).std() > 20
    assert load_network(out / "model.safetensors").architecture == demo.ARCHITECTURE


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes long: classical methods, the figure, many pieces, native code."""
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")
    monkeypatch.setattr(demo, "SCORED_PIECES", 8)
    monkeypatch.setattr(demo, "BASELINES", {})
    monkeypatch.setattr(demo, "draw_figure", lambda path, *_drawn: path.touch())


@pytest.mark.usefixtures("small", "undrawn")
def test_a_later_demo_replaces_an_earlier_if_it_is_asked_to(tmp_path: Path) -> None:
    arguments = ("demo", "--steps", 2, "-o", tmp_path)
    for seed in (0, 0, 1):
        before = {path: path.read_bytes() for path in tmp_path.glob("*.safetensors")}
        if before:
            said = complaint(*arguments, "--seed", seed)
            figure = tmp_path / "demo.png"
            assert said == f"the output {figure} exists already; --overwrite replaces it"
        assert blockwright(*arguments, "--seed", seed, "--overwrite").exit_code == 0
        same = all(path.read_bytes() == content for path, content in before.items())
        assert same == (seed == 0)
    assert names(tmp_path) == ["demo.png", "model.safetensors"]


@pytest.mark.usefixtures("undrawn")
def test_held_out_photographs_take_no_part_in_the_training(
    small: Mapping[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(folder: str) -> bytes:
        assert blockwright("demo", "--steps", 3, "-o", tmp_path / folder).exit_code == 0
        return (tmp_path / folder / "model.safetensors").read_bytes()

    expected = weights("one")
    changed = dict(small)
    changed |= {name: 255 - small[name] for name in HELD_OUT}
    monkeypatch.setattr(
        "graphs.noise2noise.data.photographs.PHOTOGRAPHS",
        {name: lambda name=name: changed[name] for name in changed},
    )
    assert weights("two") == expected


@pytest.mark.usefixtures("small", "undrawn")
def test_the_training_is_given_noisy_shots_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[torch.Tensor] = []

    class Watched(RepeatedShots):
        def __init__(self, scenes: list[torch.Tensor], size: int) -> None:
            given.extend(scenes)
            super().__init__(scenes, size)

    monkeypatch.setattr(demo, "RepeatedShots", Watched)
    assert blockwright("demo", "--steps", 1, "-o", tmp_path).exit_code == 0
    assert len(given) == 2 * len(TRAINING)
    for first, second in given:
        # Two clean pictures would not differ; a clean and a noisy one by sigma alone.
        assert float((first - second).std() * 255) == pytest.approx(25 * 2**0.5, rel=0.1)


@pytest.mark.slow
def test_the_whole_demonstration(tmp_path: Path) -> None:
    start = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-m", "graphs.noise2noise.cli", "demo", "-o", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100"},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert time.perf_counter() - start < 240
    noisy, ours, *_classical = table(process.stdout)["mean"]
    # On a single core it gains 10.3 dB, 0.3 dB more than non-local means; on more cores, more.
    assert ours > noisy + 9.5
