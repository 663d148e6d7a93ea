"""The fluorescence benchmark in miniature, on synthetic captures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from benchmarks import fluorescence
from benchmarks.fluorescence import Field, halves, read_fields, whitened
from graphs.noise2noise.quality import evaluation
from tests.noise2noise.scenes import cat, names


def field(sigma: float = 0.1, size: int = 96) -> Field:
    """Three captures whose noise grows with brightness and is shared by neighbours."""
    average = cat(size, size)[:1]
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.standard_normal((3, 1, size, size)), (0, 0, 1, 1))
    noise = torch.from_numpy(noise / noise.std()).float() * sigma * (0.2 + average)
    return Field("WideField_Cat", average + noise, average, 0.78)


def neighbours(noise: torch.Tensor) -> float:
    """Correlation of direct neighbours."""
    left, right = noise[..., :-1].flatten(), noise[..., 1:].flatten()
    return float(torch.corrcoef(torch.stack([left, right]))[0, 1])


def test_whitened_noise_is_as_strong_but_independent() -> None:
    before = field()
    after = whitened(before)
    old, new = (f.captures - f.average for f in (before, after))
    assert neighbours(old[0]) > 0.7
    assert abs(neighbours(new[0])) < 0.05
    assert torch.allclose(old.flatten().sort()[0], new.flatten().sort()[0], atol=1e-6)
    bright = before.average > before.average.median()
    for part in (bright, ~bright):
        spreads = [float(noise[0][part].std()) for noise in (old, new)]
        assert spreads[1] == pytest.approx(spreads[0], rel=0.05)
    assert not torch.equal(new[0], new[1])


def test_what_is_trained_on_is_not_scored() -> None:
    upper, lower = halves(field())
    assert upper.captures.shape == lower.captures.shape == (3, 1, 48, 96)
    assert torch.equal(torch.cat([upper.average, lower.average], 1), field().average)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "fmd-fluorescence"
    folder.mkdir(parents=True)

    def write(name: str, picture: torch.Tensor) -> None:
        pixels = (255 * picture[0]).round().clamp(0, 255).byte().numpy()
        Image.fromarray(pixels).save(folder / f"{name}.png")

    made = field(size=240)
    white = whitened(made)
    for name, one in (("WideField_Cat", made), ("Confocal_Cat", white)):
        write(f"{name}_gt", one.average)
        for i, capture in enumerate(one.captures, start=1):
            write(f"{name}_raw{i}", capture)
    return tmp_path


def test_fields_tell_their_correlation(data: Path) -> None:
    confocal, wide = read_fields(data / "data" / "fmd-fluorescence")
    assert (confocal.is_correlated, wide.is_correlated) == (False, True)
    assert wide.correlation == pytest.approx(0.78, abs=0.05)
    (only,) = read_fields(data / "data" / "fmd-fluorescence", "^Wide")
    assert only.name == "WideField_Cat"


def test_the_whole_benchmark(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile
    monkeypatch.setattr(fluorescence, "DATA", data / "data")
    monkeypatch.setattr(fluorescence, "CROP", 32)
    monkeypatch.setattr(evaluation, "TRIED", 1)
    monkeypatch.setattr(evaluation, "TRIED_SIDE", 64)
    results = data / "results" / "fluorescence.json"
    options = f"--steps 2 --width 2 --depth 1 --threads 1 --runs {data / 'runs'} --grids"
    monkeypatch.setattr(sys, "argv", ["x", *options.split(), "--results", str(results)])
    fluorescence.main()
    found = json.loads(results.read_text())
    assert list(found["fields"]) == ["Confocal_Cat", "WideField_Cat"]
    row = found["fields"]["WideField_Cat"]
    assert set(row["psnr"]) == {
        "noisy",
        "Blockwright",
        "wavelet",
        "total variation",
        "non-local means",
    }
    ahead = row["psnr"]["Blockwright"] - max(list(row["psnr"].values())[2:])
    assert row["over the best classical"] == pytest.approx(ahead, abs=0.002)
    # Classical methods take pixels for independent, and pay where they are not.
    assert found["dB lost to correlation"]["WideField_Cat"]["wavelet"] > 1
    assert names(results.parent) == [
        "fluorescence-Confocal_Cat.png",
        "fluorescence-WideField_Cat.png",
        "fluorescence.json",
    ]
