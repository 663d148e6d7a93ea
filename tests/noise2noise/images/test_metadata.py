"""Metadata of files is carried over to the files made from them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.PngImagePlugin import PngInfo

from graphs.noise2noise.images import creating, read_raster
from graphs.noise2noise.images.exif import directories_of, exif_of, fields_of, packed
from graphs.noise2noise.images.tiff_exif import add_directories
from tests.noise2noise.images.kinds import numbers, rewrite
from tests.noise2noise.scenes import bytes_of

PROFILE = b"a colour profile" * 20
ORIENTATION, MAKER, ARTIST = 0x0112, 0x010F, 0x013B


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


@pytest.mark.parametrize("other", ["jpg", "png"])
def test_exif_to_tiff_and_back(other: str, exif: Image.Exif, tmp_path: Path) -> None:
    exif[ARTIST] = "Zoë".encode()
    source = tmp_path / f"a.{other}"
    Image.fromarray(bytes_of(16, 24, 3)).save(source, exif=exif)
    with tifffile.TiffFile(rewrite(source, "b.tif")) as file:
        values = {code: file.pages[0].tags.valueof(code) for code in (ORIENTATION, MAKER, ARTIST)}
    assert values == {ORIENTATION: 6, MAKER: "Maker", ARTIST: "Zoë"}
    for name in ("c.jpg", "c.png"):
        with Image.open(rewrite(tmp_path / "b.tif", name)) as image:
            back = image.getexif()
            assert (back[ORIENTATION], back[MAKER]) == (6, "Maker")
            assert back[ARTIST].encode("latin-1").decode() == "Zoë"


TAKEN = {
    Base.ExposureTime: 0.005,
    Base.ISOSpeedRatings: 6400,
    Base.ExifVersion: b"0231",
    Base.LensModel: "a lens",
    Base.ExposureBiasValue: -0.5,
    Base.MakerNote: bytes(range(256)) * 9,
}
PLACE = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (52.0, 31.0, 12.5)}


@pytest.fixture
def taken(exif: Image.Exif) -> Image.Exif:
    exif.get_ifd(IFD.Exif).update(TAKEN)
    exif.get_ifd(IFD.GPSInfo).update(PLACE)
    return exif


def require_taken(path: Path) -> None:
    with Image.open(path) as image:
        found = image.getexif()
        assert found[ORIENTATION] == 6
        assert dict(found.get_ifd(IFD.Exif)) == TAKEN
        assert dict(found.get_ifd(IFD.GPSInfo)) == PLACE


@pytest.mark.parametrize("source", ["jpg", "png", "tif"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_exposure_and_place_go_through_tiff(
    source: str, compression: str | None, byteorder: str, taken: Image.Exif, tmp_path: Path
) -> None:
    Image.fromarray(bytes_of(17, 25, 3)).save(tmp_path / f"a.{source}", exif=taken.tobytes())
    require_taken(rewrite(tmp_path / f"a.{source}", "b.tif"))
    # Through a file of other software, arranged in its own way, whose tags are added to as well.
    raster = read_raster(tmp_path / "b.tif")
    tifffile.imwrite(
        tmp_path / "c.tif", raster.pixels, byteorder=byteorder, compression=compression
    )
    add_directories(tmp_path / "c.tif", directories_of(raster.metadata.info["exif"]))
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        assert file.pages[0].tags.valueof(IFD.Exif)["LensModel"] == "a lens"
    for name in ("d.tif", "e.jpg", "f.png"):
        again = rewrite(tmp_path / "c.tif", name)
        with Image.open(again) as image:
            found = image.getexif()
            assert dict(found.get_ifd(IFD.Exif)) == TAKEN
            assert dict(found.get_ifd(IFD.GPSInfo)) == PLACE
    np.testing.assert_array_equal(read_raster(tmp_path / "d.tif").pixels, raster.pixels)


def test_the_kinds_of_values_stay(taken: Image.Exif, tmp_path: Path) -> None:
    Image.fromarray(bytes_of(17, 25, 3)).save(tmp_path / "a.jpg", exif=taken.tobytes())
    before = directories_of(read_raster(tmp_path / "a.jpg").metadata.info["exif"])
    rewrite(tmp_path / "a.jpg", "b.tif")
    after = directories_of(read_raster(tmp_path / "b.tif").metadata.info["exif"])
    for code in (IFD.Exif, IFD.GPSInfo):
        assert after[code].tagtype == before[code].tagtype
        assert dict(after[code]) == dict(before[code])


def test_pages_of_a_stack_stay_when_directories_are_added(
    taken: Image.Exif, tmp_path: Path
) -> None:
    pixels = numbers((4, 9, 8), "uint16")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for frame in pixels:
            file.write(frame, contiguous=False, metadata=None)
    add_directories(tmp_path / "a.tif", directories_of(taken.tobytes()))
    np.testing.assert_array_equal(read_raster(rewrite(tmp_path / "a.tif", "b.tif")).pixels, pixels)
    with Image.open(tmp_path / "b.tif") as image:
        assert image.n_frames == 4
        assert dict(image.getexif().get_ifd(IFD.GPSInfo)) == PLACE


@pytest.mark.parametrize("place", [8, 300, 1000])
def test_a_directory_that_is_not_where_it_should_be(
    place: int, taken: Image.Exif, tmp_path: Path
) -> None:
    Image.fromarray(bytes_of(17, 25, 3)).save(tmp_path / "a.tif", exif=taken.tobytes())
    content = bytearray((tmp_path / "a.tif").read_bytes())
    entry = struct.pack("<HHL", IFD.Exif, 4, 1)
    start = content.index(entry) + len(entry)
    content[start : start + 4] = struct.pack("<L", place)
    (tmp_path / "a.tif").write_bytes(content)
    with Image.open(rewrite(tmp_path / "a.tif", "b.tif")) as image:
        assert dict(image.getexif().get_ifd(IFD.GPSInfo)) == PLACE
        assert Base.LensModel not in image.getexif().get_ifd(IFD.Exif)
    np.testing.assert_array_equal(read_raster(tmp_path / "b.tif").pixels, bytes_of(17, 25, 3))


@given(st.data())
def test_exif_damaged_anywhere_is_read_so_far_as_it_can_be(data: st.DataObject) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(IFD.Exif).update(TAKEN)
    exif.get_ifd(IFD.GPSInfo).update(PLACE)
    content = bytearray(exif.tobytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(6, 250))] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(0, len(content)))])
    again = exif_of(fields_of(damaged), directories_of(damaged))
    head = b"MM\0*\0\0\0\x08"
    for code, directory in directories_of(damaged).items():
        assert packed(directories_of(again)[code], head, 0) == packed(directory, head, 0)


def test_damaged_exif_does_not_spoil_a_tiff(tmp_path: Path) -> None:
    Image.fromarray(bytes_of(16, 24, 3)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM and no more")
    with tifffile.TiffFile(rewrite(tmp_path / "a.jpg", "b.tif")) as file:
        assert file.pages[0].tags.get(ORIENTATION) is None


def test_an_orientation_that_is_none(exif: Image.Exif, tmp_path: Path) -> None:
    exif[ORIENTATION] = 60000
    Image.fromarray(bytes_of(16, 24, 3)).save(tmp_path / "a.jpg", exif=exif)
    with tifffile.TiffFile(rewrite(tmp_path / "a.jpg", "b.tif")) as file:
        assert file.pages[0].tags.get(ORIENTATION) is None
        assert file.pages[0].tags.valueof(MAKER) == "Maker"


def test_a_tiff_without_resolution_gives_none(tmp_path: Path) -> None:
    Image.fromarray(bytes_of(16, 24)).save(tmp_path / "a.tif")
    with Image.open(rewrite(tmp_path / "a.tif", "b.png")) as image:
        assert "dpi" not in image.info


@pytest.mark.parametrize("resolution", [(0, 0), (300, 0), (300, 1)])
def test_a_resolution_that_is_no_number_is_left_out(
    resolution: tuple[int, int], tmp_path: Path
) -> None:
    Image.fromarray(bytes_of(16, 24)).save(tmp_path / "a.tif", dpi=(77, 77))
    content = (tmp_path / "a.tif").read_bytes()
    assert content.count(struct.pack("<2L", 77, 1)) == 2
    (tmp_path / "a.tif").write_bytes(
        content.replace(struct.pack("<2L", 77, 1), struct.pack("<2L", *resolution))
    )
    for name in ("b.tif", "b.png", "b.jpg"):
        with Image.open(rewrite(tmp_path / "a.tif", name)) as image:
            found = image.info.get("dpi", (1, 1))
        assert found == (pytest.approx((300, 300), abs=0.01) if resolution[1] else (1, 1)), name


def test_a_resolution_too_fine_for_a_format_is_left_out(tmp_path: Path) -> None:
    for dpi, kinds in ((254_000, ["png"]), (65_535, ["png", "jpg"]), (4_000_000_000, [])):
        source = tmp_path / f"{dpi}.tif"
        Image.fromarray(bytes_of(16, 24)).save(source, dpi=(dpi, dpi))
        kept = []
        for suffix in ("png", "jpg"):
            with Image.open(rewrite(source, f"{dpi}.{suffix}")) as image:
                if "dpi" in image.info:
                    assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.01)
                    kept.append(suffix)
        assert kept == kinds


def test_photoshop_and_iptc_in_jpeg(tmp_path: Path) -> None:
    text = b"\x1c\x02\x78\0\x09a caption\0"
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(text).to_bytes(4, "big") + text
    segment = b"\xff\xed" + (len(iptc) + 2).to_bytes(2, "big") + iptc
    Image.fromarray(bytes_of(16, 24)).save(tmp_path / "a.jpg", extra=segment)
    with Image.open(rewrite(tmp_path / "a.jpg", "b.jpg")) as image:
        assert [content for name, content in image.applist if name == "APP13"] == [iptc]


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("texts", [["first", "the second", ""], ["", "second", "3"]])
def test_every_page_of_a_tiff(texts: list[str], compression: str | None, tmp_path: Path) -> None:
    pixels = numbers((3, 9, 8), "uint16")
    times = [f"2026:11:29 12:00:0{second}" for second in range(3)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for frame, text, time in zip(pixels, texts, times, strict=True):
            file.write(
                frame,
                contiguous=False,
                metadata=None,
                description=text or None,
                datetime=time,
                compression=compression,
                extratags=[(ORIENTATION, "H", 1, 6, True)],
            )
    raster = read_raster(tmp_path / "a.tif")
    with creating(tmp_path / "b.tif", raster) as new:
        new.pixels[...] = raster.pixels
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        pages = [page.aspage() for page in file.pages]
        assert [page.description for page in pages] == texts
        assert [page.tags.valueof("DateTime") for page in pages] == times
        assert [page.tags.valueof(ORIENTATION) for page in pages] == [6, 6, 6]
    np.testing.assert_array_equal(read_raster(tmp_path / "b.tif").pixels, pixels)


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


@pytest.mark.parametrize("imagej", [True, False])
def test_lookup_tables_show_numbers_and_do_not_change_them(imagej: bool, tmp_path: Path) -> None:
    pixels = numbers((3, 9, 8), "uint8")
    ramp = np.arange(256, dtype=np.uint16) * 257
    red = np.minimum(ramp, ramp[::-1]) if imagej else ramp
    colours = np.stack([red, np.zeros_like(ramp), ramp // 8])
    options = {"imagej": True, "metadata": {"axes": "TYX"}} if imagej else {"photometric": 3}
    tifffile.imwrite(tmp_path / "a.tif", pixels, colormap=colours, **options)
    assert read_raster(tmp_path / "a.tif").channels == 1
    with tifffile.TiffFile(rewrite(tmp_path / "a.tif", "b.tif")) as file:
        assert file.is_imagej == imagej
        np.testing.assert_array_equal(file.asarray(), pixels)
        for page in file.pages:
            assert page.photometric == tifffile.PHOTOMETRIC.PALETTE
            np.testing.assert_array_equal(page.colormap, colours)


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


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rating>5</rating></x:xmpmeta>'


def said_in(path: Path) -> tuple[bytes | str | None, bytes | None]:
    """The comment and the XMP of a file, as other programs find them."""
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            xmp = page.tags.valueof(700)
            return page.description, xmp and bytes(xmp)
    with Image.open(path) as image:
        image.load()
        comment = image.info.get("comment", image.info.get("Comment"))
        return comment, image.info.get("xmp")


@pytest.mark.parametrize("first", ["jpg", "png", "tif"])
@pytest.mark.parametrize("second", ["jpg", "png", "tif"])
def test_comment_and_xmp_cross_kinds_of_files(first: str, second: str, tmp_path: Path) -> None:
    """They are stored where other programs store and look for them."""
    source, pixels = tmp_path / f"a.{first}", bytes_of(16, 24, 3)
    comment = "Größe: 5 µm"
    if first == "tif":
        tag = (700, "B", len(XMP), XMP, True)
        tifffile.imwrite(
            source, pixels, description=comment.encode(), metadata=None, extratags=[tag]
        )
    elif first == "png":
        text = PngInfo()
        text.add_itxt("Comment", comment)
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        Image.fromarray(pixels).save(source, pnginfo=text)
    else:
        Image.fromarray(pixels).save(source, comment=comment.encode(), xmp=XMP)
    found, xmp = said_in(rewrite(source, f"b.{second}"))
    assert (found.decode() if isinstance(found, bytes) else found) == comment
    assert xmp == XMP
    back, xmp = said_in(rewrite(tmp_path / f"b.{second}", f"c.{first}"))
    assert (back.decode() if isinstance(back, bytes) else back) == comment
    assert xmp == XMP


def test_what_programs_note_for_themselves_is_no_comment(tmp_path: Path) -> None:
    stack = bytes_of(16, 24)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True)
    tifffile.imwrite(tmp_path / "b.tif", stack, metadata={"axes": "YX"})
    tifffile.imwrite(tmp_path / "c.tif", stack, ome=True)
    for name in "abc":
        assert said_in(rewrite(tmp_path / f"{name}.tif", f"{name}.jpg")) == (None, None)


@pytest.mark.parametrize("key", ["Comment", "XML:com.adobe.xmp"])
def test_what_jpeg_has_no_room_for_is_left_out(key: str, tmp_path: Path) -> None:
    text = PngInfo()
    text.add_itxt(key, "x" * 70_000)
    Image.fromarray(bytes_of(16, 24, 3)).save(tmp_path / "a.png", pnginfo=text)
    assert said_in(rewrite(tmp_path / "a.png", "b.jpg")) == (None, None)
    found = said_in(rewrite(tmp_path / "a.png", "c.tif"))
    assert max(len(value) for value in found if value) == 70_000
    most = {"comment": b"c" * 65533, "xmp": b"x" * 65504}
    Image.fromarray(bytes_of(16, 24, 3)).save(tmp_path / "d.jpg", **most)
    assert said_in(rewrite(tmp_path / "d.jpg", "e.jpg")) == (most["comment"], most["xmp"])
