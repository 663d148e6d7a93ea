"""Reading and writing a PNG file in bands of rows, so that memory does not grow with the picture.

libpng, as imagecodecs exposes it, handles only whole files. So the rows of a large file pass
through it as several small files; each begins with the row above its own, which their filters
refer to.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import BinaryIO

import imagecodecs
import numpy as np

from graphs.noise2noise.images.spool import release

ROWS_BYTES = 1 << 23
"""The most bytes of pixels at a time, but at least one row."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIECE = 1 << 20
_LEVEL = 6
_UNFILTERED = b"\0"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
_SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
_COLOURS, _OPACITIES = b"PLTE", b"tRNS"


@dataclass(frozen=True)
class Header:
    """How a PNG file describes its pixels.

    Attributes:
        width, height: in pixels.
        depth: bits per sample.
        colour: the colour type, as the format numbers them.
        interlaced: whether its rows are out of order.
        colours: the complete PLTE and tRNS chunks, if there are any: a palette's colours, and its
            opacities or the one transparent colour of grey or RGB.
    """

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    colours: Mapping[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, file: BinaryIO) -> Header:
        """Read the header of a file at its start."""
        start = file.read(29)
        width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", start, 16)
        return cls(width, height, depth, colour, interlace != 0, _colours(file, colour))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded pixels; those of a palette become RGB."""
        samples = 3 if self.colour == PALETTE else _SAMPLES[self.colour]
        samples += _OPACITIES in self.colours
        return (self.height, self.width) if samples == 1 else (self.height, self.width, samples)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the decoded pixels, of 8 or 16 bits."""
        return np.dtype("u2" if self.depth == 16 else "u1")

    @property
    def nbytes(self) -> int:
        """Bytes of the decoded pixels."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def packed_row(self) -> int:
        """Bytes of an uncompressed row in the file: the filter type, then the samples."""
        return 1 + -(-self.width * _SAMPLES[self.colour] * self.depth // 8)

    def packed(self) -> bytes:
        """The IHDR chunk, for rows that are not interlaced."""
        fields = (self.width, self.height, self.depth, self.colour, 0, 0, 0)
        return _chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))

    @property
    def as_filtered(self) -> Header:
        """A header under which the rows are unfiltered in the same way, but not interpreted.

        Samples of less than a byte, or in a palette, are filtered byte by byte, like 8-bit grey.
        """
        if self.depth >= 8 and self.colour != PALETTE:
            return replace(self, colours={})
        return Header(self.packed_row - 1, self.height, 8, GREY, self.interlaced)


def decoded(file: BinaryIO, header: Header) -> Iterator[np.ndarray]:
    """The pixels of a file that is not interlaced, in bands from the first row to the last.

    Raises:
        imagecodecs.PngError, zlib.error, ValueError: it is damaged.
    """
    stream = _Inflated(file)
    plain = header.as_filtered
    above = b""
    for count in _heights(header.height, header.nbytes // header.height):
        rows = above + stream.take(count * header.packed_row)
        unfiltered = _decoded(plain, rows)[1 if above else 0 :]
        yield unfiltered if plain == header else _decoded(header, _packed(unfiltered))
        above = _packed(unfiltered[-1:])


def _decoded(header: Header, rows: bytes) -> np.ndarray:
    """Decode some rows, given as the uncompressed bytes of the file."""
    few = replace(header, height=len(rows) // header.packed_row)
    before = _SIGNATURE + few.packed() + b"".join(header.colours.values())
    image = _chunk(b"IDAT", zlib.compress(rows, 0))
    return imagecodecs.png_decode(before + image + _chunk(b"IEND"))


def _packed(rows: np.ndarray) -> bytes:
    """Rows of pixels as the bytes of a file, uncompressed and unfiltered."""
    big_endian = rows.astype(rows.dtype.newbyteorder(">"))
    return b"".join(_UNFILTERED + row.tobytes() for row in big_endian)


def encoded(pixels: np.ndarray, others: bytes) -> Iterator[bytes]:
    """Encode pixels (H, W) or (H, W, C) as a file, piece by piece.

    Args:
        pixels: of 8 or 16 bits; if mapped from a file, their memory is released.
        others: chunks other than those of the pixels.
    """
    deflate = zlib.compressobj(_LEVEL)
    top = 0
    for count in _heights(len(pixels), pixels[0].nbytes):
        extra = 1 if top else 0
        rows = np.ascontiguousarray(pixels[top - extra : top + count])
        release(pixels)
        small = bytes(imagecodecs.png_encode(rows, level=0))
        header = Header.of(io.BytesIO(small))
        if not top:
            yield _SIGNATURE + replace(header, height=len(pixels)).packed() + others
        packed = zlib.decompress(b"".join(_image_pieces(io.BytesIO(small))))
        yield _chunk(b"IDAT", deflate.compress(packed[extra * header.packed_row :]))
        top += count
    yield _chunk(b"IDAT", deflate.flush()) + _chunk(b"IEND")


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The kind and size of each chunk, with the file positioned at its content."""
    kind, place = b"", len(_SIGNATURE)
    while kind != b"IEND":
        file.seek(place)
        start = file.read(8)
        if len(start) < 8:
            return
        size, kind = struct.unpack(">I4s", start)
        yield kind, size
        place += size + 12


def _colours(file: BinaryIO, colour: int) -> dict[bytes, bytes]:
    """The chunks of :attr:`Header.colours`, which come before those of the pixels.

    Opacities that do not fit the colours are ignored, as in libpng.
    """
    found: dict[bytes, bytes] = {}
    fitting = {GREY: range(2, 3), RGB: range(6, 7)}.get(colour, range(0))
    for kind, size in chunks(file):
        if kind == b"IDAT":
            break
        if colour == PALETTE and kind == _COLOURS:
            fitting = range(1, size // 3 + 1)
            found[kind] = whole_chunk(file, size)
        if kind == _OPACITIES and size in fitting:
            found[kind] = whole_chunk(file, size)
    return found


def whole_chunk(file: BinaryIO, size: int) -> bytes:
    """A chunk with its size, kind and checksum; the file must be positioned at its content."""
    file.seek(-8, io.SEEK_CUR)
    return file.read(size + 12)


class _Inflated:
    """The content of a file's IDAT chunks, decompressed on demand."""

    def __init__(self, file: BinaryIO) -> None:
        self._pieces = _image_pieces(file)
        self._inflate = zlib.decompressobj()

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
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
    """The numbers of rows to process at a time."""
    most = max(1, ROWS_BYTES // row_bytes)
    for top in range(0, height, most):
        yield min(most, height - top)


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
