"""Opening files with Pillow, with its errors turned into InputError."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images.damage import in_words

_DAMAGED = (OSError, SyntaxError, TypeError, ValueError)
"""What Pillow raises on files that are damaged after a valid start."""


@contextmanager
def opened(path: Path, kind: str) -> Iterator[ImageFile.ImageFile]:
    """Open a file and read its header; its pixels are decoded when the block asks for them.

    Args:
        path: the file, of any size.
        kind: the required format, by Pillow's name.

    Raises:
        InputError: it is damaged, as far as the block reads it.
    """
    try:
        with _unhindered(), Image.open(path, formats=(kind,)) as image:
            yield image
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{path} cannot be read: its {kind} header is damaged") from None
    except _DAMAGED as error:
        raise InputError(f"{path} cannot be read: {in_words(error)}") from None


@contextmanager
def _unhindered() -> Iterator[None]:
    """Suppress warnings of damage, which is either an error or harmless, and the size limit."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
