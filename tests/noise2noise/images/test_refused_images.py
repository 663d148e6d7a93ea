"""Unusable files are refused in one sentence that names the file and what is wrong."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import (
    Raster,
    creating,
    list_pictures,
    read_picture,
    read_raster,
    require_fit,
)
from graphs.noise2noise.images.metadata import Metadata
from tests.noise2noise.images.kinds import Writer, animated, encode, numbers, of_mode, of_two_kinds
from tests.noise2noise.scenes import bytes_of, names, save

NO_KIND = "is not a PNG, JPEG, TIFF or .npy picture"


def unusual(value: float, **options: object) -> Writer:
    pixels = np.zeros((4, 4), np.float32)
    pixels[1, 2] = value
    return lambda path: encode(path, pixels)


def array(values: np.ndarray) -> Writer:
    return lambda path: np.save(path, values)


KINDS: dict[str, tuple[str, Writer, str]] = {
    "1 TIFF": ("a.tif", of_mode("1"), "holds bool; expected integers of at most 32 bits or floats"),
    "P TIFF": (
        "a.tif",
        of_mode("P"),
        "is of palette colours in no order of brightness; expected grey or RGB",
    ),
    "CMYK": ("a.jpg", of_mode("CMYK"), "is CMYK; expected grey or RGB"),
    "CMYK TIFF": ("a.tif", of_mode("CMYK"), "is CMYK; expected grey or RGB"),
    "frames": ("a.png", animated, "is animated; expected one picture"),
    "sizes": ("a.tif", of_two_kinds, "holds pictures of 2 kinds; expected one kind"),
    "NaN": ("a.tif", unusual(float("nan")), "has 1 value that is NaN or infinite"),
    "infinity": ("a.npy", unusual(float("inf")), "has 1 value that is NaN or infinite"),
    "too large": (
        "a.npy",
        array(np.full((3, 3), 1e300)),
        "has 9 values that are NaN or infinite as float32",
    ),
    "complex": ("a.npy", array(np.ones((3, 3), complex)), "holds complex128; expected integers"),
    "words": ("a.npy", array(np.array([["a"]])), "holds str"),
    "objects": (
        "a.npy",
        array(np.array([[{}]])),
        "cannot be read: Array can't be memory-mapped",
    ),
    "a line": ("a.npy", array(np.ones(3)), "has 1 axes; expected 2 to 4"),
    "nothing": ("a.npy", array(np.ones((0, 3))), "has no pixels"),
    "text": ("a.png", lambda path: path.write_text("a diary"), NO_KIND),
    "empty": ("a.png", lambda path: path.touch(), NO_KIND),
    "another format": ("a.png", of_mode("RGB", format="BMP"), NO_KIND),
    "folder": ("a.png", lambda path: path.mkdir(), "cannot be read: Is a directory"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_refused(kind: str, tmp_path: Path) -> None:
    name, write, expected = KINDS[kind]
    write(tmp_path / name)
    with pytest.raises(InputError) as error:
        read_raster(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name} {expected}")
    assert "\n" not in str(error.value)


def test_several_where_one_is_expected(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", bytes_of(3, 8, 9), photometric="minisblack")
    assert read_raster(tmp_path / "a.tif").frames == 3
    with pytest.raises(InputError, match=r"a\.tif holds 3 pictures; expected one$"):
        read_picture(tmp_path / "a.tif")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^there is no file {re.escape(str(tmp_path))}/none.png$"):
        read_picture(tmp_path / "none.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.npy", "packed.tif"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_truncated_file(name: str, part: float, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "packed.tif":
        tifffile.imwrite(path, bytes_of(40, 40, 3), compression="zlib", rowsperstrip=4)
    elif name == "a.npy":
        np.save(path, bytes_of(40, 40))
    else:
        save(path, bytes_of(40, 40, 3))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match=rf"{re.escape(name)} (cannot be read: |is not a)"):
        read_raster(path)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy"])
def test_a_file_that_ends_too_early_is_told_so_in_words(name: str, tmp_path: Path) -> None:
    path = encode(tmp_path / name, bytes_of(40, 40))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=rf"{re.escape(name)} cannot be read: it ends too early$"):
        read_raster(path)


@pytest.mark.filterwarnings("error")
@given(st.sampled_from(["png", "palette.png", "jpg", "tif", "npy"]), st.data())
def test_a_damaged_file_is_a_picture_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    if suffix == "jpg":
        save(path, bytes_of(9, 7, 3))
    elif suffix == "palette.png":
        of_mode("P", transparency=3)(path)
    else:
        encode(path, bytes_of(9, 7, 3))
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(InputError):
        read_raster(path)


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^there is no folder .*/none$"):
        list_pictures(tmp_path / "none")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"has no PNG, JPEG, TIFF or \.npy pictures$"):
        list_pictures(tmp_path)
    (tmp_path / "burst").mkdir()
    with pytest.raises(InputError, match=r"pictures itself; name one of its folders, as .*/burst$"):
        list_pictures(tmp_path)


@pytest.mark.parametrize(
    ("name", "raster", "reason"),
    [
        ("a.jpg", Raster(numbers((4, 4), "uint16"), "YX"), "numbers of type uint16, being JPEG"),
        ("a.jpg", Raster(bytes_of(4, 4, 4), "YXS", alpha=True), "an alpha channel, being JPEG"),
        (
            "a.jpg",
            Raster(bytes_of(4, 4), "YX", metadata=Metadata({"exif": bytes(70000)})),
            "EXIF data above 65533 bytes, being JPEG",
        ),
        ("a.png", Raster(numbers((4, 4), "float32"), "YX"), "numbers of type float32, being PNG"),
        ("a.png", Raster(bytes_of(4, 4, 5), "YXS"), "5 channels, being PNG"),
        ("a.png", Raster(bytes_of(3, 4, 4), "IYX"), "3 frames, being PNG"),
    ],
)
def test_what_a_format_cannot_hold(name: str, raster: Raster, reason: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for attempt in (lambda: require_fit(path, raster), lambda: creating(path, raster).__enter__()):
        with pytest.raises(InputError) as error:
            attempt()
        assert str(error.value).startswith(f"{path} cannot hold {reason}; these can: ")
        assert ".tif" in str(error.value)
    assert names(tmp_path) == []


def test_pictures_above_pillows_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("a.png", "a.jpg"):
        save(tmp_path / name, bytes_of(8, 9, 3))
    for name in ("a.png", "a.jpg"):
        assert read_picture(tmp_path / name).pixels.shape == (3, 8, 9)
    assert Image.MAX_IMAGE_PIXELS == 10
