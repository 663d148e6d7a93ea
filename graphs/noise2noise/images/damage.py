"""Turning libraries' errors about damaged files into messages that say what is wrong."""

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
"""Errors of decoders that did not detect the damage, and of decoders written in C."""


class Damaged(Exception):
    """A file is damaged; the message is meant for users."""


def in_words(error: Exception) -> str:
    """A decoder's error as text, simplified where the file is cut short or misled the decoder."""
    text = str(error)
    if any(words in text for words in _CUT_SHORT):
        return "it ends too early"
    return "it is damaged" if isinstance(error, _STUMBLED) else text
