"""What libraries say of damaged files, in words that tell what is wrong."""

from __future__ import annotations

import struct

_CUT_SHORT = ("stream too small", "greater than file size", "failed to read")
_STUMBLED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    UnicodeError,
    struct.error,
)
"""What a decoder raises that did not see the damage, and what those in C raise."""


class Damaged(Exception):
    """A file is damaged, in words for its user."""


def in_words(error: Exception) -> str:
    """An error of a decoder; of a file that ends too early, or misled the decoder, just that."""
    text = str(error)
    if any(words in text for words in _CUT_SHORT):
        return "it ends too early"
    return "it is damaged" if isinstance(error, _STUMBLED) else text
