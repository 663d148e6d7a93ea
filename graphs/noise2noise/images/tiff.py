"""TIFF files: any number of channels and pages; ImageJ and OME metadata is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, RESUNIT

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import texts
from graphs.noise2noise.images.damage import in_words
from graphs.noise2noise.images.exif import (
    FIELDS,
    ORIENTATION,
    directories_of,
    exif_of,
    fields_of,
)
from graphs.noise2noise.images.metadata import Metadata, Tag, TiffLayout
from graphs.noise2noise.images.raster import Raster
from graphs.noise2noise.images.spool import IN_MEMORY, reserve, spooled
from graphs.noise2noise.images.tiff_damage import complaints, require_whole
from graphs.noise2noise.images.tiff_exif import add_directories, directories_in
from graphs.noise2noise.images.tiff_page_texts import placeholder, texts_of_pages, write_texts

_COLORMAP = 320
_CARRIED = frozenset(
    {269, 270, 271, 272, 274, 285, 305, 306, 315, 316}  # description, orientation, author, ...
    | {700, 33432, 33723, 34377, 34675}  # XMP, copyright, IPTC, Photoshop, ICC profile
    | {33550, 33922, 34735, 34736, 34737, 42112, 42113}  # GeoTIFF and GDAL
    | {50838, 50839, 51123}  # ImageJ, Micro-Manager
    | {_COLORMAP}
)
_LUMA = (0.299, 0.587, 0.114)
"""Luma weights of red, green and blue, by ITU-R BT.601."""
_X_RESOLUTION, _Y_RESOLUTION, _ICC_PROFILE = 282, 283, 34675
_PER_INCH: dict[int, float] = {RESUNIT.INCH: 1.0, RESUNIT.CENTIMETER: 2.54}
_KEPT_COMPRESSIONS = {
    COMPRESSION.LZW,
    COMPRESSION.DEFLATE,
    COMPRESSION.ADOBE_DEFLATE,
    COMPRESSION.PACKBITS,
    COMPRESSION.ZSTD,
}
_PLAIN = {PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB}
_KINDS: dict[int, str] = {
    PHOTOMETRIC.SEPARATED: "CMYK",
    PHOTOMETRIC.PALETTE: "of palette colours in no order of brightness",
}
_DECODED: dict[int, int] = {PHOTOMETRIC.YCBCR: PHOTOMETRIC.RGB}
_SPARE = "RITVWBDEFGHJKLMNOPU"
"""Letters for unnamed axes, those of repeats first."""

_OPACITY = {EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA}


def read(path: Path) -> Raster:
    """Memory-map an uncompressed TIFF file, or decode a compressed one.

    Raises:
        InputError: it is damaged, holds pictures of several kinds, or holds other pictures than
            grey, RGB or multi-channel ones.
    """
    try:
        with complaints() as heard, tifffile.TiffFile(path) as file:
            require_whole(file, heard)
            _require_plain(path, file)
            series = file.series[0]
            page = series.keyframe
            alpha = "S" in series.axes and _OPACITY.issuperset(page.extrasamples[-1:] or [None])
            info = _info(page) | texts.of_tiff(file, page)
            metadata = Metadata(info, tiff=_layout(file, page))
            pixels = _pixels(path, series)
            heard.require_none()
            return Raster(pixels, _distinct(series.axes), alpha, metadata)
    except InputError:
        raise
    except Exception as error:  # a damaged file can make tifffile and its decoders raise anything
        raise InputError(f"{path} cannot be read: {_reason(error)}") from None


def refusal(_raster: Raster) -> str | None:
    """None: any raster can be stored as TIFF."""
    return None


@contextmanager
def creating(path: Path, like: Raster) -> Iterator[Raster]:
    """Yield a raster to fill: mapped from the file itself, or compressed when the block ends."""
    layout = like.metadata.tiff
    options = _options_from(layout) if layout else _options_for(like)
    dtype = like.dtype.newbyteorder(options["byteorder"])
    shape = like.pixels.shape
    if options.get("compression"):
        pixels = spooled(path.parent, shape, dtype)
        yield like.with_pixels(pixels)
        tifffile.imwrite(path, pixels, **options)
        _add_metadata(path, like.metadata)
        return
    place = tifffile.imwrite(path, shape=shape, dtype=dtype, returnoffset=True, **options)
    assert place is not None, "uncompressed pixels are in one piece"
    with path.open("r+b") as file:
        file.seek(place[0])
        reserve(file, like.pixels.nbytes)
    _add_metadata(path, like.metadata)
    yield like.with_pixels(np.memmap(path, dtype, "r+", place[0], shape))


def _add_metadata(path: Path, metadata: Metadata) -> None:
    """Add the metadata that tifffile does not write."""
    if metadata.tiff and metadata.tiff.page_texts:
        write_texts(path, metadata.tiff.page_texts)
    add_directories(path, directories_of(metadata.info.get("exif", b"")))


def _reason(error: Exception) -> str:
    """The reason as text; of tifffile's ValueErrors, only those on compressions are for users."""
    reason = in_words(error)
    is_internal = isinstance(error, ValueError) and reason == str(error)
    return "it is damaged" if is_internal and "COMPRESSION" not in reason else reason


def _distinct(axes: str) -> str:
    """Axes with a distinct letter each; tifffile calls every unnamed axis Q."""
    spare = iter(letter for letter in _SPARE if letter not in axes)
    return "".join(next(spare) if letter in axes[:i] else letter for i, letter in enumerate(axes))


