"""A disk that fills up while a picture is written: an error, the old file, and nothing else."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import creating, read_raster, spool
from tests.noise2noise.images.kinds import encode
from tests.noise2noise.scenes import bytes_of, names, save


@contextmanager
def no_room() -> Iterator[None]:
    """Files may grow to 3000 bytes; writing more fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(InputError, match=r"cannot be written: File too large$"):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("in_memory", [0, 1 << 30], ids=["on disk", "in memory"])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.npy", "packed.tif"])
def test_no_room(
    name: str, in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    pixels, path = bytes_of(90, 90, 3), tmp_path / name
    if name == "packed.tif":
        tifffile.imwrite(path, pixels, compression="zlib")
    else:
        (save if name == "a.jpg" else encode)(path, pixels)
    before, raster = path.read_bytes(), read_raster(path)
    with no_room(), creating(path, raster) as new:
        new.planes()[...] = np.flip(raster.planes())
    assert path.read_bytes() == before
    assert names(tmp_path) == [name]
