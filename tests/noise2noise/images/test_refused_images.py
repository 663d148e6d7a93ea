"""Files that are no picture to work with: one sentence that names the file and what is wrong."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import list_pictures, read_picture, require_picture
from tests.noise2noise.scenes import bytes_of, save

Writer = Callable[[Path], object]


def of_mode(mode: str, **options: object) -> Writer:
    pixels = Image.fromarray(bytes_of(8, 8, 3))
    return lambda path: pixels.convert(mode).save(path, **options)


def sixteen_bit_grey(path: Path) -> None:
    Image.frombytes("I;16", (8, 8), bytes(range(128))).save(path)


def sixteen_bit_rgb(path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    rows = zlib.compress(bytes(8 * (1 + 8 * 6)))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def with_a_next_page_of_nothing(path: Path) -> None:
    Image.fromarray(bytes_of(8, 8, 3)).save(path)
    content = bytearray(path.read_bytes())
    (entries,) = struct.unpack_from("<H", content, 8)
    struct.pack_into("<I", content, 10 + 12 * entries, len(content))
    path.write_bytes(content + bytes(6))


def several(path: Path) -> None:
    pages = [Image.fromarray(bytes_of(8, 8, 3, seed=i)) for i in range(2)]
    pages[0].save(path, save_all=True, append_images=pages[1:])


KINDS: dict[str, tuple[str, Writer, str]] = {
    "RGBA": ("a.png", of_mode("RGBA"), "is RGB with transparency; expected 8-bit grey or RGB"),
    "LA": ("a.png", of_mode("LA"), "is grey with transparency; expected 8-bit grey or RGB"),
    "P": ("a.png", of_mode("P"), "is of palette colours; expected 8-bit grey or RGB"),
    "1": ("a.png", of_mode("1"), "is black and white without greys; expected 8-bit grey or RGB"),
    "CMYK": ("a.jpg", of_mode("CMYK"), "is CMYK; expected 8-bit grey or RGB"),
    "CMYK TIFF": ("a.tif", of_mode("CMYK"), "is CMYK; expected 8-bit grey or RGB"),
    "float": ("a.tif", of_mode("F"), "is grey of 32 bits; expected 8-bit grey or RGB"),
    "one colour transparent": (
        "a.png",
        of_mode("RGB", transparency=(1, 2, 3)),
        "is RGB with a transparent colour; expected 8-bit grey or RGB",
    ),
    "16 bits": ("a.png", sixteen_bit_grey, "is grey of 16 bits; expected 8-bit grey or RGB"),
    "16 bits TIFF": ("a.tif", sixteen_bit_grey, "is grey of 16 bits; expected 8-bit grey or RGB"),
    "16 bits RGB": ("a.png", sixteen_bit_rgb, "is RGB of 16 bits; expected 8-bit grey or RGB"),
    "pages": ("a.tif", several, "holds several pictures; expected one"),
    "frames": ("a.png", several, "holds several pictures; expected one"),
    "text": (
        "a.png",
        lambda path: path.write_text("a diary"),
        "is not a PNG, JPEG or TIFF picture",
    ),
    "empty": ("a.png", lambda path: path.touch(), "is not a PNG, JPEG or TIFF picture"),
    "another format": (
        "a.png",
        of_mode("RGB", format="BMP"),
        "is not a PNG, JPEG or TIFF picture",
    ),
    "empty page": ("a.tif", with_a_next_page_of_nothing, "cannot be read: Missing dimensions"),
    "folder": ("a.png", lambda path: path.mkdir(), "cannot be read: [Errno 21] Is a directory"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_refused(kind: str, tmp_path: Path) -> None:
    name, write, expected = KINDS[kind]
    write(tmp_path / name)
    for look in (read_picture, require_picture):
        with pytest.raises(InputError) as error:
            look(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name} {expected}")
        assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^there is no file {re.escape(str(tmp_path))}/none.png$"):
        read_picture(tmp_path / "none.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_a_truncated_file(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"half.{suffix}", bytes_of(40, 40, 3))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"half\.{suffix} (cannot be read: |is not a)"):
        read_picture(path)


@pytest.mark.filterwarnings("error")
@given(st.sampled_from(["png", "jpg", "tif"]), st.data())
def test_a_damaged_file_is_a_picture_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    path = save(tmp_path_factory.getbasetemp() / f"damaged.{suffix}", bytes_of(9, 7, 3))
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(InputError):
        read_picture(path)


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^there is no folder .*/none$"):
        list_pictures(tmp_path / "none")
    with pytest.raises(InputError, match=r"^the folder .* has no PNG, JPEG or TIFF pictures$"):
        list_pictures(tmp_path)
