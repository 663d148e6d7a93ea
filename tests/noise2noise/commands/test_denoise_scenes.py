"""``blockwright denoise`` on several scenes of several shots, and on pictures of several kinds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from PIL.ExifTags import IFD, Base
from scipy.ndimage import gaussian_filter

from graphs.noise2noise.networks import Architecture, save_network
from graphs.noise2noise.quality.metrics import psnr
from tests.noise2noise.scenes import (
    blockwright,
    cat,
    complaint,
    load,
    names,
    noisy,
    save,
    without_weights,
)

SCENES = {"cat": cat(40, 48), "tac": cat(40, 48).flip(1, 2).sqrt()}


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.noise2noise.restoring.learning.ENOUGH_STEPS", 2)
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


@pytest.fixture
def _long_enough_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.noise2noise.restoring.learning.ENOUGH_STEPS", 60)


@pytest.fixture
def _without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    without_weights(monkeypatch)


def denoised(*arguments: object) -> str:
    result = blockwright("denoise", *arguments)
    assert result.exit_code == 0, result.output
    return result.stderr


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def pairs(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    for name, clean in SCENES.items():
        for shot in "ab":
            save(folder / shot / f"{name}.png", noisy(clean, seed))
            seed += 1
    return folder / "a", folder / "b"


def bursts(folder: Path, count: int = 3) -> Path:
    for seed, (name, clean) in enumerate(SCENES.items()):
        for i in range(count):
            save(folder / name / f"{i}.png", noisy(clean, seed=10 * seed + i))
    return folder


def shifted_scenes(pixels: int) -> list[torch.Tensor]:
    """A scene that moves by so many pixels from one shot to the next."""
    scene = cat(160, 160)
    return [scene.roll(pixels * k, 2)[:, :, 16:144] for k in range(3)]


def shifted_shots(folder: Path, pixels: int) -> list[Path]:
    """Three noisy shots of such a scene."""
    return [
        save(folder / f"{k}.png", noisy(clean, seed=k))
        for k, clean in enumerate(shifted_scenes(pixels))
    ]


def test_shots_that_are_shifted_have_no_mean(tmp_path: Path) -> None:
    burst = shifted_shots(tmp_path, 4)
    said = complaint("denoise", *burst, "-o", tmp_path / "mean.png")
    assert re.match(
        r"the 3 files are shifted against one another by up to [78]\.\d pixels, so ", said
    )
    said = complaint("denoise", tmp_path, "-o", tmp_path / "out", "--average")
    assert "cannot be their mean" in said


def test_by_the_weights_shifted_shots_are_cleaned_each(tmp_path: Path) -> None:
    shifted_shots(tmp_path / "burst" / "a", 4)
    told = denoised(tmp_path / "burst", "-o", tmp_path / "out")
    assert "method: model" in told
    shifted_shots(tmp_path / "still" / "a", 0)
    assert "method: repeats" in denoised(tmp_path / "still", "-o", tmp_path / "out-still")


def test_shifted_shots_that_share_noise_are_learned_from(tmp_path: Path) -> None:
    """The weights know such noise, but know it less well."""
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.ISOSpeedRatings] = 3200
    rng = np.random.default_rng(0)
    for k, clean in enumerate(shifted_scenes(4)):
        white = rng.standard_normal((160, 128, 3))
        noise = 40 * gaussian_filter(white, (0.8, 0.8, 0))
        pixels = 255 * clean.permute(1, 2, 0).numpy() + noise
        shot = Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))
        shot.save(tmp_path / f"{k}.png", exif=exif)
    alone = denoised(tmp_path / "0.png", "-o", tmp_path / "alone.png")
    assert "method: model, the shipped weights: they know such noise" in alone
    told = denoised(*(tmp_path / f"{k}.png" for k in range(3)), "-o", tmp_path / "out")
    assert re.search("method: repeats, .*\nthe shots are shifted against one another", told)


ALIGNED = (
    r"the shots are shifted against one another by up to [78]\.\d pixels: "
    "what is learned from them is aligned first"
)


@pytest.mark.usefixtures("_long_enough_to_learn", "_without_weights")
def test_shifted_shots_are_aligned_to_learn_from(tmp_path: Path) -> None:
    burst = shifted_shots(tmp_path / "b" / "a", 4)
    shifted_shots(tmp_path / "s" / "a", 0)
    told = denoised(tmp_path / "b", "-o", tmp_path / "out")
    assert "method: repeats" in told
    assert re.search(ALIGNED, told)
    assert "shifted" not in denoised(tmp_path / "s", "-o", tmp_path / "still")
    scenes = zip(shifted_scenes(4), shifted_scenes(0), strict=True)
    for k, (clean, unmoved) in enumerate(scenes):
        found = psnr(load(tmp_path / "out" / "a" / f"{k}.png"), clean)
        assert found > psnr(load(burst[k]), clean) + 1
        assert found > psnr(load(tmp_path / "still" / "a" / f"{k}.png"), unmoved) - 0.5


@pytest.mark.usefixtures("_without_weights")
def test_shots_that_nothing_names_are_aligned_too(tmp_path: Path) -> None:
    told = denoised(*shifted_shots(tmp_path, 4), "-o", tmp_path / "out")
    assert "method: repeats, 3 shots of one scene" in told
    assert re.search(ALIGNED, told)


def drifting_stack(folder: Path, pixels: int) -> Path:
    shots = [load(path) for path in shifted_shots(folder, pixels)]
    pages = np.stack([(255 * shot.mean(0)).byte().numpy() for shot in shots])
    path = folder / "s.tif"
    tifffile.imwrite(path, pages, photometric="minisblack", metadata={"axes": "TYX"})
    return path


@pytest.mark.usefixtures("_without_weights")
def test_a_stack_that_drifts(tmp_path: Path) -> None:
    stack = drifting_stack(tmp_path, 4)
    told = denoised(stack, "-o", tmp_path / "out.tif")
    assert re.search(r"the shots are shifted .* aligned first", told)
    told = denoised(stack, "-o", tmp_path / "mean.tif", "--average")
    assert re.search(r"the frames of s\.tif are shifted .* which blurs their mean", told)


@pytest.mark.usefixtures("_long_enough_to_learn")
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
        f"the output {inside} lies in {folder}, whose pictures it is made from; name a folder "
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


def stack(path: Path, clean: torch.Tensor, seed: int = 0, dtype: str = "uint8") -> Path:
    """Three noisy shots in a TIFF file that says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = clean if clean.ndim == 3 else clean[None]
    shots = np.stack([(noisy(pictures, seed + i) * 255).numpy() for i in range(3)])
    axes = "TCYX" if clean.ndim == 3 else "TYX"
    pixels = shots.reshape(3, *clean.shape).round().astype(dtype)
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": axes})
    return path


