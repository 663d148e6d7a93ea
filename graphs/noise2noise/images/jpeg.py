"""JPEG files: grey or RGB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images.metadata import Metadata, within
from graphs.noise2noise.images.pillow import opened
from graphs.noise2noise.images.raster import Raster
from graphs.noise2noise.images.spool import spooled

_CARRIED = ("exif", "icc_profile", "dpi", "xmp", "comment", "extra")
_LARGEST = 65500
_MOST_EXIF = 65533
_MOST = {"comment": 65533, "xmp": 65504}
"""The most bytes that fit in a JPEG file; what is longer is left out."""
_MOST_DPI = 65535
_OPTIONS = {"quality": 95, "subsampling": 0}


def read(path: Path) -> Raster:
    """Read a JPEG file. If it holds several pictures (previews, depth maps), the first is read.

    Raises:
        InputError: it is damaged, or neither grey nor RGB.
    """
    with opened(path, "JPEG") as image:
        if image.mode not in ("L", "RGB"):
            raise InputError(f"{path} is {image.mode}; expected grey or RGB")
        pixels = np.asarray(image)
        info = {key: image.info[key] for key in _CARRIED if key in image.info}
        info |= _photoshop(image)
    return Raster(pixels, "YX" if pixels.ndim == 2 else "YXS", metadata=Metadata(info))


def refusal(raster: Raster) -> str | None:
    """Why a raster cannot be stored as JPEG, or None."""
    if raster.dtype != np.uint8:
        return f"numbers of type {raster.dtype.name}"
    if raster.frames > 1:
        return f"{raster.frames} frames"
    if raster.alpha:
        return "an alpha channel"
    if raster.channels not in (1, 3):
        return f"{raster.channels} channels"
    if max(raster.size) > _LARGEST:
        return f"sides above {_LARGEST} pixels"
    if len(raster.metadata.info.get("exif", b"")) > _MOST_EXIF:
        return f"EXIF data above {_MOST_EXIF} bytes"
    return None


@contextmanager
def creating(path: Path, like: Raster) -> Iterator[Raster]:
    """Yield a raster to fill; it is written when the block ends."""
    grey = like.channels == 1
    shape = like.size if grey else (*like.size, 3)
    pixels = spooled(path.parent, shape, like.dtype)
    yield Raster(pixels, "YX" if grey else "YXS")
    info = {
        key: value
        for key, value in within(like.metadata.info, _MOST_DPI).items()
        if key in _CARRIED and (key not in _MOST or len(value) <= _MOST[key])
    }
    # Not to the file directly: if the disk fills up, Pillow may not report it.
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", **_OPTIONS, **info)
    path.write_bytes(content.getbuffer())


def _photoshop(image: ImageFile.ImageFile) -> dict[str, bytes]:
    """The Photoshop segments, which hold IPTC data, in the form in which Pillow writes them."""
    segments = [content for name, content in getattr(image, "applist", ()) if name == "APP13"]
    packed = b"".join(
        b"\xff\xed" + (len(content) + 2).to_bytes(2, "big") + content for content in segments
    )
    return {"extra": packed} if packed else {}
