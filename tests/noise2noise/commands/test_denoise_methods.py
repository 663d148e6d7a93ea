"""``blockwright denoise`` finds the method that fits, says so, and improves the pictures by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from PIL.ExifTags import IFD, Base
from scipy.ndimage import gaussian_filter
from typer.testing import Result

from graphs.noise2noise.data.correlated import correlated_normal
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.images import read_picture
from graphs.noise2noise.inspection.single import NoiseOfOne, noise_of_one
from graphs.noise2noise.networks import Architecture, save_network
from graphs.noise2noise.quality.metrics import psnr
from tests.noise2noise.scenes import (
    blockwright,
    bytes_of,
    cat,
    complaint,
    load,
    names,
    noisy,
    save,
    without_weights,
)


def denoised(*arguments: object) -> Result:
    result = blockwright("denoise", *arguments)
    assert result.exit_code == 0, result.output
    return result


def method_of(result: Result) -> str:
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("method: ")]
    return line.removeprefix("method: ").split(",")[0].split(":")[0]


def grey_shots(count: int, height: int = 64, width: int = 72) -> np.ndarray:
    """(count, H, W) of 16 bits, of which a camera has used 12."""
    clean = cat(height, width).mean(0)
    shots = torch.stack([clean + 0.1 * torch.randn(height, width) for _ in range(count)])
    return (500 + 3000 * shots).clamp(0, 65535).round().numpy().astype(np.uint16)


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    train_for(monkeypatch, 12)
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile
    torch.manual_seed(0)


def train_for(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Limit steps instead of time, so that a busy machine learns as much."""
    monkeypatch.setattr("graphs.noise2noise.restoring.learning.ENOUGH_STEPS", steps)


def test_a_single_picture_without_weights_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_weights(monkeypatch)
    train_for(monkeypatch, 150)
    source = save(tmp_path / "a.png", noisy(cat()))
    result = denoised(source, "-o", tmp_path / "b.png")
    assert method_of(result) == "zero-shot"
    assert "a.png: noise of standard deviation about 2" in result.stderr
    assert result.stdout == f"{tmp_path / 'b.png'}\n"
    assert psnr(load(tmp_path / "b.png"), cat()) > psnr(load(source), cat()) + 1


def test_the_weights_that_come_along_where_they_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, path = Architecture(), tmp_path / "shipped.safetensors"
    notes = {"trained for": "gaussian:25", "range": "1.5"}
    save_network(path, architecture.build(), architecture, notes)
    for module in ("networks", "restoring.shipped"):
        monkeypatch.setattr(f"graphs.noise2noise.{module}.SHIPPED", path)
    known = save(tmp_path / "a.png", noisy(cat()))
    less = save(tmp_path / "b.png", noisy(cat(), sigma=8))
    more = save(tmp_path / "c.png", noisy(cat(), sigma=45))
    grey = save(tmp_path / "d.png", noisy(cat())[0])
    little = save(tmp_path / "e.png", noisy(cat(), sigma=5)[0])
    methods = [
        method_of(denoised(source, "-o", tmp_path / f"out-{source.name}"))
        for source in (known, less, more, grey, little)
    ]
    assert methods == ["model", "zero-shot", "model", "model", "zero-shot"]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_photons_are_cleaned_by_the_weights_that_come_along(dtype: str, tmp_path: Path) -> None:
    clean = 20 * cat().mean(0).numpy()
    gain, black = {"uint8": (8.0, 9.0), "uint16": (900.0, 3000.0), "float32": (0.01, -2.0)}[dtype]
    noisy = gain * np.random.default_rng(0).poisson(clean) + black
    tifffile.imwrite(
        tmp_path / "a.tif", noisy.clip(max=255 if dtype == "uint8" else None).astype(dtype)
    )
    result = denoised(tmp_path / "a.tif", "-o", tmp_path / "b.tif")
    assert method_of(result) == "model"
    assert "rising with brightness" in result.stderr
    counts = (tifffile.imread(tmp_path / "b.tif") - black) / gain
    errors = np.square(counts - clean).mean()
    assert errors < np.square((noisy - black) / gain - clean).mean() / 8
    assert counts.mean() == pytest.approx(clean.mean(), rel=0.02)