@pytest.mark.usefixtures("_long_enough_to_learn")
def test_stacks_of_one_name_that_show_different_scenes(tmp_path: Path) -> None:
    for day, clean in SCENES.items():
        stack(tmp_path / day / "cell.tif", clean.mean(0))
    folders = [tmp_path / day for day in SCENES]
    told = denoised(*folders, "-o", tmp_path / "out")
    assert "do not look alike: they are taken for different pictures" in told
    assert "method: repeats, 6 shots in 2 stacks" in told
    for day, clean in SCENES.items():
        result = tifffile.imread(tmp_path / "out" / day / "cell.tif") / 255
        before = tifffile.imread(tmp_path / day / "cell.tif") / 255
        truth = clean.mean(0).numpy()
        assert np.square(result - truth).mean() < np.square(before - truth).mean()
    said = complaint("denoise", *folders, "-o", tmp_path / "means", "--average")
    assert said.startswith("the 2 files do not look alike, so ")


@pytest.mark.parametrize("other", ["size", "channels", "numbers"])
def test_stacks_of_several_kinds_have_no_mean(other: str, tmp_path: Path) -> None:
    grey = SCENES["cat"].mean(0)
    stack(tmp_path / "in" / "x" / "a.tif", grey)
    clean = {"size": grey[:32], "channels": SCENES["cat"], "numbers": grey}[other]
    stack(tmp_path / "in" / "x" / "b.tif", clean, 9, "uint16" if other == "numbers" else "uint8")
    for options in ((), ("--method", "model"), ("--method", "neighbours")):
        said = complaint("denoise", tmp_path / "in", "-o", tmp_path / "out", "--average", *options)
        assert said.startswith("the 2 files do not look alike, so ")
    denoised(tmp_path / "in", "-o", tmp_path / "out")
    assert files(tmp_path / "out") == ["x/a.tif", "x/b.tif"]


