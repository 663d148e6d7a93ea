"""Metadata: what files hold besides pixels, to be carried over to files made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from graphs.noise2noise.images.exif import iso_of

Tag = tuple[int, int, int, bytes, bool]
"""A TIFF tag as tifffile takes it: code, dtype, count, the value packed in the file's byte order,
and whether it is for the first page only."""


@dataclass(frozen=True)
class TiffLayout:
    """How a TIFF file stores its pixels, in the names and numbers of the standard.

    Attributes:
        byteorder: ``<`` or ``>``.
        resolution: horizontal and vertical, as fractions, in ``resolutionunit``.
        tags: those that do not concern the layout: descriptions, colour profile, ...
        page_texts: descriptions and times of all pages, by the tag's number, if a page other than
            the first has one.
    """

    byteorder: Literal["<", ">"]
    photometric: int
    planarconfig: int | None
    extrasamples: tuple[int, ...]
    compression: int | None
    predictor: int
    resolution: tuple[tuple[int, int], tuple[int, int]] | None
    resolutionunit: int
    tags: tuple[Tag, ...]
    page_texts: Mapping[int, tuple[bytes, ...]]


@dataclass(frozen=True)
class Metadata:
    """The metadata that is carried over.

    Attributes:
        info: ``exif``, ``icc_profile``, ``dpi``, ``xmp``, ``comment`` and ``extra``, by Pillow's
            names for JPEG: what the formats have in common, and a JPEG file's Photoshop segments.
        png_chunks: a PNG file's chunks that do not describe its pixels.
        tiff: a TIFF file's layout.
    """

    info: Mapping[str, Any] = field(default_factory=dict)
    png_chunks: bytes = b""
    tiff: TiffLayout | None = None

    @property
    def iso(self) -> int | None:
        """The camera's ISO sensitivity, if recorded."""
        return iso_of(self.info.get("exif", b""))


def within(info: Mapping[str, Any], most_dpi: float) -> dict[str, Any]:
    """Metadata by Pillow's names, without a resolution that is higher than a format can hold."""
    too_fine = max(info.get("dpi", (0,))) > most_dpi
    return {key: value for key, value in info.items() if not (too_fine and key == "dpi")}