def test_what_the_weights_that_come_along_do_not_know(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(0.4 * cat().mean(0).numpy())
    sources = {
        "few photons": counts / 4,
        "weak": noisy(cat(), sigma=2).numpy().transpose(1, 2, 0),
    }
    for name, values in sources.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", (values * 255).clip(0, 255).astype(np.uint8))
        result = denoised(tmp_path / f"{name}.tif", "-o", tmp_path / "out" / f"{name}.tif")
        assert method_of(result) == "zero-shot", name


def test_noise_that_neighbours_share_is_removed(tmp_path: Path) -> None:
    clean = cat().repeat_interleave(3, 1).repeat_interleave(3, 2)
    noise = gaussian_filter(np.random.default_rng(0).normal(size=clean.shape), (0, 0.7, 0.7))
    source = save(tmp_path / "a.png", clean + 0.08 * torch.from_numpy(noise / noise.std()))
    result = denoised(source, "-o", tmp_path / "b.png")
    assert method_of(result) == "model"
    assert "will stay" not in result.stderr
    assert psnr(load(tmp_path / "b.png"), clean) > psnr(load(source), clean) + 5


def test_what_may_be_texture_is_left_unless_the_weights_are_asked_for(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", noisy(cat(), sigma=2))
    result = denoised(source, "-o", tmp_path / "b.png")
    assert method_of(result) == "zero-shot"
    assert "will stay; several shots of a scene would help, or '--method model'" in result.stderr
    asked = denoised(source, "-o", tmp_path / "c.png", "--method", "model")
    assert "will stay" not in asked.stderr
    left, taken = (psnr(load(tmp_path / name), cat()) for name in ("b.png", "c.png"))
    assert taken < left  # as was said


def test_noise_in_a_jpeg_file_is_removed(tmp_path: Path) -> None:
    clean = cat(256, 256)
    pixels = (255 * noisy(clean)).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=90)
    assert method_of(denoised(tmp_path / "a.jpg", "-o", tmp_path / "b.png")) == "model"
    assert psnr(load(tmp_path / "b.png"), clean) > psnr(load(tmp_path / "a.jpg"), clean) + 5


@pytest.mark.parametrize(("iso", "method"), [(400, "zero-shot"), (3200, "model")])
def test_what_a_camera_says_is_noise(iso: int, method: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.ISOSpeedRatings] = iso
    noise = 0.03 * correlated_normal(cat()[None], generator_for(0))[0]
    pixels = (255 * (cat() + noise)).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=98)
    assert method_of(denoised(tmp_path / "a.jpg", "-o", tmp_path / "b.jpg")) == method
    advice = blockwright("inspect", tmp_path / "a.jpg").stdout
    assert ("weights for pixels apart" in advice) == (method == "model")


def test_a_broken_pixel_lies_beyond_what_the_weights_know(tmp_path: Path) -> None:
    (shot,) = grey_shots(1)
    methods = []
    for name, value in {"whole": shot[30, 40], "broken": 65535}.items():
        shot[30, 40] = value
        tifffile.imwrite(tmp_path / f"{name}.tif", shot)
        result = denoised(tmp_path / f"{name}.tif", "-o", tmp_path / "out" / f"{name}.tif")
        methods.append(method_of(result))
    assert methods == ["model", "zero-shot"]


