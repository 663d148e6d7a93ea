"""A file is replaced completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.atomic import LEFTOVERS
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import replacing, require_folder, require_free
from graphs.noise2noise.images import Raster, creating
from tests.noise2noise.scenes import bytes_of, names


def test_the_new_file_takes_the_olds_place(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_writer_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    with creating(tmp_path / "new" / "newer" / "a.png", Raster(bytes_of(8, 8), "YX")):
        pass
    assert names(tmp_path / "new" / "newer") == ["a.png"]


def test_what_is_no_place_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    require_free(tmp_path / "free", overwrite=False)
    require_free(tmp_path / "new" / "free", overwrite=False)
    require_free(tmp_path / "file", overwrite=True)
    with pytest.raises(InputError, match=r"file exists already; --overwrite replaces it$"):
        require_free(tmp_path / "file", overwrite=False)
    for overwrite in (True, False):
        with pytest.raises(InputError, match=r"is a folder, not a file$"):
            require_free(tmp_path, overwrite)
    with pytest.raises(InputError, match=r"folder .*file/in cannot be made: .*file is a file$"):
        require_folder(tmp_path / "file" / "in")
    with pytest.raises(InputError, match=r"file is a file$"):
        require_free(tmp_path / "file" / "a.png", overwrite=False)
    assert names(tmp_path) == ["file"]


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / f"{'a' * 251}.txt"
    with replacing(path) as temporary:
        assert temporary.match(LEFTOVERS)
        temporary.write_text("new")
    assert names(tmp_path) == [path.name]


def test_a_link_to_nothing_is_not_free(tmp_path: Path) -> None:
    link = tmp_path / "a.png"
    link.symlink_to(tmp_path / "none")
    with pytest.raises(InputError, match=r"a\.png exists already; --overwrite replaces it$"):
        require_free(link, overwrite=False)
    require_free(link, overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match=r"cannot be written to$"):
        require_free(tmp_path / "a.png", overwrite=False)
