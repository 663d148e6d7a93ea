"""The EXIF and GPS directories of TIFF files, which tifffile does not write."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import tifffile
from PIL.TiffImagePlugin import ImageFileDirectory_v2 as Directory

from graphs.noise2noise.images.exif import DIRECTORIES, HEAD, directories_at, packed

_CLASSIC = 42
"""The version number of TIFF files; BigTIFF has another."""

_ENTRY = 12
_LONG = 4


def directories_in(page: tifffile.TiffPage) -> dict[int, Directory]:
    """The directories of a page; none for BigTIFF, which Pillow cannot read in both byte orders."""
    if page.parent.is_bigtiff:
        return {}
    places = {code: page.tags[code].valueoffset for code in DIRECTORIES if code in page.tags}
    with Path(page.parent.filehandle.path).open("rb") as file:
        return directories_at(file, places)


def add_directories(path: Path, directories: Mapping[int, Directory]) -> None:
    """Add directories to a file that has none of them.

    The first page's directory is rewritten at the end of the file, pointing to them. A BigTIFF
    file, as for more than 4 GB, is left as it is.
    """
    if not directories:
        return
    with path.open("r+b") as file:
        head = file.read(HEAD)
        order = "<" if head[:2] == b"II" else ">"
        if struct.unpack_from(f"{order}H", head, 2)[0] != _CLASSIC:
            return
        (place,) = struct.unpack_from(f"{order}L", head, 4)
        file.seek(place)
        (count,) = struct.unpack(f"{order}H", file.read(2))
        entries = [file.read(_ENTRY) for _ in range(count)]
        next_page = file.read(4)
        end = file.seek(0, 2)
        file.write(b"\0" * (end % 2))
        for code, directory in directories.items():
            place = file.tell()
            file.write(packed(directory, head, place))
            entries.append(struct.pack(f"{order}HHLL", code, _LONG, 1, place))
        entries.sort(key=lambda entry: struct.unpack_from(f"{order}H", entry))
        place = file.tell()
        file.write(struct.pack(f"{order}H", len(entries)) + b"".join(entries) + next_page)
        file.seek(4)
        file.write(struct.pack(f"{order}L", place))
