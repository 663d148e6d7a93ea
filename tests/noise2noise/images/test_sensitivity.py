"""The ISO sensitivity is read from files of every format."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from graphs.noise2noise.images import read_raster
from graphs.noise2noise.images.metadata import Metadata
from tests.noise2noise.scenes import bytes_of


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize(("said", "iso"), [(3200, 3200), ((400, 800), 400), (0, None)])
def test_it_is_read(suffix: str, said: object, iso: int | None, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.ISOSpeedRatings] = said
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(bytes_of(17, 25, 3)).save(path, exif=exif.tobytes())
    assert read_raster(path).metadata.iso == iso


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0" + bytes(range(60))])
def test_nothing_said_and_damaged_data(exif: bytes) -> None:
    assert Metadata({"exif": exif}).iso is None
    assert Metadata().iso is None
