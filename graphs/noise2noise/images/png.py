"""PNG files: grey or RGB, with opacity or without, of 8 or 16 bits."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images.metadata import Metadata
from graphs.noise2noise.images.pillow import opened
from graphs.noise2noise.images.raster import Raster
from graphs.noise2noise.images.spool import spooled

_SIGNATURE_SIZE = 8
_HEADER_END = _SIGNATURE_SIZE + 25
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_OF_PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"sBIT", b"bKGD", b"hIST"}
"""Chunks that belong to the pixels; the others are carried over."""

_CARRIED = ("exif", "icc_profile", "dpi")


def read(path: Path) -> Raster:
    """Read a PNG file.

    Raises:
        InputError: it is damaged, animated, or neither grey nor RGB of 8 or 16 bits.
    """
    with opened(path, "PNG") as image:
        content = path.read_bytes()
        colour = _plain_colour(path, image, content)
        info = {key: image.info[key] for key in _CARRIED if key in image.info}
    try:
        pixels = imagecodecs.png_decode(content)
        metadata = Metadata(info, png_chunks=_carried_chunks(content))
    except (imagecodecs.PngError, struct.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    axes = "YX" if pixels.ndim == 2 else "YXS"
    return Raster(pixels, axes, colour in (_GREY_ALPHA, _RGB_ALPHA), metadata)


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
    with spooled(path.parent, shape, like.dtype.newbyteorder("=")) as pixels:
        yield Raster(pixels, "YX" if samples == 1 else "YXS", like.alpha)
        content = memoryview(imagecodecs.png_encode(pixels))
        with path.open("wb") as file:
            file.write(content[:_HEADER_END])
            file.write(like.metadata.png_chunks or _chunks_of(like.metadata))
            file.write(content[_HEADER_END:])


def _plain_colour(path: Path, image: Image.Image, content: bytes) -> int:
    depth, colour = content[_HEADER_END - 9], content[_HEADER_END - 8]
    if getattr(image, "n_frames", 1) > 1:
        raise InputError(f"{path} is animated; expected one picture")
    if colour == _PALETTE:
        raise InputError(f"{path} is of palette colours; expected grey or RGB")
    if depth < 8:
        raise InputError(f"{path} is grey of {depth} bits; expected 8 or 16")
    if "transparency" in image.info:
        raise InputError(f"{path} has a transparent colour; expected an alpha channel or none")
    return colour


def _chunks_of(metadata: Metadata) -> bytes:
    """The chunks that Pillow makes of another file's metadata."""
    info = {key: metadata.info[key] for key in _CARRIED if key in metadata.info}
    pixel = io.BytesIO()
    Image.new("L", (1, 1)).save(pixel, "PNG", **info)
    return _carried_chunks(pixel.getvalue())


def _carried_chunks(content: bytes) -> bytes:
    return b"".join(whole for kind, whole in _chunks(content) if kind not in _OF_PIXELS)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's kind, and all its bytes."""
    place = _SIGNATURE_SIZE
    while place < len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        yield kind, content[place : place + size + 12]
        place += size + 12