def test_folders_of_one_file_each(tmp_path: Path) -> None:
    for seed, (name, clean) in enumerate(SCENES.items()):
        stack(tmp_path / "stacks" / name / "stack.tif", clean.mean(0), 5 * seed)
        save(tmp_path / "single" / name / "img.png", noisy(clean, seed))
    denoised(tmp_path / "single", "-o", tmp_path / "a")
    assert files(tmp_path / "a") == ["cat/img.png", "tac/img.png"]
    told = denoised(tmp_path / "stacks", "-o", tmp_path / "b")
    assert "method: repeats, 6 shots in 2 stacks" in told
    assert files(tmp_path / "b") == ["cat/stack.tif", "tac/stack.tif"]
    denoised(tmp_path / "stacks", "-o", tmp_path / "means", "--average")
    assert files(tmp_path / "means") == ["cat.tif", "tac.tif"]


def test_folders_are_called_what_they_are_called(tmp_path: Path) -> None:
    bursts(tmp_path / "far" / "away")
    for i, name in enumerate(SCENES):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"s{i}").symlink_to(tmp_path / "far" / "away" / name)
    denoised(tmp_path / "in", "-o", tmp_path / "out", "--average")
    assert files(tmp_path / "out") == ["s0.png", "s1.png"]
    for seed, day in enumerate(("mon", "tue")):
        pairs(tmp_path / day, 10 * seed)
    denoised(tmp_path / "mon" / "a", tmp_path / "tue" / "a", "-o", tmp_path / "days")
    assert files(tmp_path / "days")[0] == "mon/a/cat.png"


def test_a_scene_that_does_not_fit_spoils_no_other(tmp_path: Path) -> None:
    first, second = pairs(tmp_path)
    save(first / "more.png", noisy(SCENES["cat"], 50))
    save(second / "more.png", noisy(SCENES["tac"], 51))
    told = denoised(first, second, "-o", tmp_path / "out")
    assert "method: repeats, 4 shots of 2 scenes" in told
    assert f"{first / 'more.png'} and the other shots of its scene do not look alike: they" in told
    assert len(files(tmp_path / "out")) == 6


def test_a_burst_of_several_kinds(tmp_path: Path) -> None:
    folder = bursts(tmp_path / "in")
    save(folder / "cat" / "grey.png", noisy(SCENES["cat"], 60)[0])
    told = denoised(folder, "-o", tmp_path / "out")
    assert "6 of 7 files, 3 channels of uint8:\n" in told
    assert len(files(tmp_path / "out")) == 7


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_stacks_among_single_pictures_are_scenes_by_themselves(names: str, tmp_path: Path) -> None:
    first = stack(tmp_path / "in" / f"{names[0]}.tif", SCENES["cat"].mean(0))
    other = save(tmp_path / "in" / f"{names[1]}.png", noisy(SCENES["tac"])[0])
    denoised(first, other, "-o", tmp_path / "out", "--average")
    assert files(tmp_path / "out") == sorted([first.name, other.name])


