"""``blockwright denoise`` on several scenes of several shots, and on pictures of several kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from graphs.noise2noise.networks import Architecture, save_network
from graphs.noise2noise.quality.metrics import psnr
from tests.noise2noise.scenes import blockwright, cat, complaint, load, names, noisy, save

SCENES = {"cat": cat(40, 48), "tac": cat(40, 48).flip(1, 2).sqrt()}


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.noise2noise.restoring.learning.ENOUGH_STEPS", 100)
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


def denoised(*arguments: object) -> str:
    result = blockwright("denoise", *arguments)
    assert result.exit_code == 0, result.output
    return result.stderr


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def pairs(folder: Path) -> tuple[Path, Path]:
    for seed, (name, clean) in enumerate(SCENES.items()):
        save(folder / "a" / f"{name}.png", noisy(clean, seed=2 * seed))
        save(folder / "b" / f"{name}.png", noisy(clean, seed=2 * seed + 1))
    return folder / "a", folder / "b"


def bursts(folder: Path, count: int = 3) -> Path:
    for seed, (name, clean) in enumerate(SCENES.items()):
        for i in range(count):
            save(folder / name / f"{i}.png", noisy(clean, seed=10 * seed + i))
    return folder


def test_two_folders_of_shots(tmp_path: Path) -> None:
    first, second = pairs(tmp_path)
    told = denoised(first, second, "-o", tmp_path / "out")
    assert "method: repeats, 4 shots of 2 scenes: each is a target for the others of its" in told
    assert files(tmp_path / "out") == ["a/cat.png", "a/tac.png", "b/cat.png", "b/tac.png"]
    for path, clean in ((first / "cat.png", SCENES["cat"]), (second / "tac.png", SCENES["tac"])):
        result = load(tmp_path / "out" / path.relative_to(tmp_path))
        assert psnr(result, clean) > psnr(load(path), clean) + 1
    denoised(first, second, "-o", tmp_path / "means", "--average")
    assert files(tmp_path / "means") == ["cat.png", "tac.png"]
    for name, clean in SCENES.items():
        mean = psnr(load(tmp_path / "means" / f"{name}.png"), clean)
        assert mean > psnr(load(first / f"{name}.png"), clean) + 3


def test_bursts_in_folders(tmp_path: Path) -> None:
    folder = bursts(tmp_path / "in")
    told = denoised(folder, "-o", tmp_path / "out")
    assert "method: repeats, 6 shots of 2 scenes" in told
    places = [f"{scene}/{i}.png" for scene in ("cat", "tac") for i in range(3)]
    assert files(tmp_path / "out") == places
    denoised(folder, "-o", tmp_path / "means", "--average")
    assert files(tmp_path / "means") == ["cat.png", "tac.png"]
    inside = folder / "out"
    assert complaint("denoise", folder, "-o", inside) == (
        f"the output {inside} lies in {folder}, each of whose folders is a burst; name a folder "
        "elsewhere"
    )


def test_a_pattern(tmp_path: Path) -> None:
    for seed, (name, clean) in enumerate(SCENES.items()):
        for i in range(2):
            save(tmp_path / "in" / f"{name}_raw{i}.png", noisy(clean, seed=2 * seed + i))
    options = ("--pattern", "{scene}_raw{shot}.png")
    told = denoised(tmp_path / "in", "-o", tmp_path / "out", *options)
    assert "method: repeats, 4 shots of 2 scenes" in told
    assert names(tmp_path / "out") == names(tmp_path / "in")
    denoised(tmp_path / "in", "-o", tmp_path / "means", "--average", *options)
    assert names(tmp_path / "means") == ["cat.png", "tac.png"]
    one = tmp_path / "one.png"
    said = complaint("denoise", tmp_path / "in", "-o", one, *options)
    assert said == f"2 pictures cannot be the one file {one}; name a folder"


def test_what_is_learned_from_each_scene_is_that_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Size] = []

    def watched(method: str, scenes: list[torch.Tensor], *rest: object, **options: object) -> None:
        seen.extend(scene.shape for scene in scenes)
        raise SystemExit(3)

    monkeypatch.setattr("graphs.noise2noise.restoring.lessons.training_on", watched)
    folder = bursts(tmp_path / "in")
    save(folder / "alone" / "0.png", noisy(cat(40, 48), seed=99))
    blockwright("denoise", folder, "-o", tmp_path / "out")
    assert seen == [(3, 3, 40, 48)] * 2  # a burst of one shot teaches nothing


def test_a_model_cleans_them_too(tmp_path: Path) -> None:
    architecture, model = Architecture(width=2), tmp_path / "model.safetensors"
    save_network(model, architecture.build(), architecture)
    denoised(bursts(tmp_path / "in"), "-o", tmp_path / "out", "-m", model)
    assert len(files(tmp_path / "out")) == 6
    denoised(*pairs(tmp_path), "-o", tmp_path / "means", "-m", model, "--average")
    assert files(tmp_path / "means") == ["cat.png", "tac.png"]


def test_names_in_common_that_show_different_scenes(tmp_path: Path) -> None:
    for day, clean in SCENES.items():
        save(tmp_path / day / "1.png", noisy(clean))
    folders = [tmp_path / day for day in SCENES]
    told = denoised(*folders, "-o", tmp_path / "out")
    assert "method: neighbours, 2 different pictures" in told
    assert files(tmp_path / "out") == ["cat/1.png", "tac/1.png"]
    said = complaint("denoise", *folders, "-o", tmp_path / "means", "--average")
    assert said == (
        f"the 2 files do not show one scene, so {tmp_path / 'means' / '1.png'} cannot be their "
        "mean; name a folder for the results, and no --average"
    )
    save(tmp_path / "cat" / "2.png", noisy(SCENES["cat"]))
    said = complaint("denoise", *folders, "-o", tmp_path / "out")
    assert said == f"{tmp_path / 'cat' / '2.png'} has no partner of that name in {tmp_path / 'tac'}"


def test_the_mean_of_each_stack(tmp_path: Path) -> None:
    for seed, (name, clean) in enumerate(SCENES.items()):
        torch.manual_seed(seed)
        stack = clean.mean(0) + 0.1 * torch.randn(3, 40, 48)
        tifffile.imwrite(
            tmp_path / f"{name}.tif", stack.numpy(), imagej=True, metadata={"axes": "TYX"}
        )
    stacks = [tmp_path / f"{name}.tif" for name in SCENES]
    told = denoised(*stacks, "-o", tmp_path / "out", "--average")
    assert "method: repeats, 6 shots in 2 stacks" in told
    for name, clean in SCENES.items():
        mean = tifffile.imread(tmp_path / "out" / f"{name}.tif")
        assert mean.shape == (40, 48)
        assert np.square(mean - clean.mean(0).numpy()).mean() < 0.1**2 / 3


def test_pictures_of_several_kinds_are_learned_from_kind_by_kind(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", noisy(SCENES["cat"]))
    save(tmp_path / "in" / "b.png", noisy(SCENES["tac"], seed=1))
    save(tmp_path / "in" / "c.png", noisy(SCENES["cat"], seed=2)[0])
    told = denoised(tmp_path / "in", "-o", tmp_path / "out")
    assert "1 of 2 kinds of pictures, a.png and 1 more:\n" in told
    assert "2 of 2 kinds of pictures, c.png:\nmethod: zero-shot, a single picture" in told
    assert names(tmp_path / "out") == ["a.png", "b.png", "c.png"]
    for name in names(tmp_path / "in"):
        before, after = (load(tmp_path / folder / name) for folder in ("in", "out"))
        clean = SCENES["tac"] if name == "b.png" else SCENES["cat"][: len(before)]
        assert psnr(after, clean) > psnr(before, clean)
    small = save(tmp_path / "in" / "d.png", cat(8, 40)[0])
    said = complaint("denoise", tmp_path / "in", "-o", tmp_path / "none")
    assert said == f"{small} is 8 pixels high or wide; to learn from, it takes 16"
    assert not (tmp_path / "none").exists()
