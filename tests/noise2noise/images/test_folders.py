"""Folders of pictures, and pixels of 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from graphs.noise2noise.images import from_bytes, list_pictures, to_bytes
from tests.noise2noise.scenes import bytes_of, save


def test_the_pictures_of_a_folder_by_name_and_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.tiff", ".hidden.png"):
        save(tmp_path / name, bytes_of(4, 4))
    np.save(tmp_path / "d.npy", bytes_of(4, 4))
    (tmp_path / "notes.txt").write_text("not a picture")
    found = list_pictures(tmp_path)
    expected = ("a.JPG", "b.png", "c.tiff", "d.npy")
    assert list(found.items()) == [(name, tmp_path / name) for name in expected]


def test_values_are_rounded_and_clamped() -> None:
    levels = torch.tensor([[-0.5, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 1.5]])
    assert to_bytes(levels).tolist() == [[0, 0, 0, 1, 254, 255, 255]]
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_bytes(from_bytes(every))[..., 0], every)
    assert from_bytes(every).max() == 1
