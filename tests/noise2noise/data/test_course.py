"""The course's pickles, and pickles that would do harm."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from graphs.noise2noise.data.course import read_course_pickle
from graphs.noise2noise.errors import InputError


def pair(count: int = 5, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    both = torch.randint(256, (2, count, 3, side, side), generator=generator, dtype=torch.uint8)
    return both[0].clone(), both[1].clone()


def dumped(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


def saved(value: Any, path: Path) -> None:
    torch.save(value, path)


def saved_as_before(value: Any, path: Path) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False)


WRITERS = [saved, saved_as_before, dumped]
Writer = Callable[[Any, Path], None]


@pytest.mark.parametrize("write", WRITERS)
def test_the_tensors_come_back(tmp_path: Path, write: Writer) -> None:
    path = tmp_path / "train_data.pkl"
    write(pair(), path)
    assert all(map(torch.equal, read_course_pickle(path), pair()))


class Harm:
    """Runs a function when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("write", WRITERS)
def test_nothing_in_a_pickle_is_run(tmp_path: Path, write: Writer) -> None:
    path, mark = tmp_path / "train_data.pkl", tmp_path / "harm done"
    write((*pair(), Harm(mark)), path)
    with pytest.raises(InputError, match="and nothing in it was run") as error:
        read_course_pickle(path)
    assert str(path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert not mark.exists()
    pickle.loads(pickle.dumps(Harm(mark)))
    assert mark.exists(), "the harm would have been done"


def test_nothing_in_the_bytes_of_a_storage_is_run(tmp_path: Path) -> None:
    mark, path = tmp_path / "harm done", tmp_path / "train_data.pkl"

    class Storage:
        def __reduce__(self) -> tuple[Any, ...]:
            return (torch.storage._load_from_bytes, (pickle.dumps(Harm(mark)),))

    dumped((Storage(), Storage()), path)
    with pytest.raises(InputError, match="and nothing in it was run"):
        read_course_pickle(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (pair()[0], "holds a tensor of torch.uint8 (5, 3, 32, 32); expected a tuple of two"),
        ((*pair(), pair()[0]), "holds a tuple of 3; expected a tuple of two tensors"),
        ((pair()[0].float(), pair()[1]), "holds a tensor of torch.float32 (5, 3, 32, 32); "),
        ((pair()[0], pair(4)[1]), "its two tensors differ in shape, (5, 3, 32, 32) and (4, 3, "),
        ((1, 2), "holds a int; expected uint8 tensors (n, 3, H, W)"),
    ],
)
def test_other_content(tmp_path: Path, value: Any, message: str) -> None:
    path = tmp_path / "x.pkl"
    torch.save(value, path)
    with pytest.raises(InputError) as error:
        read_course_pickle(path)
    assert message in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04.", b"PK\x03\x04 cut short"])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no pickle of tensors alone"):
        read_course_pickle(path)
    with pytest.raises(InputError, match="there is no file"):
        read_course_pickle(tmp_path / "none.pkl")


def test_a_zip_with_other_things_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Harm(tmp_path / "harm")))
    with pytest.raises(InputError, match="is no pickle of tensors alone"):
        read_course_pickle(path)
    assert not (tmp_path / "harm").exists()
