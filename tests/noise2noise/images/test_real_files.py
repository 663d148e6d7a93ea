"""Files that microscopes, cameras and ImageJ wrote, where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from graphs.noise2noise.images import Scale, creating, read_raster

BESIDE = Path(__file__).parents[4] / "shared" / "data"
DATA = Path(os.environ.get("BLOCKWRIGHT_DATA", BESIDE))

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no photographs beside the checkout"),
]

TIFFS = ("twophoton-sima", "pn2v-confocal", "w2s-widefield")


def copied(source: Path, target: Path) -> None:
    raster = read_raster(source)
    scale = Scale.of_dtype(raster.dtype)
    with creating(target, raster) as result:
        for frame in range(raster.frames):
            unit = scale.to_unit(raster.planes(frame))
            result.planes(frame)[...] = scale.from_unit(unit, result.dtype)


@pytest.mark.parametrize("folder", TIFFS)
def test_tiff(folder: str, tmp_path: Path) -> None:
    for source in sorted((DATA / folder).glob("*.tif"))[:3]:
        target = tmp_path / source.name
        copied(source, target)
        with tifffile.TiffFile(source) as before, tifffile.TiffFile(target) as after:
            np.testing.assert_array_equal(after.asarray(), before.asarray())
            assert after.series[0].axes == before.series[0].axes
            assert after.byteorder == before.byteorder
            assert after.imagej_metadata == before.imagej_metadata
            assert after.pages[0].description == before.pages[0].description
            assert after.pages[0].get_resolution() == before.pages[0].get_resolution()


@pytest.mark.parametrize("folder", ["set14", "fmd-fluorescence", "static-burst-s95"])
def test_png(folder: str, tmp_path: Path) -> None:
    for source in sorted((DATA / folder).glob("*.png"))[:4]:
        copied(source, tmp_path / source.name)
        before, after = read_raster(source), read_raster(tmp_path / source.name)
        np.testing.assert_array_equal(after.pixels, before.pixels)
        assert after.metadata.info == before.metadata.info


def test_jpeg(tmp_path: Path) -> None:
    for source in sorted((DATA / "bsds500-train").glob("*.jpg"))[:4]:
        copied(source, tmp_path / source.name)
        before, after = (read_raster(folder / source.name) for folder in (source.parent, tmp_path))
        assert np.abs(after.pixels.astype(int) - before.pixels).mean() < 1.5


def test_a_stack_without_names_counts_as_repeats() -> None:
    raster = read_raster(DATA / "twophoton-sima" / "example.tif")
    assert (raster.frames, raster.channels, raster.size) == (20, 1, (128, 256))
    assert raster.is_repeated
