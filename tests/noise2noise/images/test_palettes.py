"""PNG files with palettes, few bits or a transparent colour are read as Pillow reads them."""

from __future__ import annotations

import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import (
    png_rows,
    read_raster,
    require_fit,
    spool,
)
from tests.noise2noise.images.kinds import numbers, png_chunk, rewrite
from tests.noise2noise.scenes import blockwright, bytes_of

PICTURE = Image.fromarray(bytes_of(23, 37, 3))
FILES: dict[str, tuple[Image.Image, dict[str, object], str]] = {
    "palette": (PICTURE.convert("P"), {}, "RGB"),
    "16 colours": (PICTURE.quantize(16), {}, "RGB"),
    "4 colours": (PICTURE.quantize(4), {}, "RGB"),
    "2 colours": (PICTURE.quantize(2), {}, "RGB"),
    "a transparent colour": (PICTURE.convert("P"), {"transparency": 16}, "RGBA"),
    "opacities": (PICTURE.convert("P"), {"transparency": bytes(range(200))}, "RGBA"),
    "opacities of 4 colours": (PICTURE.quantize(4), {"transparency": b"\x20\x80"}, "RGBA"),
    "1 bit": (PICTURE.convert("1"), {}, "L"),
    "2 bits": (PICTURE.convert("L"), {"bits": 2}, "L"),
    "4 bits": (PICTURE.convert("L"), {"bits": 4}, "L"),
    "a transparent grey": (PICTURE.convert("L"), {"transparency": 128}, "LA"),
    "transparent black of 1 bit": (PICTURE.convert("1"), {"transparency": 0}, "LA"),
    "a transparent colour of RGB": (PICTURE, {"transparency": PICTURE.getpixel((5, 7))}, "RGBA"),
}


@pytest.fixture(params=["whole", "in rows"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in rows":
        monkeypatch.setattr(spool, "IN_MEMORY", 0)
        monkeypatch.setattr(png_rows, "ROWS_BYTES", 200)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("kind", FILES)
def test_read_as_pillow_does_and_written_in_8_bits(kind: str, tmp_path: Path) -> None:
    image, options, mode = FILES[kind]
    text = PngInfo()
    text.add_text("Author", "somebody")
    image.save(tmp_path / "a.png", pnginfo=text, **options)
    with Image.open(tmp_path / "a.png") as opened:
        expected = np.asarray(opened.convert(mode))
    raster = read_raster(tmp_path / "a.png")
    assert isinstance(raster.pixels, np.memmap) == (spool.IN_MEMORY == 0)
    assert raster.dtype == np.uint8
    assert raster.alpha == mode.endswith("A")
    np.testing.assert_array_equal(raster.pixels, expected)
    rewrite(tmp_path / "a.png", "b.png")
    with Image.open(tmp_path / "b.png") as written:
        written.load()
        assert written.mode == mode
        assert written.info == {"Author": "somebody"}
        np.testing.assert_array_equal(np.asarray(written), expected)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("shape", [(23, 37), (23, 37, 3)])
def test_a_transparent_colour_of_16_bits(shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = numbers(shape, "uint16")
    content = imagecodecs.png_encode(pixels)
    colour = np.atleast_1d(pixels[3, 4]).astype(">u2")
    path = tmp_path / "a.png"
    path.write_bytes(content[:33] + png_chunk(b"tRNS", colour.tobytes()) + content[33:])
    raster = read_raster(path)
    np.testing.assert_array_equal(raster.planes(), np.moveaxis(np.atleast_3d(pixels), -1, 0))
    there = np.argwhere(raster.opacity()[0] == 0)
    np.testing.assert_array_equal(there, [[3, 4]])
    assert raster.opacity().max() == 65535


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    depth=st.sampled_from([1, 2, 4, 8]),
    filters=st.sampled_from([8, 16, 32, 64, 128, 248]),
    few_rows=st.booleans(),
)
def test_rows_filtered_in_every_way(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, int],
    depth: int,
    filters: int,
    few_rows: bool,
) -> None:
    height, width = size
    packed = np.sort(numbers((height, -(-width * depth // 8)), "uint8"), axis=0)
    grey = imagecodecs.png_encode(packed, filter=filters)  # the bytes filtered, as a palette's are
    header = struct.pack(">IIBBBBB", width, height, depth, png_rows.PALETTE, 0, 0, 0)
    colours = numbers((2**depth, 3), "uint8", seed=1)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"PLTE", colours.tobytes())
    path = tmp_path_factory.getbasetemp() / "filtered.png"
    path.write_bytes(grey[:8] + chunks + grey[33:])
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "IN_MEMORY", 0)
        patch.setattr(png_rows, "ROWS_BYTES", 8 if few_rows else 200)
        np.testing.assert_array_equal(read_raster(path).pixels, expected)


def test_rows_are_counted_by_what_becomes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = PICTURE.resize((64, 40)).quantize(2)
    image.save(tmp_path / "a.png", transparency=0)
    monkeypatch.setattr(png_rows, "ROWS_BYTES", 1000)  # of 64 pixels: 125 rows of bits, 3 of RGBA
    with (tmp_path / "a.png").open("rb") as file:
        parts = list(png_rows.decoded(file, png_rows.Header.of(file)))
    assert {part.shape for part in parts} == {(3, 64, 4), (1, 64, 4)}


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("lost", [b"PLTE", b"IDAT"])
def test_damage_is_found(lost: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PICTURE.convert("P").save(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(lost, b"teXt"))
    with pytest.raises(InputError, match=r"a\.png cannot be read: "):
        read_raster(path)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_transparent_colour_of_another_kind_is_left_out(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PICTURE.convert(mode).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:33] + png_chunk(b"tRNS", bytes(8)) + content[33:])
    expected = np.asarray(PICTURE.convert(mode))
    np.testing.assert_array_equal(read_raster(path).pixels, expected)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("opacities", [0, 5])
def test_opacities_that_fit_no_palette_are_left_out(opacities: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PICTURE.quantize(4).save(path)
    content, wrong = path.read_bytes(), png_chunk(b"tRNS", bytes(opacities))
    before, pixels = content[: content.index(b"IDAT") - 4], content[content.index(b"IDAT") - 4 :]
    colours = np.asarray(PICTURE.quantize(4).convert("RGB"))
    path.write_bytes(before + wrong + pixels)
    np.testing.assert_array_equal(read_raster(path).pixels, colours)


def test_denoised_to_a_file_that_is_no_palette(tmp_path: Path) -> None:
    PICTURE.resize((48, 40)).convert("P").save(tmp_path / "a.png", transparency=16)
    result = blockwright("denoise", tmp_path / "a.png", "-o", tmp_path / "b.png", "--minutes", 0.01)
    assert result.exit_code == 0, result.output
    before, after = (read_raster(tmp_path / name) for name in ("a.png", "b.png"))
    assert (after.dtype, after.channels, after.alpha) == (np.uint8, 3, True)
    np.testing.assert_array_equal(after.opacity(), before.opacity())
    assert (after.planes() != before.planes()).any()
    with pytest.raises(InputError, match=r"b\.jpg cannot hold an alpha channel"):
        require_fit(tmp_path / "b.jpg", before)