def test_a_mean_is_not_put_among_its_shots(tmp_path: Path) -> None:
    folder = bursts(tmp_path / "in") / "cat"
    for output in (folder, folder / "mean.png"):
        said = complaint("denoise", folder, "-o", output, "--average")
        assert said.endswith(
            f"lies in {folder}, whose pictures it is made from; name a folder elsewhere"
        )
    assert names(folder) == ["0.png", "1.png", "2.png"]


@pytest.mark.usefixtures("_without_weights")
def test_names_in_common_that_show_different_scenes(tmp_path: Path) -> None:
    for day, clean in SCENES.items():
        save(tmp_path / day / "1.png", noisy(clean))
    folders = [tmp_path / day for day in SCENES]
    told = denoised(*folders, "-o", tmp_path / "out")
    assert "method: neighbours, 2 different pictures" in told
    assert files(tmp_path / "out") == ["cat/1.png", "tac/1.png"]
    said = complaint("denoise", *folders, "-o", tmp_path / "means", "--average")
    assert said == (
        f"the 2 files do not look alike, so {tmp_path / 'means' / '1.png'} cannot be their "
        "mean; name a folder for the results, and no --average"
    )
    save(tmp_path / "cat" / "2.png", noisy(SCENES["cat"]))
    said = complaint("denoise", *folders, "-o", tmp_path / "out")
    assert said == f"{tmp_path / 'cat' / '2.png'} has no partner of that name in {tmp_path / 'tac'}"


@pytest.mark.usefixtures("_long_enough_to_learn")
@pytest.mark.parametrize("known", [True, False])
def test_the_mean_of_each_stack(known: bool, tmp_path: Path) -> None:
    for seed, (name, clean) in enumerate(SCENES.items()):
        torch.manual_seed(seed)
        noise = torch.randn(3, 40, 48)
        if not known:
            noise = (noise + noise.roll(1, dims=2)) / 2**0.5
        stack = clean.mean(0) + 0.1 * noise
        tifffile.imwrite(
            tmp_path / f"{name}.tif", stack.numpy(), imagej=True, metadata={"axes": "TYX"}
        )
    stacks = [tmp_path / f"{name}.tif" for name in SCENES]
    told = denoised(*stacks, "-o", tmp_path / "out", "--average")
    weights = "the mean of 3 shots: noise of standard deviation about 0.06"
    assert (weights if known else "method: repeats, 6 shots in 2 stacks") in told
    for name, clean in SCENES.items():
        mean = tifffile.imread(tmp_path / "out" / f"{name}.tif")
        assert mean.shape == (40, 48)
        assert np.square(mean - clean.mean(0).numpy()).mean() < 0.1**2 / (9 if known else 3)


