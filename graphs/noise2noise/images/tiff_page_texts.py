"""The texts of a TIFF file's pages; tifffile writes only those of the first page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tifffile

from graphs.noise2noise.images.metadata import Tag

_ASCII = 2
_DESCRIPTION, _TIME = 270, 306


def texts_of_pages(file: tifffile.TiffFile) -> dict[int, tuple[bytes, ...]]:
    """The description of every page, and its time, empty where there is none, by the tag's number.

    A tag that no page other than the first has is left out.
    """
    if len(file.pages) == 1:
        return {}
    pages = [page.aspage() for page in file.pages]
    found = {code: tuple(_text(page, code) for page in pages) for code in (_DESCRIPTION, _TIME)}
    return {code: texts for code, texts in found.items() if any(texts[1:])}


def placeholder(code: int) -> Tag:
    """A text for every page, which :func:`write_texts` overwrites."""
    return code, _ASCII, 1, b"\0", False


def write_texts(path: Path, texts: Mapping[int, tuple[bytes, ...]]) -> None:
    """Overwrite the texts of a file's pages, each of which must already have one."""
    with tifffile.TiffFile(path, mode="r+") as file:
        for code, of_pages in texts.items():
            for page, text in zip(file.pages, of_pages, strict=False):
                page.aspage().tags[code].overwrite(text)


def _text(page: tifffile.TiffPage, code: int) -> bytes:
    tag = page.tags.get(code)
    if tag is None:
        return b""
    handle = page.parent.filehandle
    handle.seek(tag.valueoffset)
    text: bytes = handle.read(tag.valuebytecount)
    return text
