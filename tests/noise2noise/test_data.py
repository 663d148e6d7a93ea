"""On real photographs and captures, where they are at hand."""

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
    options = ("-o", run, "--steps", 250)
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
