"""PNG files: grey or RGB, with or without opacity, of 8 or 16 bits.

Denoised pixels do not fit into a palette or into 1, 2 or 4 bits, so such pictures are read and
written as 8-bit RGB or grey.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import spool, texts
from graphs.noise2noise.images.damage import in_words
from graphs.noise2noise.images.metadata import Metadata, within
from graphs.noise2noise.images.pillow import opened
from graphs.noise2noise.images.png_rows import (
    Header,
    chunks,
    decoded,
    encoded,
    whole_chunk,
)
from graphs.noise2noise.images.raster import Raster
from graphs.noise2noise.images.spool import release, spooled

_OF_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sBIT", b"bKGD", b"hIST"}
"""Chunks that describe the pixels; the others are carried over."""

_WITH_OPACITY = (2, 4)
"""Numbers of samples per pixel that include opacity."""

_CARRIED = ("exif", "icc_profile", "dpi")
_MOST_DPI = (2**31 - 1) * 0.0254
"""A PNG file holds pixels per metre in 31 bits; a higher resolution is left out."""


def read(path: Path) -> Raster:
    """Read a PNG file: a palette as RGB, with opacity if the file has any, few bits as 8.

    Raises:
        InputError: it is damaged or animated.
    """
    with opened(path, "PNG") as image, path.open("rb") as file:
        header = Header.of(file)
        if getattr(image, "n_frames", 1) > 1:
            raise InputError(f"{path} is animated; expected one picture")
        info = {key: image.info[key] for key in _CARRIED if key in image.info}
        info |= texts.of_png(image.info)
        try:
            pixels = _pixels(file, header)
            metadata = Metadata(info, png_chunks=_carried_chunks(file))
        except (imagecodecs.PngError, zlib.error, struct.error) as error:
            raise InputError(f"{path} cannot be read: {in_words(error)}") from None
        except OSError as error:
            place = f"in {gettempdir()} (TMPDIR names another folder)"
            raise InputError(f"{path} cannot be unpacked {place}: {error.strerror}") from None
    if pixels.ndim == 2:
        return Raster(pixels, "YX", metadata=metadata)
    return Raster(pixels, "YXS", pixels.shape[-1] in _WITH_OPACITY, metadata)


def refusal(raster: Raster) -> str | None:
    """Why a raster cannot be stored as PNG, or None."""
    if raster.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        return f"numbers of type {raster.dtype.name}"
    if raster.frames > 1:
        return f"{raster.frames} frames"
    if raster.channels not in (1, 3):
        return f"{raster.channels} channels"
    return None


@contextmanager
def creating(path: Path, like: Raster) -> Iterator[Raster]:
    """Yield a raster to fill; it is written when the block ends."""
    samples = like.channels + like.alpha
    shape = like.size if samples == 1 else (*like.size, samples)
    pixels = spooled(path.parent, shape, like.dtype.newbyteorder("="))
    yield Raster(pixels, "YX" if samples == 1 else "YXS", like.alpha)
    others = like.metadata.png_chunks or _chunks_of(like.metadata)
    with path.open("wb") as file:
        file.writelines(encoded(pixels, others))


def _pixels(file: BinaryIO, header: Header) -> np.ndarray:
    """The decoded pixels; large pictures are decoded in bands of rows, into a temporary file."""
    if header.interlaced or header.nbytes <= spool.IN_MEMORY:
        file.seek(0)
        return imagecodecs.png_decode(file.read())
    pixels = spooled(None, header.shape, header.dtype)
    top = 0
    for rows in decoded(file, header):
        pixels[top : top + len(rows)] = rows
        release(pixels)
        top += len(rows)
    return pixels


def _chunks_of(metadata: Metadata) -> bytes:
    """The chunks that Pillow makes from the metadata of another format."""
    info = within(metadata.info, _MOST_DPI)
    info = {key: info[key] for key in _CARRIED if key in info}
    pixel = io.BytesIO()
    Image.new("L", (1, 1)).save(pixel, "PNG", pnginfo=texts.for_png(metadata.info), **info)
    return _carried_chunks(pixel)


def _carried_chunks(file: BinaryIO) -> bytes:
    """The chunks that do not describe the pixels, complete with size and checksum."""
    carried = b""
    for kind, size in chunks(file):
        if kind not in _OF_PIXELS:
            carried += whole_chunk(file, size)
    return carried
