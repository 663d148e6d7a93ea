"""Names of files and folders as a run's own files hold them: in UTF-8, whatever the locale.

Python decodes names by the locale, and what it cannot decode becomes lone surrogates, which are no
text that a file can hold.
"""

from __future__ import annotations

import os

from graphs.noise2noise.errors import InputError


def to_utf8(name: str) -> str:
    """A name, or a text with names in it, as a file in UTF-8 can hold it.

    Raises:
        InputError: it is not valid UTF-8 on the disk.
    """
    try:
        return os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"the name {name!r} is not valid UTF-8, as it must be to be kept with the run; rename "
            "the file or folder"
        ) from None


def from_utf8(name: str) -> str:
    """The name that :func:`to_utf8` was given, in this locale."""
    return os.fsdecode(name.encode("utf-8"))
