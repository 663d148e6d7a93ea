"""The course's pickles in every command."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from graphs.noise2noise.images import to_bytes
from tests.noise2noise.scenes import blockwright, cat, complaint, noisy

CLEAN = torch.stack([cat()[:, y : y + 32, x : x + 32] for y in (0, 32, 64) for x in (0, 32, 64)])


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.noise2noise.restoring.learning.ENOUGH_STEPS", 80)
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")


def shots(seed: int, clean: torch.Tensor = CLEAN) -> np.ndarray:
    """Noisy ones as the course has them, (n, H, W, C) turned to (n, C, H, W)."""
    return np.stack([to_bytes(noisy(c, seed + i)) for i, c in enumerate(clean)]).transpose(
        0, 3, 1, 2
    )


def pickled(path: Path, first: np.ndarray, second: np.ndarray) -> Path:
    path.write_bytes(
        pickle.dumps((torch.from_numpy(first.copy()), torch.from_numpy(second.copy())))
    )
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return pickled(tmp_path / "train_data.pkl", shots(0), shots(100))


@pytest.fixture
def val(tmp_path: Path) -> Path:
    clean = np.stack([to_bytes(c) for c in CLEAN]).transpose(0, 3, 1, 2)
    return pickled(tmp_path / "val_data.pkl", shots(0), clean)


def succeeded(*arguments: object) -> str:
    result = blockwright(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_inspect(pairs: Path) -> None:
    found = json.loads(succeeded("inspect", pairs, "--json"))
    (scene,) = found["scenes"]
    assert (scene["name"], scene["shots"]) == ("train_data", 2)
    assert (scene["height"], scene["width"], scene["channels"]) == (96, 96, 3)
    (pair,) = scene["pairs"]
    assert pair["noise"]["sigma"] == pytest.approx([25, 25, 25], abs=3.5)
    assert scene["misalignment"] == 0
    assert found["advice"][0]["topic"] == "Noise2Noise"


def test_inspect_finds_pairs_that_are_shifted(tmp_path: Path) -> None:
    shifted = torch.stack([c.roll(1, 2) for c in CLEAN])
    path = pickled(tmp_path / "train_data.pkl", shots(0), shots(100, shifted))
    (scene,) = json.loads(succeeded("inspect", path, "--json"))["scenes"]
    # The edges between the pictures stay where they are, so that it is less than the true 1.
    assert 0.5 < scene["misalignment"] <= 1


def test_evaluate_against_the_clean_ones(val: Path) -> None:
    found = json.loads(succeeded("evaluate", val, "--no-baselines", "--json"))
    before, after = found["means"]
    noisy_ = torch.from_numpy(shots(0)).double() / 255
    clean = torch.from_numpy(np.stack([to_bytes(c) for c in CLEAN]).transpose(0, 3, 1, 2)) / 255
    psnrs = -10 * (noisy_ - clean).square().mean((1, 2, 3)).log10()
    assert before["psnr"] == pytest.approx(float(psnrs.mean()), abs=1e-3)
    assert after["psnr"] > before["psnr"] + 5
    assert [score["picture"] for score in found["scores"][:4:2]] == ["val_data 0", "val_data 1"]


def test_evaluate_by_the_other_shots(pairs: Path, val: Path) -> None:
    options = ("--no-baselines", "--json")
    found = json.loads(succeeded("evaluate", pairs, "--second", pairs, *options))
    assert found["psnr"] == "estimated from noisy pairs"
    estimated = found["means"][1]
    truth = json.loads(succeeded("evaluate", val, *options))["means"][1]
    assert estimated["low"] - 1 < truth["psnr"] < estimated["high"] + 1
    said = complaint("evaluate", pairs, "--reference", val)
    assert said == f"{pairs} is a pickle of pairs, scored by itself, without a pattern or others"


def test_evaluate_tells_other_shots_from_clean_ones(pairs: Path, val: Path) -> None:
    for path, basis in ((pairs, "estimated from noisy pairs"), (val, "mean over pictures")):
        found = json.loads(succeeded("evaluate", path, "--no-baselines", "--json"))
        assert found["psnr"] == basis


def test_several_pickles_are_inspected_together(pairs: Path, tmp_path: Path) -> None:
    more = pickled(tmp_path / "more.pkl", np.tile(shots(30), (2, 1, 1, 1)), shots(40).repeat(2, 0))
    (scene,) = json.loads(succeeded("inspect", pairs, more, "--json"))["scenes"]
    assert (scene["height"], scene["width"]) == (160, 160)  # 25 of 27
    said = complaint("inspect", pairs, "-r", tmp_path)
    assert said == f"{pairs} is a pickle of noisy pairs, which has no reference"


@pytest.mark.parametrize("command", ["inspect", "evaluate", "denoise", "train"])
def test_pickles_without_pictures(command: str, tmp_path: Path) -> None:
    none = np.zeros((0, 3, 32, 32), np.uint8)
    path = pickled(tmp_path / "none.pkl", none, none)
    options = {"inspect": (), "evaluate": ()}.get(command, ("-o", tmp_path / "out.npy"))
    said = complaint(command, path, *options)
    assert said == f"{path} has no pixels: its tensors are (0, 3, 32, 32)"


def test_pickles_of_tiny_pictures(tmp_path: Path) -> None:
    tiny = np.zeros((4, 3, 8, 8), np.uint8)
    path = pickled(tmp_path / "tiny.pkl", tiny, tiny)
    for command in (("evaluate", path, "-r", path), ("evaluate", path), ("inspect", path)):
        assert complaint(*command) == f"{path}: 8x8 pixels; expected at least 16 a side"


def test_different_pictures_have_no_mean(val: Path, tmp_path: Path) -> None:
    said = complaint("denoise", val, "-o", tmp_path / "out.tif", "--average")
    assert said.startswith(f"the pictures in {val} do not show one scene, so ")


def test_denoise(val: Path, tmp_path: Path) -> None:
    for name in ("clean.npy", "clean.tif"):
        succeeded("denoise", val, "-o", tmp_path / name, "--method", "neighbours")
    clean = np.stack([to_bytes(c) for c in CLEAN]).transpose(0, 3, 1, 2).astype(float)
    result = np.load(tmp_path / "clean.npy")
    assert result.shape == (9, 3, 32, 32)
    assert result.dtype == np.uint8
    assert np.array_equal(tifffile.imread(tmp_path / "clean.tif").reshape(result.shape), result)
    before, after = (np.square(x - clean).mean() for x in (shots(0), result))
    assert after < 0.9 * before
    told = blockwright("denoise", val, "-o", tmp_path / "again.npy").stderr
    assert "method: repeats" not in told
