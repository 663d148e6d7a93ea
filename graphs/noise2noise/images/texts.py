"""What a picture says in words, and what XMP says of it, in each format's own place.

A comment is ``comment`` in JPEG, the text ``Comment`` in PNG and the image's description in TIFF,
where ImageJ, OME and tifffile have theirs, which are no comments. XMP is bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tifffile
from PIL.PngImagePlugin import PngInfo

COMMENT, XMP = "Comment", "XML:com.adobe.xmp"
XMP_TAG = 700


def of_png(info: Mapping[Any, Any]) -> dict[str, bytes]:
    """From what Pillow says of a PNG file."""
    names = {"comment": COMMENT, "xmp": XMP}
    return {key: str(info[name]).encode() for key, name in names.items() if name in info}


def of_tiff(file: tifffile.TiffFile, page: tifffile.TiffPage) -> dict[str, bytes]:
    """From the first page of a TIFF file."""
    texts: dict[str, bytes] = {}
    is_comment = page.description != page.shaped_description and not (file.is_imagej or file.is_ome)
    if page.description and is_comment:
        texts["comment"] = page.description.encode()
    if XMP_TAG in page.tags:
        texts["xmp"] = bytes(page.tags.valueof(XMP_TAG))
    return texts


def for_png(info: Mapping[str, Any]) -> PngInfo:
    """As Pillow puts them into a PNG file."""
    chunks = PngInfo()
    if "comment" in info:
        chunks.add_itxt(COMMENT, _text(info["comment"]))
    if "xmp" in info:
        chunks.add_itxt(XMP, _text(info["xmp"]))
    return chunks


def for_tiff(info: Mapping[str, Any]) -> dict[str, Any]:
    """As tifffile puts them into a TIFF file: its description and extra tags."""
    comment, xmp = info.get("comment"), info.get("xmp")
    return {
        "description": comment and _text(comment).encode(),
        "extratags": [(XMP_TAG, "B", len(xmp), xmp, True)] if xmp else [],
    }


def _text(content: bytes) -> str:
    """Words from before Unicode are most likely Latin."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
