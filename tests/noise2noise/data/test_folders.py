"""Folders of noisy pictures, paired."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.folders import read_pairs
from tests.noise2noise.scenes import bytes_of, cat, load, names, noisy, save, shots


def test_folders_are_paired_by_name(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=3)
    save(first / "grey.png", noisy(cat(33, 32))[0])
    save(second / "grey.png", noisy(cat(33, 32), seed=1)[0])
    pairs = read_pairs(first, second)
    for name, pair in zip(names(first), pairs, strict=True):
        assert torch.equal(pair[0], load(first / name))
        assert torch.equal(pair[1], load(second / name))


def test_folders_that_do_not_pair_up(tmp_path: Path) -> None:
    first, second = shots(tmp_path)

    def message() -> str:
        with pytest.raises(InputError) as error:
            read_pairs(first, second)
        return str(error.value)

    save(second / "alone.png", bytes_of(40, 40))
    assert message() == f"{second}/alone.png has no partner of that name in {first}"
    save(first / "also alone.png", bytes_of(40, 40))
    assert message().endswith(f"name in {first} (2 names are unpaired)")
    (second / "alone.png").unlink()
    assert message() == f"{first}/also alone.png has no partner of that name in {second}"
    save(second / "also alone.png", bytes_of(40, 41))
    sizes = f"also alone.png in {first} and {second}: the two pictures differ in size, "
    assert message() == sizes + "40x40 and 41x40"
    save(first / "also alone.png", bytes_of(31, 50))
    save(second / "also alone.png", bytes_of(31, 50))
    assert message().endswith("50x31 pixels; expected at least 32 a side")
    (second / "also alone.png").write_text("not a picture")
    assert message() == f"{second}/also alone.png is not a PNG, JPEG, TIFF or .npy picture"


def test_folders_that_are_none(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"^there is no folder {re.escape(str(tmp_path))}/none$"):
        read_pairs(first, tmp_path / "none")
    with pytest.raises(InputError, match=r"empty has no PNG, JPEG, TIFF or \.npy pictures$"):
        read_pairs(tmp_path / "empty", second)