def _require_plain(path: Path, file: tifffile.TiffFile) -> None:
    if len(file.series) != 1:
        raise InputError(f"{path} holds pictures of {len(file.series)} kinds; expected one kind")
    series = file.series[0]
    if not {"Y", "X"} <= set(series.axes) or {"S", "C"} <= set(series.axes):
        raise InputError(f"{path} has axes {series.axes}; expected Y and X, with S or C or neither")
    photometric = series.keyframe.photometric
    if photometric == PHOTOMETRIC.YCBCR and series.keyframe.compression == COMPRESSION.JPEG:
        return  # decoded to RGB
    if photometric == PHOTOMETRIC.PALETTE and _is_lookup_table(file, series.keyframe):
        return
    if photometric not in _PLAIN:
        kind = _KINDS.get(photometric, f"of photometric interpretation {photometric}")
        raise InputError(f"{path} is {kind}; expected grey or RGB")


def _is_lookup_table(file: tifffile.TiffFile, page: tifffile.TiffPage) -> bool:
    """Whether colours only display numbers, as in microscopy, so that these can be denoised."""
    colours = page.colormap
    if colours is None or colours.shape != (3, 2**page.bitspersample) or page.bitspersample < 8:
        return False
    steps = np.diff(_LUMA @ colours.astype(float))
    return file.is_imagej or bool((steps >= 0).all() or (steps <= 0).all())


def _pixels(path: Path, series: tifffile.TiffPageSeries) -> np.ndarray:
    if series.dataoffset is not None:
        dtype = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
        return np.memmap(path, dtype, "r", series.dataoffset, series.shape)
    return series.asarray(out="memmap" if series.nbytes > IN_MEMORY else None)


def _layout(file: tifffile.TiffFile, page: tifffile.TiffPage) -> TiffLayout:
    return TiffLayout(
        byteorder=file.byteorder,
        photometric=_DECODED.get(page.photometric, page.photometric),
        planarconfig=page.planarconfig if page.samplesperpixel > 1 else None,
        extrasamples=page.extrasamples,
        compression=page.compression if page.compression in _KEPT_COMPRESSIONS else None,
        predictor=page.predictor,
        resolution=_resolution(page),
        resolutionunit=page.resolutionunit,
        tags=tuple(_packed(tag) for tag in page.tags if tag.code in _CARRIED),
        page_texts=texts_of_pages(file),
    )


def _resolution(page: tifffile.TiffPage) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Horizontal and vertical, as fractions; None if one is missing or divides by zero."""
    match [page.tags.valueof(code) for code in (_X_RESOLUTION, _Y_RESOLUTION)]:
        case [(x, per_x), (y, per_y)] if per_x and per_y:
            return (x, per_x), (y, per_y)
    return None


def _packed(tag: tifffile.TiffTag) -> Tag:
    handle = tag.parent.filehandle
    handle.seek(tag.valueoffset)
    of_the_first_page = tag.code not in (ORIENTATION, _COLORMAP)
    return tag.code, tag.dtype, tag.count, handle.read(tag.valuebytecount), of_the_first_page


def _info(page: tifffile.TiffPage) -> dict[str, Any]:
    """The metadata that other formats can hold, too."""
    info: dict[str, Any] = {}
    if _ICC_PROFILE in page.tags:
        info["icc_profile"] = page.tags[_ICC_PROFILE].value
    if page.resolutionunit in _PER_INCH and (resolution := _resolution(page)):
        factor = _PER_INCH[page.resolutionunit]
        info["dpi"] = tuple(factor * count / length for count, length in resolution)
    fields = {code: page.tags.valueof(code) for code in FIELDS}
    if exif := exif_of(fields, directories_in(page)):
        info["exif"] = exif
    return info


def _options_from(layout: TiffLayout) -> dict[str, Any]:
    """Options with which tifffile writes a file in the layout of another."""
    tags = (
        *map(placeholder, layout.page_texts),
        *(tag for tag in layout.tags if tag[0] not in layout.page_texts),
    )
    return {
        "byteorder": layout.byteorder,
        "photometric": layout.photometric,
        "planarconfig": layout.planarconfig,
        "extrasamples": layout.extrasamples or None,
        "compression": layout.compression,
        "predictor": layout.predictor if layout.compression and layout.predictor > 1 else None,
        "resolution": layout.resolution,
        "resolutionunit": layout.resolutionunit if layout.resolution else None,
        "extratags": tags,
        "metadata": None,
        "software": False,
    }


def _options_for(raster: Raster) -> dict[str, Any]:
    """Options with which tifffile writes a raster that did not come from a TIFF file."""
    samples = raster.channels + raster.alpha if "S" in raster.axes else 1
    colours = 3 if raster.channels == 3 and samples > 1 else 1
    extra = ["unassalpha"] * raster.alpha
    extra = ["unspecified"] * (samples - colours - len(extra)) + extra
    said = texts.for_tiff(raster.metadata.info)
    fields = fields_of(raster.metadata.info.get("exif", b""))
    return {
        "byteorder": "<",
        "photometric": "rgb" if colours == 3 else "minisblack",
        "planarconfig": "contig" if samples > 1 else None,
        "extrasamples": extra or None,
        "resolution": raster.metadata.info.get("dpi"),
        "iccprofile": raster.metadata.info.get("icc_profile"),
        "description": said["description"],
        "extratags": [
            (code, "s" if isinstance(value, bytes) else "H", 1, value, True)
            for code, value in fields.items()
        ]
        + said["extratags"],
        "metadata": {"axes": raster.axes},
        "software": False,
    }
