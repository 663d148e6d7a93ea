"""What files say beside their pixels is said again in those made from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from graphs.noise2noise.images import read_picture, write_picture
from tests.noise2noise.images.kinds import numbers
from tests.noise2noise.scenes import bytes_of

PROFILE = b"a colour profile" * 20
ORIENTATION, MAKER = 0x0112, 0x010F


def rewrite(source: Path, name: str) -> Path:
    target = source.with_name(name)
    write_picture(target, read_picture(source))
    return target


@pytest.fixture
def exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "Maker"
    return exif


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_orientation_profile_and_resolution(suffix: str, exif: Image.Exif, tmp_path: Path) -> None:
    source = tmp_path / f"a.{suffix}"
    Image.fromarray(bytes_of(16, 24, 3)).save(
        source, exif=exif, icc_profile=PROFILE, dpi=(300, 300)
    )
    with Image.open(rewrite(source, f"b.{suffix}")) as image:
        assert image.info["icc_profile"] == PROFILE
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        assert image.size == (24, 16)
        assert dict(image.getexif()) == dict(exif)


def test_text_in_png_and_its_sixteen_bits(exif: Image.Exif, tmp_path: Path) -> None:
    text = PngInfo()
    text.add_text("Author", "somebody")
    text.add_itxt("Title", "Ωmega")
    pixels = numbers((9, 7), "uint16")
    Image.fromarray(pixels).save(tmp_path / "a.png", pnginfo=text, exif=exif, icc_profile=PROFILE)
    with Image.open(rewrite(tmp_path / "a.png", "b.png")) as image:
        image.load()
        assert image.text == {"Author": "somebody", "Title": "Ωmega"}
        assert image.getexif()[MAKER] == "Maker"
        assert image.info["icc_profile"] == PROFILE
        np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize(("before", "after"), [("jpg", "png"), ("png", "jpg")])
def test_it_crosses_kinds_of_files(
    before: str, after: str, exif: Image.Exif, tmp_path: Path
) -> None:
    source = tmp_path / f"a.{before}"
    Image.fromarray(bytes_of(16, 24)).save(source, exif=exif, icc_profile=PROFILE)
    with Image.open(rewrite(source, f"b.{after}")) as image:
        assert image.getexif()[ORIENTATION] == 6
        assert image.info["icc_profile"] == PROFILE


def test_to_and_from_tiff(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    Image.fromarray(bytes_of(16, 24, 3)).save(source, icc_profile=PROFILE, dpi=(300, 300))
    with Image.open(rewrite(source, "b.tif")) as image:
        assert image.info["icc_profile"] == PROFILE
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    with Image.open(rewrite(tmp_path / "b.tif", "c.png")) as image:
        assert image.info["icc_profile"] == PROFILE
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_imagej(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        numbers((2, 9, 8), "uint16"),
        imagej=True,
        resolution=(1 / 0.27, 1 / 0.27),
        metadata={"axes": "CYX", "unit": "um", "spacing": 0.5, "Labels": ["one", "two"]},
    )
    with (
        tifffile.TiffFile(tmp_path / "a.tif") as before,
        tifffile.TiffFile(rewrite(tmp_path / "a.tif", "b.tif")) as after,
    ):
        assert after.is_imagej
        assert after.imagej_metadata == before.imagej_metadata
        assert after.series[0].axes == before.series[0].axes == "CYX"
        assert after.pages[0].get_resolution() == before.pages[0].get_resolution()


def test_ome(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        numbers((2, 9, 8), "uint16"),
        ome=True,
        metadata={"axes": "CYX", "PhysicalSizeX": 0.27, "PhysicalSizeXUnit": "µm"},
    )
    with (
        tifffile.TiffFile(tmp_path / "a.ome.tif") as before,
        tifffile.TiffFile(rewrite(tmp_path / "a.ome.tif", "b.ome.tif")) as after,
    ):
        assert after.is_ome
        assert after.ome_metadata == before.ome_metadata
        assert "µm" in str(after.ome_metadata)
        assert after.series[0].axes == before.series[0].axes == "CYX"
        np.testing.assert_array_equal(after.asarray(), before.asarray())


def test_other_fields_of_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        bytes_of(9, 8, 3),
        photometric="rgb",
        compression="lzw",
        predictor=2,
        description="a thing",
        software="a program",
        datetime="2020:01:02 03:04:05",
        resolution=(300, 200),
        resolutionunit="CENTIMETER",
        iccprofile=PROFILE,
        extratags=[(33432, "s", 0, "nobody's", True), (274, "H", 1, 3, True)],
    )
    with (
        tifffile.TiffFile(tmp_path / "a.tif") as before,
        tifffile.TiffFile(rewrite(tmp_path / "a.tif", "b.tif")) as after,
    ):
        places = {"StripOffsets", "StripByteCounts"}
        values = [
            {tag.name: tag.value for tag in file.pages[0].tags if tag.name not in places}
            for file in (before, after)
        ]
        assert values[0] == values[1]
