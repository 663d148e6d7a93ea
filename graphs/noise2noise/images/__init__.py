"""Pictures: what they are in memory, and in files."""

from graphs.noise2noise.images.files import (
    SUFFIXES,
    Picture,
    from_bytes,
    is_picture_name,
    list_pictures,
    read_picture,
    require_picture,
    to_bytes,
    write_picture,
)

__all__ = [
    "SUFFIXES",
    "Picture",
    "from_bytes",
    "is_picture_name",
    "list_pictures",
    "read_picture",
    "require_picture",
    "to_bytes",
    "write_picture",
]
