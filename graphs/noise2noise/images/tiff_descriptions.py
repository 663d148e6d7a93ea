"""The descriptions of a TIFF file's pages; tifffile writes only that of the first page."""

from __future__ import annotations

from pathlib import Path

import tifffile

from graphs.noise2noise.images.metadata import Tag

DESCRIPTION = 270
_ASCII = 2
PLACEHOLDER: Tag = (DESCRIPTION, _ASCII, 1, b"\0", False)
"""A description that :func:`describe` can overwrite; it needs one on every page."""


def descriptions_of(file: tifffile.TiffFile) -> tuple[bytes, ...]:
    """The description of every page, empty where there is none; () if only the first has one."""
    if len(file.pages) == 1:
        return ()
    texts = tuple(_description(page.aspage()) for page in file.pages)
    return texts if any(texts[1:]) else ()


def describe(path: Path, descriptions: tuple[bytes, ...]) -> None:
    """Overwrite the descriptions of a file's pages, each of which must already have one."""
    with tifffile.TiffFile(path, mode="r+") as file:
        for page, text in zip(file.pages, descriptions, strict=False):
            page.aspage().tags[DESCRIPTION].overwrite(text)


def _description(page: tifffile.TiffPage) -> bytes:
    tag = page.tags.get(DESCRIPTION)
    if tag is None:
        return b""
    handle = page.parent.filehandle
    handle.seek(tag.valueoffset)
    text: bytes = handle.read(tag.valuebytecount)
    return text
