"""Pictures to files and back, with what else the files say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from graphs.noise2noise.images import (
    Picture,
    from_bytes,
    list_pictures,
    read_picture,
    to_bytes,
    write_picture,
)
from tests.noise2noise.scenes import bytes_of, cat, load, save

LOSSLESS = ("png", "tif", "tiff", "PNG")
JPEG = ("jpg", "jpeg")
PROFILE = b"a colour profile" * 20


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "RGB"])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_files_there_and_back(
    suffix: str, channels: tuple[int, ...], tmp_path: Path
) -> None:
    pixels = bytes_of(17, 29, *channels)
    source = read_picture(save(tmp_path / f"in.{suffix}", pixels))
    assert source.pixels.shape == (3, 17, 29)
    assert source.pixels.dtype == torch.float32
    assert source.grey == (not channels)
    write_picture(tmp_path / f"out.{suffix}", source)
    with Image.open(tmp_path / f"out.{suffix}") as image:
        assert image.mode == ("RGB" if channels else "L")
        assert image.format == ("TIFF" if suffix.startswith("t") else "PNG")
        np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("suffix", JPEG)
def test_jpeg_there_and_back(suffix: str, grey: bool, tmp_path: Path) -> None:
    pixels = cat().mean(0).expand(3, -1, -1) if grey else cat()
    write_picture(tmp_path / f"out.{suffix}", Picture(pixels, grey))
    again = read_picture(tmp_path / f"out.{suffix}")
    assert again.grey == grey
    assert float((again.pixels - pixels).abs().mean()) < 2.5 / 255


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_orientation_profile_and_resolution_are_kept(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    Image.fromarray(bytes_of(16, 24, 3)).save(
        tmp_path / name, exif=exif, icc_profile=PROFILE, dpi=(300, 300)
    )
    with Image.open(tmp_path / name) as image:
        image.load()
        upright = image.size != (24, 16)  # Pillow turns a TIFF as its orientation asks
    write_picture(tmp_path / f"out-{name}", read_picture(tmp_path / name))
    with Image.open(tmp_path / f"out-{name}") as image:
        assert image.info["icc_profile"] == PROFILE
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        assert image.size == ((16, 24) if upright else (24, 16))
        if not upright:
            assert dict(image.getexif()) == dict(exif)


def test_metadata_crosses_kinds_of_files(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(bytes_of(16, 24)).save(tmp_path / "a.jpg", exif=exif, icc_profile=PROFILE)
    write_picture(tmp_path / "a.png", read_picture(tmp_path / "a.jpg"))
    with Image.open(tmp_path / "a.png") as image:
        assert image.getexif()[0x0112] == 6
        assert image.info["icc_profile"] == PROFILE


def test_values_are_rounded_and_clamped() -> None:
    levels = torch.tensor([[-0.5, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 1.5]])
    assert to_bytes(levels).tolist() == [[0, 0, 0, 1, 254, 255, 255]]
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_bytes(from_bytes(every))[..., 0], every)
    assert from_bytes(every).max() == 1


def test_a_grey_picture_has_three_equal_channels(tmp_path: Path) -> None:
    pixels = read_picture(save(tmp_path / "grey.png", bytes_of(12, 12))).pixels
    assert torch.equal(pixels[0], pixels[1])
    assert torch.equal(pixels[0], pixels[2])
    write_picture(tmp_path / "mean.png", Picture(cat(), grey=True))
    assert float((load(tmp_path / "mean.png")[0] - cat().mean(0)).abs().max()) < 0.51 / 255


def test_the_pictures_of_a_folder_by_name_and_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.tiff", ".hidden.png"):
        save(tmp_path / name, bytes_of(4, 4))
    (tmp_path / "notes.txt").write_text("not a picture")
    found = list_pictures(tmp_path)
    assert list(found.items()) == [(name, tmp_path / name) for name in ("a.JPG", "b.png", "c.tiff")]
