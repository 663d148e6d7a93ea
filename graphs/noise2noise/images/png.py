"""PNG files: grey or RGB, with opacity or without, of 8 or 16 bits.

Cleaned pixels have other values than those of a palette or of 1, 2 or 4 bits. So pictures of these
are read, and written again, as RGB or grey of 8 bits.
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
from graphs.noise2noise.images.metadata import Metadata
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
"""Chunks that belong to the pixels; the others are carried over."""

_WITH_OPACITY = (2, 4)
"""Samples of a pixel."""

_CARRIED = ("exif", "icc_profile", "dpi")


def read(path: Path) -> Raster:
    """Read a PNG file: of a palette as RGB; with opacity if any colour has it; of few bits in 8.

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
    """Why a raster cannot be a PNG file, if so."""
    if raster.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        return f"numbers of type {raster.dtype.name}"
    if raster.frames > 1:
        return f"{raster.frames} frames"
    if raster.channels not in (1, 3):
        return f"{raster.channels} channels"
    return None


@contextmanager
def creating(path: Path, like: Raster) -> Iterator[Raster]:
    """Lend a raster to fill; it is written as the block ends."""
    samples = like.channels + like.alpha
    shape = like.size if samples == 1 else (*like.size, samples)
    pixels = spooled(path.parent, shape, like.dtype.newbyteorder("="))
    yield Raster(pixels, "YX" if samples == 1 else "YXS", like.alpha)
    others = like.metadata.png_chunks or _chunks_of(like.metadata)
    with path.open("wb") as file:
        file.writelines(encoded(pixels, others))


def _pixels(file: BinaryIO, header: Header) -> np.ndarray:
    """Decoded: large ones some rows at a time, into a file."""
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
    """The chunks that Pillow makes of another file's metadata."""
    info = {key: metadata.info[key] for key in _CARRIED if key in metadata.info}
    pixel = io.BytesIO()
    Image.new("L", (1, 1)).save(pixel, "PNG", pnginfo=texts.for_png(metadata.info), **info)
    return _carried_chunks(pixel)


def _carried_chunks(file: BinaryIO) -> bytes:
    """The chunks that do not belong to the pixels, whole."""
    carried = b""
    for kind, size in chunks(file):
        if kind not in _OF_PIXELS:
            carried += whole_chunk(file, size)
    return carried
