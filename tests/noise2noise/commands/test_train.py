"""``blockwright train`` on two folders of noisy pictures."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch

from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.quality.metrics import psnr
from tests.noise2noise.scenes import blockwright, cat, complaint, load, names, noisy, save, shots


def test_weights_that_denoise(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=4, height=64, width=64)
    weights = tmp_path / "new" / "w.safetensors"
    result = blockwright("train", first, second, "-o", weights, "--steps", 150)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"trained on 4 pairs, 150 steps\nweights: {weights}\n"
    lines = result.stderr.splitlines()
    assert "100%  loss 0." in lines[-1]
    assert "pairs/s" in lines[-1]
    assert names(weights.parent) == ["w.safetensors"]
    clean = cat(96, 96)
    source = save(tmp_path / "noisy.png", noisy(clean, seed=99))
    assert blockwright("denoise", source, "-o", tmp_path / "out.png", "-m", weights).exit_code == 0
    assert psnr(load(tmp_path / "out.png"), clean) > psnr(load(source), clean) + 1


def test_dark_pictures_do_not_end_in_black(tmp_path: Path) -> None:
    clean = cat(64, 64) * 0.08
    for i, folder in enumerate("ab"):
        save(tmp_path / folder / "x.png", noisy(clean, seed=i, sigma=5))
    weights, out = tmp_path / "w.safetensors", tmp_path / "out.png"
    folders = (tmp_path / "a", tmp_path / "b")
    assert blockwright("train", *folders, "-o", weights, "--steps", 60).exit_code == 0
    assert blockwright("denoise", folders[0] / "x.png", "-o", out, "-m", weights).exit_code == 0
    assert abs(float(load(out).mean()) / float(clean.mean()) - 1) < 0.3


def test_the_seed_decides(tmp_path: Path) -> None:
    first, second = shots(tmp_path)

    def weights(name: str, seed: int) -> dict[str, torch.Tensor]:
        path = tmp_path / name
        options = ("--steps", 5, "--seed", seed)
        assert blockwright("train", first, second, "-o", path, *options).exit_code == 0
        return safetensors.torch.load_file(path)

    one, two, other = weights("one", 3), weights("two", 3), weights("other", 4)
    assert one.keys() == Architecture().build(0).state().keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_what_exists_is_kept_unless_told(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    weights = tmp_path / "w.safetensors"
    weights.write_text("precious")
    arguments = ("train", first, second, "-o", weights, "--steps", 1)
    said = complaint(*arguments)
    assert said == f"the output {weights} exists already; --overwrite replaces it"
    assert weights.read_text() == "precious"
    assert blockwright(*arguments, "--overwrite").exit_code == 0
    assert len(safetensors.torch.load_file(weights)) == 8
    assert names(tmp_path) == ["a", "b", "w.safetensors"]


def test_grey_pictures(tmp_path: Path) -> None:
    for i, folder in enumerate("ab"):
        save(tmp_path / folder / "x.tif", noisy(cat(40, 40), seed=i)[0])
    weights = tmp_path / "w.safetensors"
    result = blockwright("train", tmp_path / "a", tmp_path / "b", "-o", weights, "--steps", 2)
    assert result.exit_code == 0, result.output
    assert weights.exists()
