"""File and folder names as stored in a run's own files: in UTF-8, whatever the locale.

Python decodes names by the locale, and turns what it cannot decode into lone surrogates, which
cannot be encoded as text in a file.
"""

from __future__ import annotations

import os

from graphs.noise2noise.errors import InputError


def to_utf8(name: str) -> str:
    """A name, or a text with names in it, in a form that can be encoded as UTF-8.

    Raises:
        InputError: the bytes on disk are not valid UTF-8.
    """
    try:
        return os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"the name {name!r} is not valid UTF-8, as it must be to be kept with the run; rename "
            "the file or folder"
        ) from None


def from_utf8(name: str) -> str:
    """The inverse of :func:`to_utf8`: the name as this locale decodes it."""
    return os.fsdecode(name.encode("utf-8"))
