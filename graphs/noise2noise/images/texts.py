"""A picture's comment and its XMP data, where each format stores them.

A comment is ``comment`` in JPEG, the text ``Comment`` in PNG and the image description in TIFF,
where ImageJ, OME and tifffile store data of their own, which are not comments. XMP is bytes
everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tifffile
from PIL.PngImagePlugin import PngInfo

COMMENT, XMP = "Comment", "XML:com.adobe.xmp"
XMP_TAG = 700


def of_png(info: Mapping[Any, Any]) -> dict[str, bytes]:
    """Read both from Pillow's info on a PNG file."""
    names = {"comment": COMMENT, "xmp": XMP}
    return {key: str(info[name]).encode() for key, name in names.items() if name in info}


def of_tiff(file: tifffile.TiffFile, page: tifffile.TiffPage) -> dict[str, bytes]:
    """Read both from the first page of a TIFF file."""
    texts: dict[str, bytes] = {}
    is_comment = page.description != page.shaped_description and not (file.is_imagej or file.is_ome)
    if page.description and is_comment:
        texts["comment"] = page.description.encode()
    if XMP_TAG in page.tags:
        texts["xmp"] = bytes(page.tags.valueof(XMP_TAG))
    return texts


def for_png(info: Mapping[str, Any]) -> PngInfo:
    """In the form in which Pillow writes them to a PNG file."""
    chunks = PngInfo()
    if "comment" in info:
        chunks.add_itxt(COMMENT, _text(info["comment"]))
    if "xmp" in info:
        chunks.add_itxt(XMP, _text(info["xmp"]))
    return chunks


def for_tiff(info: Mapping[str, Any]) -> dict[str, Any]:
    """In the form in which tifffile writes them to a TIFF file: description and extra tags."""
    comment, xmp = info.get("comment"), info.get("xmp")
    return {
        "description": comment and _text(comment).encode(),
        "extratags": [(XMP_TAG, "B", len(xmp), xmp, True)] if xmp else [],
    }


def _text(content: bytes) -> str:
    """Decode as UTF-8, or else as Latin-1, the most likely encoding of older text."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