def test_the_same_seed_and_steps_give_the_same_file(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", noisy(cat(32, 32)))
    for name, seed in (("b", 1), ("c", 1), ("d", 2)):
        seeded = ("--seed", seed, "--method", "zero-shot")
        denoised(source, "-o", tmp_path / f"{name}.png", *seeded)
    contents = [(tmp_path / f"{name}.png").read_bytes() for name in "bcd"]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_that_is_none(tmp_path: Path, seed: int) -> None:
    source = save(tmp_path / "a.png", noisy(cat(32, 32)))
    result = blockwright("denoise", source, "-o", tmp_path / "b.png", "--seed", seed)
    assert result.exit_code == 2
    assert "--seed" in result.stderr
    assert names(tmp_path) == ["a.png"]


def test_the_weights_that_come_along_clean_well(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", noisy(cat()))
    result = denoised(source, "-o", tmp_path / "b.png")
    assert method_of(result) == "model"
    assert psnr(load(tmp_path / "b.png"), cat()) > psnr(load(source), cat()) + 6


@pytest.mark.parametrize("method", ["auto", "model", "zero-shot"])
def test_the_noise_of_a_picture_is_estimated_once(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimated = []

    def counted(shot: np.ndarray, iso: int | None) -> NoiseOfOne:
        estimated.append(shot)
        return noise_of_one(shot, iso)

    monkeypatch.setattr("graphs.noise2noise.restoring.noise_level.noise_of_one", counted)
    save(tmp_path / "in" / "a.png", noisy(cat()))
    denoised(tmp_path / "in" / "a.png", "-o", tmp_path / "a.png", "--method", method)
    assert len(estimated) == 1
    save(tmp_path / "in" / "b.png", noisy(cat(), seed=1))
    denoised(tmp_path / "in", "-o", tmp_path / "out", "--method", "model")
    assert len(estimated) == 1 + 2


@pytest.mark.parametrize(("colours", "sigma"), [("grey", 25), ("grey as RGB", 25), ("RGB", 50)])
def test_pictures_that_look_noisier_to_the_weights_than_what_they_know(
    colours: str, sigma: int, tmp_path: Path
) -> None:
    clean = cat() if colours == "RGB" else cat().mean(0, keepdim=True)
    shot = noisy(clean, sigma=sigma)
    stored = shot.expand(3, -1, -1) if colours == "grey as RGB" else shot
    source = save(tmp_path / "a.png", stored if len(stored) > 1 else stored[0])
    result = denoised(source, "-o", tmp_path / "b.png")
    assert method_of(result) == "model"
    # Seen with their full contrast, they would gain 3.6 dB if they are grey, and 6.7 dB.
    gained = psnr(load(tmp_path / "b.png"), clean) - psnr(load(source), clean)
    assert gained > (11 if colours == "RGB" else 8), gained


def test_a_stack_of_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_for(monkeypatch, 40)
    shots = grey_shots(4)
    tifffile.imwrite(tmp_path / "a.tif", shots, imagej=True, metadata={"axes": "TYX"})
    result = denoised(tmp_path / "a.tif", "-o", tmp_path / "b.tif")
    assert method_of(result) == "repeats"
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.is_imagej
        cleaned = file.asarray()
    assert cleaned.shape == shots.shape
    assert cleaned.dtype == np.uint16
    clean = 500 + 3000 * cat(64, 72).mean(0).numpy()
    before, after = (np.square(stack - clean).mean() for stack in (shots, cleaned))
    assert after < 0.9 * before
    train_for(monkeypatch, 4)
    denoised(tmp_path / "a.tif", "-o", tmp_path / "mean.tif", "--average")
    mean = tifffile.imread(tmp_path / "mean.tif")
    assert mean.shape == (64, 72)
    assert mean.dtype == np.uint16


def test_shots_in_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for i in range(3):
        save(folder / f"{i}.png", noisy(cat(48, 48), seed=i))
    result = denoised(folder, "-o", tmp_path / "out")
    assert method_of(result) == "repeats"
    assert names(tmp_path / "out") == ["0.png", "1.png", "2.png"]
    result = denoised(*sorted(folder.iterdir()), "-o", tmp_path / "mean.png")
    assert names(tmp_path) == ["in", "mean.png", "out"]
    before, after = (load(path) for path in (folder / "0.png", tmp_path / "mean.png"))
    assert psnr(after, cat(48, 48)) > psnr(before, cat(48, 48)) + 3


def test_different_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_weights(monkeypatch)
    sources = [
        save(tmp_path / "a.png", noisy(cat(40, 48))),
        save(tmp_path / "b.png", noisy(cat(48, 40).flip(1, 2).sqrt(), seed=1)),
    ]
    result = denoised(*sources, "-o", tmp_path / "out")
    assert method_of(result) == "neighbours"
    assert names(tmp_path / "out") == ["a.png", "b.png"]


@pytest.mark.parametrize("options", [(), ("--method", "model"), ("--method", "repeats")])
def test_different_pictures_have_no_mean(options: tuple[str, ...], tmp_path: Path) -> None:
    first = save(tmp_path / "a.png", noisy(cat(40, 48)))
    other = save(tmp_path / "b.png", noisy(cat(40, 48).flip(1, 2).sqrt(), seed=1))
    out = tmp_path / "out.png"
    said = complaint("denoise", first, other, "-o", out, *options)
    assert said == (
        f"the 2 files do not look alike, so {out} cannot be their mean; "
        "name a folder for the results, and no --average"
    )
    assert names(tmp_path) == ["a.png", "b.png"]


def test_repeats_that_are_none_are_told_of(tmp_path: Path) -> None:
    told = "do not look like shots of one scene"
    first = save(tmp_path / "a.png", noisy(cat(40, 48)))
    again = save(tmp_path / "b.png", noisy(cat(40, 48), seed=1))
    other = save(tmp_path / "c.png", noisy(cat(40, 48).flip(1, 2).sqrt(), seed=1))
    options = ("--method", "repeats", "--overwrite")
    assert told not in denoised(first, again, "-o", tmp_path / "out", *options).stderr
    result = denoised(first, other, "-o", tmp_path / "out", *options)
    assert told in result.stderr
    assert method_of(result) == "repeats"


def test_two_shots_of_an_even_sky_show_one_scene(tmp_path: Path) -> None:
    sky = 0.5 + 0.02 * torch.linspace(0, 1, 96)[None, :, None].expand(3, 96, 128)
    first, second = (save(tmp_path / f"{i}.png", noisy(sky, seed=i)) for i in range(2))
    result = denoised(first, second, "-o", tmp_path / "out.png")
    assert method_of(result) == "model"
    assert "the mean of 2 shots: noise of standard deviation about 17" in result.stderr
    assert psnr(load(tmp_path / "out.png"), sky) > psnr(load(first), sky) + 10


def test_a_broken_pixel_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_for(monkeypatch, 150)
    (shot,) = grey_shots(1)
    broken = shot.copy()
    broken[30, 40] = 65535
    results = []
    for name, pixels in (("whole", shot), ("broken", broken)):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
        out = tmp_path / f"{name}-out.tif"
        denoised(tmp_path / f"{name}.tif", "-o", out, "--method", "zero-shot")
        results.append(tifffile.imread(out).astype(float))
    whole, found = results
    assert found[30, 40] > 60000  # it is left as it is
    far = np.ones(shot.shape, bool)
    far[24:37, 34:47] = False
    assert np.abs(found - whole)[far].mean() < 0.1 * np.abs(shot - whole)[far].mean()


def test_numbers_that_a_model_does_not_know(tmp_path: Path) -> None:
    architecture, model = Architecture(width=2), tmp_path / "model.safetensors"
    save_network(model, architecture.build(), architecture)
    for name, pixels in (("known", cat()[0]), ("far", 9000 * cat()[0])):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels.numpy())
        result = denoised(tmp_path / f"{name}.tif", "-o", tmp_path / f"{name}-out.tif", "-m", model)
        assert ("lie far beyond those that the network was trained on" in result.stderr) == (
            name == "far"
        )


def test_a_result_without_numbers_is_not_written(tmp_path: Path) -> None:
    architecture, model = Architecture(network="unet", width=4, depth=1), tmp_path / "m.safetensors"
    save_network(model, architecture.build(), architecture)
    source = tmp_path / "a.npy"
    np.save(source, np.full((24, 24), 3e38, np.float32))
    result = blockwright("denoise", source, "-o", tmp_path / "b.npy", "-m", model)
    assert result.exit_code == 2
    assert "b.npy is not written: the picture has numbers so large" in result.stderr
    assert names(tmp_path) == ["a.npy", "m.safetensors"]


def test_slices_in_depth_are_no_repeats(tmp_path: Path) -> None:
    stack = grey_shots(3)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    result = denoised(tmp_path / "a.tif", "-o", tmp_path / "b.tif")
    assert method_of(result) == "neighbours"
    options = ("--method", "repeats", "--overwrite")
    result = denoised(tmp_path / "a.tif", "-o", tmp_path / "b.tif", *options)
    assert "method: repeats, as asked for" in result.stderr


@pytest.mark.parametrize("axes", ["CYX", "YXS"])
def test_any_number_of_channels(axes: str, tmp_path: Path) -> None:
    shape = {"CYX": (5, 32, 40), "YXS": (32, 40, 2)}[axes]
    pixels = np.random.default_rng(0).normal(7, 2, shape).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata={"axes": axes})
    for name, options in {"z": (), "m": ("--method", "model")}.items():
        denoised(tmp_path / "a.tif", "-o", tmp_path / f"{name}.tif", *options)
        picture = read_picture(tmp_path / f"{name}.tif")
        assert picture.pixels.shape == (sorted(shape)[0], 32, 40)
        assert float(picture.pixels.std()) < 2.05
        assert float(picture.pixels.mean()) == pytest.approx(7, abs=0.5)


def test_results_for_machines(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", noisy(cat(32, 32), sigma=8)[0])
    result = denoised(source, "-o", tmp_path / "b.png", "--json")
    found = json.loads(result.stdout)
    assert found["output"] == str(tmp_path / "b.png")
    assert found["method"] == "model"
    assert found["noise"]["even"]["sigma"] == pytest.approx(8, abs=2)
    assert found["noise"]["white"] == 255
    assert "\r" not in result.stderr
    assert "%" not in result.stderr


def test_what_it_refuses(tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", noisy(cat(32, 32)))
    small = save(tmp_path / "small.png", bytes_of(8, 40, 3))
    grey = save(tmp_path / "grey.png", bytes_of(32, 40))
    wide = save(tmp_path / "wide.png", bytes_of(32, 40, 3))
    out = tmp_path / "out"
    np.save(tmp_path / "row.npy", bytes_of(1, 40))
    for path, side in ((small, "8 pixels"), (tmp_path / "row.npy", "1 pixel")):
        said = complaint("denoise", photo, path, "-o", out, "--method", "zero-shot")
        assert said == f"{path} is {side} high or wide; to learn from, it takes 16"
    together = "they cannot be learned from together"
    said = complaint("denoise", photo, grey, "-o", out, "--method", "repeats")
    assert said == f"{photo} is a single shot; repeats are two or more"
    said = complaint("denoise", photo, wide, "-o", out, "--method", "repeats")
    assert said == f"{photo} and {wide} differ in size, (32, 32) and (32, 40): {together}"
    said = complaint("denoise", photo, "-o", out, "--method", "repeats")
    assert said == f"{photo} is a single shot; repeats are two or more"
    said = complaint("denoise", photo, "-o", out, "--minutes", 0)
    assert said == "expected a time above 0, got 0 minutes"
    said = complaint("denoise", photo, "-o", out, "--max-memory", "much")
    assert said == "expected a size of memory, such as 500M or 2G, got 'much'"
    said = complaint("denoise", photo, "-o", out, "-m", "m", "--method", "repeats")
    assert said == "a model is given, for which method repeats has no use"
    said = complaint("denoise", photo, "-o", tmp_path / "a.jpg", "--method", "model", "-m", "none")
    assert said == "there is no file of weights none"
    np.save(tmp_path / "f.npy", np.ones((20, 20), np.float32))
    said = complaint("denoise", tmp_path / "f.npy", "-o", tmp_path / "f.png")
    assert said.startswith(f"{tmp_path / 'f.png'} cannot hold numbers of type float32, being PNG")
    assert not out.exists()


def test_too_little_memory(tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", noisy(cat(64, 64)))
    options = ("--method", "model", "--max-memory", "1K")
    result = blockwright("denoise", photo, "-o", tmp_path / "b.png", *options)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith("pixels; allowed are 1,000")
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize("method", ["model", "neighbours"])
def test_too_little_memory_for_one_of_several(tmp_path: Path, method: str) -> None:
    """Nothing is written if one of the pictures cannot be."""
    small, large = (noisy(cat(side, side)) for side in (16, 260))
    pictures = save(tmp_path / "a.png", small), save(tmp_path / "b.png", large.repeat(1, 2, 2))
    memory = {"model": "20M", "neighbours": "500K"}[method]
    options = ("--method", method, "--max-memory", memory)
    result = blockwright("denoise", *pictures, "-o", tmp_path / "out", *options)
    assert result.exit_code == 2, result.output
    assert "bytes for its smallest tile" in result.stderr
    assert names(tmp_path) == ["a.png", "b.png"]
