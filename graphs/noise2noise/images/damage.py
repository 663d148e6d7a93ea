"""What libraries say of damaged files, in words that tell what is wrong."""

from __future__ import annotations

_CUT_SHORT = ("stream too small", "greater than file size")


def in_words(error: Exception) -> str:
    """An error of a decoder; of a file that ends too early, just that."""
    text = str(error)
    return "it ends too early" if any(words in text for words in _CUT_SHORT) else text
