"""Reading the scenes to inspect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from graphs.noise2noise.data.scenes import read_shots
from graphs.noise2noise.images import Raster, read_raster
from graphs.noise2noise.inspection import loading
from graphs.noise2noise.inspection.loading import SceneFiles, read_scene
from tests.noise2noise.images.kinds import numbers
from tests.noise2noise.scenes import bytes_of, save


@pytest.mark.parametrize("may_be_stack", [True, False])
def test_every_file_is_decoded_once(
    may_be_stack: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if may_be_stack:
        files = [tmp_path / "a.tif"]
        frames = numbers((5, 20, 24), "uint16")
        tifffile.imwrite(files[0], frames, photometric="minisblack", compression="zlib")
    else:
        frames = np.stack([bytes_of(20, 24, seed=k) for k in range(5)])
        files = [save(tmp_path / f"{k}.png", frame) for k, frame in enumerate(frames)]
    opened: list[Path] = []

    def counting(read: Callable[[Path], Raster]) -> Callable[[Path], Raster]:
        def counted(path: Path) -> Raster:
            opened.append(path)
            return read(path)

        return counted

    monkeypatch.setattr(loading, "read_raster", counting(read_raster))
    monkeypatch.setattr(loading, "read_shots", counting(read_shots))
    scene = read_scene(SceneFiles("a", files, may_be_stack))
    np.testing.assert_array_equal(scene.shots[:, 0], frames)
    assert opened == files
