"""EXIF data: how a picture is turned, who took it with what, how it was exposed, and where.

It is laid out as a TIFF file is: a directory of fields, and others to which that one points.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import BinaryIO

from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2 as Directory

ORIENTATION = Base.Orientation
FIELDS: tuple[int, ...] = (
    Base.Make,
    Base.Model,
    Base.Orientation,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.Copyright,
)
"""Those of the first directory that are carried over."""

DIRECTORIES: tuple[int, ...] = (IFD.Exif, IFD.GPSInfo)
"""What points to the other directories: to that of exposure and lens, and to that of the place."""

HEAD = 8
"""Bytes before the first directory."""

_NUMBERS = range(1, 9)
"""What an orientation can be; the other fields are texts."""

_MARK = b"Exif\0\0"
_LITTLE_ENDIAN = b"II*\0\x08\0\0\0"


def exif_of(values: Mapping[int, object], directories: Mapping[int, Directory]) -> bytes:
    """EXIF data of some fields' values, those that make sense, and directories; or nothing."""
    first = Directory(_LITTLE_ENDIAN)
    for code, value in values.items():
        if isinstance(value, str):
            first[code] = value.encode()  # for Pillow would put question marks for all but ASCII
        elif isinstance(value, int) and value in _NUMBERS:
            first[code] = int(value)
    for code in directories:
        first[code] = 0
    if not len(first):
        return b""
    place, others = HEAD + len(first.tobytes()), b""
    for code, directory in directories.items():
        first[code] = place + len(others)
        others += packed(directory, _LITTLE_ENDIAN, first[code])
    return _MARK + _LITTLE_ENDIAN + first.tobytes(HEAD) + others


def fields_of(exif: bytes) -> dict[int, int | bytes]:
    """The fields of EXIF data, texts as they are packed; none if it is damaged."""
    found: dict[int, int | bytes] = {}
    first = _first_directory(exif)
    for code in FIELDS:
        value = first.get(code)
        if isinstance(value, str):
            found[code] = value.encode("latin-1")  # as which Pillow takes any bytes
        elif isinstance(value, int) and value in _NUMBERS:
            found[code] = value
    return found


def directories_of(exif: bytes) -> dict[int, Directory]:
    """The other directories of EXIF data, those that are not damaged."""
    first, file = _first_directory(exif), io.BytesIO(_unmarked(exif))
    return directories_at(file, {code: first[code] for code in DIRECTORIES if code in first})


def iso_of(exif: bytes) -> int | None:
    """The sensitivity that a camera says it took a picture with; None if it does not say."""
    exposure = directories_of(exif).get(IFD.Exif)
    iso = None if exposure is None else exposure.get(Base.ISOSpeedRatings)
    first = iso[0] if isinstance(iso, tuple) and iso else iso
    return first if isinstance(first, int) and first > 0 else None


def directories_at(file: BinaryIO, places: Mapping[int, int]) -> dict[int, Directory]:
    """The directories that lie at some places of a file, those that are not damaged."""
    file.seek(0)
    head = file.read(HEAD)
    found = {code: _loaded(file, head, place, code) for code, place in places.items()}
    return {code: directory for code, directory in found.items() if len(directory)}


def packed(directory: Directory, head: bytes, place: int) -> bytes:
    """A directory as it lies at some place of a file with that head."""
    copy = Directory(head, group=directory.group)
    for code, value in directory.items():
        copy.tagtype[code] = directory.tagtype[code]
        copy[code] = value.encode("latin-1") if isinstance(value, str) else value
    return copy.tobytes(place)


def _first_directory(exif: bytes) -> Directory:
    content = _unmarked(exif)
    place = int.from_bytes(content[4:HEAD], "big" if content[:2] == b"MM" else "little")
    return _loaded(io.BytesIO(content), content[:HEAD], place)


def _unmarked(exif: bytes) -> bytes:
    return exif.removeprefix(_MARK).removeprefix(_MARK)  # some cameras mark it twice


def _loaded(file: BinaryIO, head: bytes, place: int, code: int | None = None) -> Directory:
    """A directory, all its values read; empty if it is damaged."""
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            directory = Directory(head, group=code)
            file.seek(place)
            directory.load(file)
            directory.pop(IFD.Interop, None)  # it would point to where it was
            packed(directory, head, 0)
            return directory
    except Exception:  # whatever damaged data leads Pillow to
        return Directory()
