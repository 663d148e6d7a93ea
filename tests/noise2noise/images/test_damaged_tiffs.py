"""TIFF files that lack something they refer to are refused: no frame is silently left out."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import read_raster
from tests.noise2noise.images.kinds import Writer, numbers

STACK = numbers((6, 40, 32), "uint16")
OME = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="32" SizeY="40" SizeC="1" '
    'SizeZ="1" SizeT="6"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
    '<TiffData IFD="0" PlaneCount="6"/></Pixels></Image></OME>'
)


def stack(**options: object) -> Writer:
    return lambda path: tifffile.imwrite(path, STACK, **options)


def page_by_page(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        for frame in STACK:
            file.write(frame, contiguous=False, metadata=None)


def by_pillow(path: Path) -> None:
    first, *others = map(Image.fromarray, STACK.astype(np.uint8))
    first.save(path, save_all=True, append_images=others, compression="tiff_lzw")


STACKS: dict[str, Writer] = {
    "ImageJ": stack(imagej=True, metadata={"axes": "TYX"}),
    "packed ImageJ": stack(imagej=True, metadata={"axes": "TYX"}, compression="zlib"),
    "OME": stack(ome=True, metadata={"axes": "TYX"}),
    "shaped": stack(metadata={"axes": "TYX"}),
    "packed shaped": stack(metadata={"axes": "TYX"}, compression="zlib"),
    "plain": stack(metadata=None, photometric="minisblack"),
    "BigTIFF": stack(metadata=None, photometric="minisblack", bigtiff=True),
    "tiles": stack(metadata=None, photometric="minisblack", tile=(16, 16), compression="lzw"),
    "page by page": page_by_page,
    "Pillow": by_pillow,
}


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
@pytest.mark.parametrize("kind", STACKS)
def test_a_stack_that_is_cut(kind: str, part: float, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    STACKS[kind](path)
    assert read_raster(path).frames == 6
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    reason = "it (ends too early|is damaged|has no page that can be read)"
    with pytest.raises(InputError, match=rf"a\.tif cannot be read: {reason}$"):
        read_raster(path)


@pytest.mark.parametrize("kind", STACKS)
def test_a_stack_that_lacks_its_last_bytes(kind: str, tmp_path: Path) -> None:
    """If what is missing is not pixels, such as the last page's resolution, it may be read."""
    path = tmp_path / "a.tif"
    STACKS[kind](path)
    content, pixels = path.read_bytes(), read_raster(path).pixels.copy()
    for lacking in (1, 2, 4, 8, 16, 32, 64):
        path.write_bytes(content[:-lacking])
        with suppress(InputError):
            np.testing.assert_array_equal(read_raster(path).pixels, pixels)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("ImageJ=1.53t\nimages=6\n", "it tells of 6 frames and holds 4"),
        ("ImageJ=1.53t\nimages=6\nframes=6\n", "it (tells of 6 frames and holds 4|is damaged)"),
        (OME, "it tells of 6 frames and holds 4"),
        ('{"shape": [6, 40, 32]}', "it (ends too early|is damaged)"),
    ],
)
def test_pages_that_are_missing(
    description: str, reason: str, compression: str | None, tmp_path: Path
) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for i, frame in enumerate(STACK[:4]):
            text = None if i else description
            file.write(
                frame, description=text, contiguous=False, metadata=None, compression=compression
            )
    with pytest.raises(InputError, match=rf"a\.tif cannot be read: {reason}$"):
        read_raster(tmp_path / "a.tif")


def test_pixels_beyond_the_end(tmp_path: Path) -> None:
    """LZW ends where its pixels do: cut in a row, they would be zeros from there on."""
    Image.fromarray(STACK[0]).save(tmp_path / "a.tif", compression="tiff_lzw")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        counts = file.pages[0].tags["StripByteCounts"]
        counts.overwrite(1 << 20)
    with pytest.raises(InputError, match=r"a\.tif cannot be read: it ends too early$"):
        read_raster(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("ImageWidth", b"\3\0\2\0\0\0", "it is damaged"),  # two numbers of 16 bits
        ("RowsPerStrip", b"\3\0\1\0\0\0\7\0", "it is damaged"),
        ("Compression", b"\3\0\1\0\0\0\x39\x30", "12345 is not a known COMPRESSION"),
    ],
)
def test_a_damaged_field(field: str, value: bytes, reason: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], metadata=None, compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        place = file.pages[0].tags[field].offset + 2
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[place : place + len(value)] = value
    (tmp_path / "a.tif").write_bytes(content)
    message = f"{tmp_path / 'a.tif'} cannot be read: {reason}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_raster(tmp_path / "a.tif")


def test_a_damaged_tile(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], metadata=None, tile=(16, 16), compression="lzw")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        place = file.pages[0].dataoffsets[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[place : place + 4] = b"\x80\x40\x20\x10"  # nothing but its beginning and end
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif cannot be read: it is damaged$"):
        read_raster(tmp_path / "a.tif")


def test_fields_of_types_yet_unknown_are_skipped(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", STACK[0], metadata=None, extratags=[(65000, "H", 1, 3, True)]
    )
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        place = file.pages[0].tags[65000].offset
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[place + 2 : place + 4] = b"\xff\0"
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_array_equal(read_raster(tmp_path / "a.tif").pixels, STACK[0])