@pytest.mark.usefixtures("_long_enough_to_learn")
@pytest.mark.usefixtures("_without_weights")
def test_pictures_of_several_kinds_are_learned_from_kind_by_kind(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", noisy(SCENES["cat"]))
    save(tmp_path / "in" / "b.png", noisy(SCENES["tac"], seed=1))
    save(tmp_path / "in" / "c.png", noisy(SCENES["cat"], seed=2)[0])
    told = denoised(tmp_path / "in", "-o", tmp_path / "out")
    assert "2 of 3 files, 3 channels of uint8:\n" in told
    assert "1 of 3 files, 1 channel of uint8:\nc.png: noise of standard" in told
    assert names(tmp_path / "out") == ["a.png", "b.png", "c.png"]
    for name in names(tmp_path / "in"):
        before, after = (load(tmp_path / folder / name) for folder in ("in", "out"))
        clean = SCENES["tac"] if name == "b.png" else SCENES["cat"][: len(before)]
        assert psnr(after, clean) > psnr(before, clean)
    small = save(tmp_path / "in" / "d.png", cat(8, 40)[0])
    said = complaint("denoise", tmp_path / "in", "-o", tmp_path / "none")
    assert said == f"{small} is 8 pixels high or wide; to learn from, it takes 16"
    assert not (tmp_path / "none").exists()


def test_the_weights_clean_what_they_know_and_the_rest_is_learned(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", noisy(SCENES["cat"]))
    save(tmp_path / "in" / "b.png", noisy(SCENES["tac"], seed=1))
    noise = np.random.default_rng(0).normal(0, 4000, (40, 48))
    shared = 30000 * SCENES["cat"][0].numpy() + noise + np.roll(noise, 1, axis=0)
    tifffile.imwrite(tmp_path / "in" / "c.tif", shared.clip(0, 65535).astype(np.uint16))
    told = denoised(tmp_path / "in", "-o", tmp_path / "out")
    assert "2 of 3 files:\na.png: noise of" in told
    assert "method: model, the shipped weights: they know such noise\n" in told
    assert "1 of 3 files, 1 channel of uint16:\nc.tif: noise of" in told
    assert "method: zero-shot, a single picture" in told
    for name, clean in (("a.png", SCENES["cat"]), ("b.png", SCENES["tac"])):
        before, after = (load(tmp_path / folder / name) for folder in ("in", "out"))
        assert psnr(after, clean) > psnr(before, clean) + 5
    small = save(tmp_path / "in" / "d.png", cat(8, 40)[0])
    assert complaint("denoise", tmp_path / "in", "-o", tmp_path / "none").startswith(str(small))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("options", [(), ("--method", "model")])
def test_nothing_is_written_where_shots_are_copies(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    folder = bursts(tmp_path / "in", count=2)
    copy = save(folder / "zz" / "0.png", noisy(SCENES["cat"]))
    (folder / "zz" / "1.png").write_bytes(copy.read_bytes())
    said = complaint("denoise", folder, "-o", tmp_path / "out", "--average", *options)
    assert said.startswith(f"{copy} and {folder / 'zz' / '1.png'} are equal in every pixel")
    assert not (tmp_path / "out").exists()


def test_the_weights_asked_for_clean_the_mean(tmp_path: Path) -> None:
    shots = [save(tmp_path / f"{i}.png", noisy(SCENES["cat"], seed=i)) for i in range(4)]
    told = denoised(*shots, "-o", tmp_path / "out.png", "--method", "model")
    assert "the mean of 4 shots: noise of standard deviation about 1" in told
    mean = sum(load(shot) for shot in shots) / 4
    assert psnr(load(tmp_path / "out.png"), SCENES["cat"]) > psnr(mean, SCENES["cat"]) + 3


def test_scenes_that_are_told_apart_are_not_made_one(tmp_path: Path) -> None:
    """No matter how alike they look."""
    for seed, name in enumerate("ab"):
        save(tmp_path / "plates" / f"{name}.png", noisy(SCENES["cat"], seed))
        save(tmp_path / "bursts" / name / "img.png", noisy(SCENES["cat"], seed))
    for folder, options in (("plates", ("--pattern", "{scene}.png")), ("bursts", ())):
        told = denoised(tmp_path / folder, "-o", tmp_path / f"{folder}-out", "--average", *options)
        assert files(tmp_path / f"{folder}-out") == ["a.png", "b.png"]
        assert "one scene" not in told


def test_weights_clean_what_they_know_beside_bursts_of_another_kind(tmp_path: Path) -> None:
    folder = bursts(tmp_path / "in")
    save(folder / "grey" / "0.png", noisy(SCENES["cat"], 70)[0])
    told = denoised(folder, "-o", tmp_path / "out")
    assert "1 of 7 files:\n0.png: noise of" in told
    assert "method: model, the shipped weights: they know such noise\n6 of 7 files" in told
    assert "method: repeats, 6 shots of 2 scenes" in told


def test_pictures_that_are_said_to_be_repeats_are_learned_from_as_such(tmp_path: Path) -> None:
    for day, clean in SCENES.items():
        save(tmp_path / day / "1.png", noisy(clean))
    folders = [tmp_path / day for day in SCENES]
    told = denoised(*folders, "-o", tmp_path / "out", "--method", "repeats")
    assert "do not look like shots of one scene: if they are not" in told
    assert "taken for different pictures" not in told
