"""EXIF data: a picture's orientation, author, camera, exposure and location.

It is laid out like a TIFF file: a directory of fields, which points to further directories.
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
"""The fields of the first directory that are carried over."""

DIRECTORIES: tuple[int, ...] = (IFD.Exif, IFD.GPSInfo)
"""Tags that point to the other directories: exposure and lens, and location."""

HEAD = 8
"""Bytes before the first directory."""

_NUMBERS = range(1, 9)
"""Valid orientations; the other fields are texts."""

_MARK = b"Exif\0\0"
_LITTLE_ENDIAN = b"II*\0\x08\0\0\0"


def exif_of(values: Mapping[int, object], directories: Mapping[int, Directory]) -> bytes:
    """EXIF data with those of some fields that are valid, and directories; empty if none are."""
    first = Directory(_LITTLE_ENDIAN)
    for code, value in values.items():
        if isinstance(value, str):
            first[code] = value.encode()  # Pillow would replace all but ASCII by question marks
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
    """The fields of EXIF data, texts as raw bytes; none if it is damaged."""
    found: dict[int, int | bytes] = {}
    first = _first_directory(exif)
    for code in FIELDS:
        value = first.get(code)
        if isinstance(value, str):
            found[code] = value.encode("latin-1")  # Pillow decodes any bytes as Latin-1
        elif isinstance(value, int) and value in _NUMBERS:
            found[code] = value
    return found


def directories_of(exif: bytes) -> dict[int, Directory]:
    """The further directories of EXIF data, except damaged ones."""
    first, file = _first_directory(exif), io.BytesIO(_unmarked(exif))
    return directories_at(file, {code: first[code] for code in DIRECTORIES if code in first})


def iso_of(exif: bytes) -> int | None:
    """The ISO sensitivity that the camera recorded, or None."""
    exposure = directories_of(exif).get(IFD.Exif)
    iso = None if exposure is None else exposure.get(Base.ISOSpeedRatings)
    first = iso[0] if isinstance(iso, tuple) and iso else iso
    return first if isinstance(first, int) and first > 0 else None


def directories_at(file: BinaryIO, places: Mapping[int, int]) -> dict[int, Directory]:
    """The directories at some offsets in a file, except damaged ones."""
    file.seek(0)
    head = file.read(HEAD)
    found = {code: _loaded(file, head, place, code) for code, place in places.items()}
    return {code: directory for code, directory in found.items() if len(directory)}


def packed(directory: Directory, head: bytes, place: int) -> bytes:
    """The bytes of a directory at an offset in a file with that header."""
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
    """A directory with all its values read; empty if it is damaged."""
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            directory = Directory(head, group=code)
            file.seek(place)
            directory.load(file)
            directory.pop(IFD.Interop, None)  # its offset would no longer be valid
            packed(directory, head, 0)
            return directory
    except Exception:  # damaged data can make Pillow raise anything
        return Directory()
