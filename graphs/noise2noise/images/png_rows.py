"""The rows of a PNG file, some at a time: what is in memory does not grow with the picture.

libpng, as imagecodecs offers it, takes and gives whole files. So the rows of a large file go
through it as several small ones; each begins with the row above its own, on which these depend.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

import imagecodecs
import numpy as np

from graphs.noise2noise.images.spool import release

ROWS_BYTES = 1 << 23
"""About so many bytes of pixels at a time."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIECE = 1 << 20
_LEVEL = 6
_UNFILTERED = b"\0"
_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}


@dataclass(frozen=True)
class Header:
    """What a PNG file says of its pixels.

    Attributes:
        width, height: in pixels.
        depth: bits of a sample.
        colour: its type, as the format numbers them.
        interlaced: whether its rows are out of order.
    """

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @classmethod
    def of(cls, start: bytes) -> Header:
        """Of a file's first 29 bytes."""
        width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", start, 16)
        return cls(width, height, depth, colour, interlace != 0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the pixels, if these are grey or RGB."""
        samples = _SAMPLES[self.colour]
        return (self.height, self.width) if samples == 1 else (self.height, self.width, samples)

    @property
    def dtype(self) -> np.dtype:
        """Of the pixels, of 8 or 16 bits."""
        return np.dtype(f"u{self.depth // 8}")

    @property
    def nbytes(self) -> int:
        """Of the pixels."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def packed_row(self) -> int:
        """Bytes of a row in the file, uncompressed: how it is filtered, then its samples."""
        return 1 + self.width * _SAMPLES[self.colour] * self.depth // 8

    def packed(self, height: int) -> bytes:
        """The chunk of a picture of another height, its rows in order."""
        fields = (self.width, height, self.depth, self.colour, 0, 0, 0)
        return _chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


def decoded(file: BinaryIO, header: Header) -> Iterator[np.ndarray]:
    """The pixels of a file that is not interlaced, from the first row to the last.

    Raises:
        imagecodecs.PngError, zlib.error, ValueError: it is damaged.
    """
    stream = _Inflated(file)
    above = b""
    for count in _heights(header.height, header.packed_row):
        rows = above + stream.take(count * header.packed_row)
        extra = 1 if above else 0
        image = _chunk(b"IDAT", zlib.compress(rows, 0))
        small = _SIGNATURE + header.packed(count + extra) + image + _chunk(b"IEND")
        pixels = imagecodecs.png_decode(small)[extra:]
        yield pixels
        above = _UNFILTERED + pixels[-1].astype(header.dtype.newbyteorder(">")).tobytes()


def encoded(pixels: np.ndarray, others: bytes) -> Iterator[bytes]:
    """A file of pixels (H, W) or (H, W, C), piece by piece.

    Args:
        pixels: of 8 or 16 bits; if mapped from a file, their memory is given back.
        others: chunks beside those of the pixels.
    """
    deflate = zlib.compressobj(_LEVEL)
    top = 0
    for count in _heights(len(pixels), pixels[0].nbytes):
        extra = 1 if top else 0
        rows = np.ascontiguousarray(pixels[top - extra : top + count])
        release(pixels)
        small = bytes(imagecodecs.png_encode(rows, level=0))
        header = Header.of(small)
        if not top:
            yield _SIGNATURE + header.packed(len(pixels)) + others
        packed = zlib.decompress(b"".join(_image_pieces(io.BytesIO(small))))
        yield _chunk(b"IDAT", deflate.compress(packed[extra * header.packed_row :]))
        top += count
    yield _chunk(b"IDAT", deflate.flush()) + _chunk(b"IEND")


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The kind and the size of each chunk, the file standing where its content begins."""
    kind, place = b"", len(_SIGNATURE)
    while kind != b"IEND":
        file.seek(place)
        start = file.read(8)
        if len(start) < 8:
            return
        size, kind = struct.unpack(">I4s", start)
        yield kind, size
        place += size + 12


class _Inflated:
    """What the IDAT chunks of a file hold, unpacked as it is asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._pieces = _image_pieces(file)
        self._inflate = zlib.decompressobj()

    def take(self, size: int) -> bytes:
        """The next so many bytes."""
        taken = bytearray()
        while len(taken) < size:
            piece = self._inflate.unconsumed_tail or next(self._pieces, b"")
            more = self._inflate.decompress(piece, size - len(taken))
            if not more and not piece:
                raise ValueError("it ends too early")
            taken += more
        return bytes(taken)


def _image_pieces(file: BinaryIO) -> Iterator[bytes]:
    for kind, size in chunks(file):
        if kind != b"IDAT":
            continue
        check = zlib.crc32(kind)
        for start in range(0, size, _PIECE):
            piece = file.read(min(_PIECE, size - start))
            check = zlib.crc32(piece, check)
            yield piece
        if file.read(4) != struct.pack(">I", check):
            raise ValueError("its pixels are damaged")


def _heights(height: int, row_bytes: int) -> Iterator[int]:
    """How many rows at a time."""
    most = max(1, ROWS_BYTES // row_bytes)
    for top in range(0, height, most):
        yield min(most, height - top)


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
