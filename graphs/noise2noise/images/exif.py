"""What EXIF data and TIFF files say alike: how a picture is turned, and who took it with what."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from PIL import Image
from PIL.ExifTags import Base

ORIENTATION = Base.Orientation
FIELDS = (
    Base.Make,
    Base.Model,
    Base.Orientation,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.Copyright,
)
"""Those carried between the two; exposure, place and the like lie in directories of their own."""

_NUMBERS = range(1, 9)
"""What an orientation can be; the other fields are texts."""


def exif_of(values: Mapping[int, object]) -> bytes:
    """EXIF data of some fields' values, those that make sense; empty if there are none."""
    exif = Image.Exif()
    for code, value in values.items():
        if isinstance(value, str):
            exif[code] = value.encode()  # for Pillow would put question marks for all but ASCII
        elif isinstance(value, int) and value in _NUMBERS:
            exif[code] = int(value)
    return exif.tobytes() if len(exif) else b""


def fields_of(exif: bytes) -> dict[int, int | bytes]:
    """The fields of EXIF data, texts as they are packed; none if it is damaged."""
    found: dict[int, int | bytes] = {}
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            read = Image.Exif()
            read.load(exif)
            for code in FIELDS:
                value = read.get(code)
                if isinstance(value, str):
                    found[code] = value.encode("latin-1")  # as which Pillow takes any bytes
                elif isinstance(value, int) and value in _NUMBERS:
                    found[code] = value
    except Exception:  # whatever damaged data leads Pillow to
        return {}
    return found
