"""Tests on real photographs and captures, if they are available."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from graphs.noise2noise.data.noise import Gaussian
from graphs.noise2noise.networks import load_network
from graphs.noise2noise.quality.metrics import psnr
from graphs.noise2noise.restoring.restorer import Restorer
from tests.noise2noise.scenes import blockwright, load

BESIDE = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("BLOCKWRIGHT_DATA", BESIDE))

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no photographs beside the checkout"),
]


def test_photographs_with_noise_added_are_cleaned() -> None:
    restore = Restorer(load_network().network)
    generator = torch.Generator().manual_seed(0)
    gains = []
    for path in sorted((DATA / "cbsd68").glob("*.png"))[::8]:
        clean = load(path)
        shot = Gaussian(25, 25)(clean[None], generator).pixels[0]
        gains.append(psnr(restore(shot), clean) - psnr(shot, clean))
    assert len(gains) == 9
    assert min(gains) > 2
    assert sum(gains) / len(gains) > 6


def test_learning_from_real_captures_alone(tmp_path: Path) -> None:
    folder = DATA / "fmd-fluorescence"
    samples = ("Confocal_FISH", "Confocal_MICE")
    for number, shot in ((1, "a"), (2, "b")):
        for sample in samples:
            (tmp_path / shot).mkdir(exist_ok=True)
            raw = folder / f"{sample}_raw{number}.png"
            (tmp_path / shot / f"{sample}.png").write_bytes(raw.read_bytes())
    run = tmp_path / "run"
    options = ("-o", run, "--width", 16, "--steps", 150)
    result = blockwright("train", tmp_path / "a", tmp_path / "b", *options)
    assert result.exit_code == 0, result.output
    for sample in samples:
        unseen, cleaned = folder / f"{sample}_raw3.png", tmp_path / f"{sample}.png"
        result = blockwright("denoise", unseen, "-o", cleaned, "-m", run)
        assert result.exit_code == 0, result.output
        with Image.open(cleaned) as image:
            assert image.mode == "L"
        average = load(folder / f"{sample}_gt.png")
        assert psnr(load(cleaned), average) > psnr(load(unseen), average) + 1


def test_captures_of_one_scene_clean_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphs.noise2noise.restoring.learning.ENOUGH_STEPS", 60)
    folder = DATA / "fmd-fluorescence"
    shots = [folder / f"Confocal_FISH_raw{number}.png" for number in (1, 2, 3)]
    result = blockwright("denoise", *shots, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert "method: repeats" in result.stderr
    average = load(folder / "Confocal_FISH_gt.png")
    for shot in shots:
        assert psnr(load(tmp_path / shot.name), average) > psnr(load(shot), average) + 1.5


def test_a_single_capture_is_cleaned_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphs.noise2noise.restoring.learning.ENOUGH_STEPS", 250)
    folder = DATA / "fmd-fluorescence"
    shot, cleaned = folder / "Confocal_FISH_raw1.png", tmp_path / "a.png"
    result = blockwright("denoise", shot, "-o", cleaned)
    assert result.exit_code == 0, result.output
    assert "method: zero-shot" in result.stderr
    average = load(folder / "Confocal_FISH_gt.png")
    assert psnr(load(cleaned), average) > psnr(load(shot), average) + 2


@pytest.mark.parametrize("sample", ["B", "G", "R"])
def test_noise_that_wide_field_captures_share_among_neighbours(sample: str, tmp_path: Path) -> None:
    folder = DATA / "fmd-fluorescence"
    shot, cleaned = folder / f"WideField_BPAE_{sample}_raw1.png", tmp_path / "a.png"
    result = blockwright("denoise", shot, "-o", cleaned)
    assert result.exit_code == 0, result.output
    assert "method: model" in result.stderr
    average = load(folder / f"WideField_BPAE_{sample}_gt.png")
    assert psnr(load(cleaned), average) > psnr(load(shot), average) + 7
