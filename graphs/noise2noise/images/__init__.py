"""Pictures, in memory and in files."""

from graphs.noise2noise.images.eight_bit import from_bytes, to_bytes
from graphs.noise2noise.images.files import (
    SUFFIXES,
    creating,
    is_picture_name,
    list_pictures,
    read_picture,
    read_raster,
    require_fit,
)
from graphs.noise2noise.images.middle import middle
from graphs.noise2noise.images.picture import Picture
from graphs.noise2noise.images.raster import Raster, are_equal, mean_of
from graphs.noise2noise.images.scale import RootScale, Scale, signed_roots
from graphs.noise2noise.images.spool import release, spooled

__all__ = [
    "SUFFIXES",
    "Picture",
    "Raster",
    "RootScale",
    "Scale",
    "are_equal",
    "creating",
    "from_bytes",
    "is_picture_name",
    "list_pictures",
    "mean_of",
    "middle",
    "read_picture",
    "read_raster",
    "release",
    "require_fit",
    "signed_roots",
    "spooled",
    "to_bytes",
]
