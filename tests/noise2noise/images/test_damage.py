"""Descriptions of damage that the file's owner can understand."""

from __future__ import annotations

import struct

import pytest

from graphs.noise2noise.images.damage import in_words


@pytest.mark.parametrize(
    "error",
    [
        TypeError("'<' not supported between instances of 'tuple' and 'int'"),
        ZeroDivisionError("integer division or modulo by zero"),
        KeyError(256),
        IndexError("list index out of range"),
        UnicodeDecodeError("utf-8", b"\x8c", 0, 1, "invalid start byte"),
        struct.error("unpack requires a buffer of 4 bytes"),
        RuntimeError("libdeflate_zlib_decompress returned LIBDEFLATE_BAD_DATA"),
    ],
)
def test_what_only_a_decoders_author_understands(error: Exception) -> None:
    assert in_words(error) == "it is damaged"


def test_what_tells_the_damage() -> None:
    told = "image file is truncated (3 bytes not processed)"
    assert in_words(OSError(told)) == told
    assert in_words(ValueError("failed to read 36000 bytes, got 3438")) == "it ends too early"
