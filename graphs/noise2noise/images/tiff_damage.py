"""Detecting damage of TIFF files that tifffile tolerates, omitting frames or filling in zeros."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import tifffile

from graphs.noise2noise.images.damage import Damaged

_LOG = logging.getLogger("tifffile")
_LOG.setLevel(logging.CRITICAL)

_HARMLESS = ("invalid data type", "ByteCounts tag")
"""Tags of unknown types should be skipped; the shape gives the size of uncompressed pixels."""

_BEYOND_THE_END = ("invalid page offset", "invalid offset to page", "invalid value offset")


class Complaints(logging.Handler):
    """Collects the errors that tifffile logs but does not raise."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message, unless it is about something harmless."""
        message = record.getMessage()
        if not any(words in message for words in _HARMLESS):
            self._messages.append(message)

    def require_none(self) -> None:
        """Check that there has been no error so far.

        Raises:
            Damaged: there was one.
        """
        if any(words in message for message in self._messages for words in _BEYOND_THE_END):
            raise Damaged("it ends too early")
        if self._messages:
            raise Damaged("it is damaged")


@contextmanager
def complaints() -> Iterator[Complaints]:
    """Listen to tifffile's log."""
    heard = Complaints()
    _LOG.addHandler(heard)
    _LOG.setLevel(logging.ERROR)
    try:
        yield heard
    finally:
        _LOG.setLevel(logging.CRITICAL)
        _LOG.removeHandler(heard)


def require_whole(file: tifffile.TiffFile, heard: Complaints) -> None:
    """Check that a file has all the pages and pixels that it claims to have.

    Raises:
        Damaged: it has no page, a page or pixels lie beyond its end, or a description claims more
            frames than there are.
    """
    len(file.pages)  # follows them to the last
    heard.require_none()
    series = file.series
    heard.require_none()
    if not series:
        raise Damaged("it has no page that can be read")
    for one in series:
        _require_frames(file, one)


def _require_frames(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    page = series.keyframe
    told = held = series.size // page.size
    if series.dataoffset is None:  # otherwise they are contiguous and mapped as a whole
        pages = [page for page in series if page is not None]
        held = len(pages)
        if any(map(_reaches_beyond_the_end, pages)):
            raise Damaged("it ends too early")
    if series.kind == "imagej":  # ImageJ counts the planes of separate samples as images
        samples = page.size // (page.imagelength * page.imagewidth)
        told = max(told, (file.imagej_metadata or {}).get("images", 0) // samples)
    if told > held:
        raise Damaged(f"it tells of {told} frames and holds {held}")


def _reaches_beyond_the_end(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    pieces = zip(page.dataoffsets, page.databytecounts, strict=True)
    return any(start + size > page.parent.filehandle.size for start, size in pieces)
