"""Arrays in files lose nothing when their memory is released."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphs.noise2noise.images import release, spool
from tests.noise2noise.scenes import names


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_what_was_written_stays(
    in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    pixels = spool.spooled(tmp_path, (50, 60, 3), np.dtype("uint16"))
    assert isinstance(pixels, np.memmap) == (in_memory == 0)
    planes = pixels.transpose(2, 0, 1)[:2]
    assert not planes.any()
    planes[...] = 7
    release(planes)
    planes[0, 3] = 8
    release(planes)
    assert pixels[3, 0].tolist() == [8, 7, 0]
    assert int(pixels.sum(dtype=int)) == 50 * 60 * 2 * 7 + 60
    assert names(tmp_path) == []


def resident(pixels: np.memmap) -> int:
    """How many kilobytes of a mapped file are resident in this process's memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith(str(pixels.filename)))
    sizes = (line for line in lines[start:] if line.startswith("Rss:"))
    return int(next(sizes).split()[1])


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells")
def test_its_memory_is_given_back(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((1 << 22,), np.uint8))
    pixels = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert int(pixels.sum(dtype=int)) == 1 << 22
    assert resident(pixels) > 4000
    release(pixels[10:])
    assert resident(pixels) < 100
