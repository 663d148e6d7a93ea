"""What files say beside their pixels, to be said again in files made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from graphs.noise2noise.images.exif import iso_of

Tag = tuple[int, int, int, bytes, bool]
"""A field of a TIFF file as tifffile takes it: code, dtype, count, the value packed in the file's
byte order, and whether it is of the first page only."""


@dataclass(frozen=True)
class TiffLayout:
    """How a TIFF file arranges its pixels, by the names and numbers of the standard.

    Attributes:
        byteorder: ``<`` or ``>``.
        resolution: across and down, as fractions, in ``resolutionunit``.
        tags: those that say nothing of the arrangement: descriptions, colour profile, ...
        descriptions: of every page, if another than the first has one.
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
    descriptions: tuple[bytes, ...]


@dataclass(frozen=True)
class Metadata:
    """What is carried over.

    Attributes:
        info: ``exif``, ``icc_profile``, ``dpi``, ``xmp``, ``comment`` and ``extra``, by Pillow's
            names for JPEG: what formats have in common, and a JPEG file's segments of Photoshop.
        png_chunks: a PNG file's chunks that are neither header nor pixels.
        tiff: a TIFF file's layout.
    """

    info: Mapping[str, Any] = field(default_factory=dict)
    png_chunks: bytes = b""
    tiff: TiffLayout | None = None

    @property
    def iso(self) -> int | None:
        """The sensitivity of the camera, if it says that."""
        return iso_of(self.info.get("exif", b""))
