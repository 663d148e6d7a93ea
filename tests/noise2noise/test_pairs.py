"""Batches of noisy pairs, and the folders that they come from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.pairs import NoisyPairs, read_pairs
from tests.noise2noise.scenes import bytes_of, cat, load, names, noisy, save, shots

SIZE = 8


def places(height: int, width: int, number: int = 0) -> torch.Tensor:
    """A picture each pixel of which says in which picture, row and column it is."""
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float32), torch.arange(width).float(), indexing="ij"
    )
    return torch.stack([torch.full_like(rows, number), rows, columns])


def marked(height: int, width: int, number: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A pair whose second picture is the first plus 1000."""
    first = places(height, width, number)
    return first, first + 1000


def sources(pairs: NoisyPairs, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch from marked pairs: its places, and which pieces have the second shot as input."""
    inputs, targets = pairs.batch(count)
    assert inputs.shape == targets.shape == (count, 3, SIZE, SIZE)
    swapped = inputs[:, 0, 0, 0] >= 1000
    first = torch.where(swapped[:, None, None, None], targets, inputs)
    second = torch.where(swapped[:, None, None, None], inputs, targets)
    assert torch.equal(second, first + 1000)
    return first, swapped


def test_both_sides_of_a_batch_are_one_piece_of_both_shots() -> None:
    pairs = NoisyPairs([marked(11, 30), marked(25, 9, 1), marked(8, 8, 2)], size=SIZE)
    seen = set()
    for _ in range(20):
        first, _swapped = sources(pairs, 32)
        seen |= set(first[:, 0, 0, 0].tolist())
    assert seen == {0, 1, 2}


def test_pieces_are_whole_squares_mirrored_and_turned_in_eight_ways() -> None:
    ways = set()
    for rows, columns in sources(NoisyPairs([marked(12, 19)], size=SIZE), 400)[0][:, 1:]:
        rows, columns = rows - rows.min(), columns - columns.min()
        turned = bool(rows[0, 0] == rows[1, 0])
        upright = (rows.mT, columns.mT) if turned else (rows, columns)
        down, right = upright[0][0, 0] == 0, upright[1][0, 0] == 0
        square = places(SIZE, SIZE)[1:]
        assert torch.equal(upright[0], square[0] if down else square[0].flip(0))
        assert torch.equal(upright[1], square[1] if right else square[1].flip(1))
        ways.add((turned, bool(down), bool(right)))
    assert len(ways) == 8


def test_either_shot_is_the_target_about_as_often() -> None:
    _, swapped = sources(NoisyPairs([marked(20, 20)], size=SIZE), 1000)
    assert 400 < int(swapped.sum()) < 600


def test_every_place_can_come_up_and_borders_too() -> None:
    first, _ = sources(NoisyPairs([marked(10, 9)], size=SIZE), 500)
    tops, lefts = first[:, 1].amin((1, 2)), first[:, 2].amin((1, 2))
    assert set(tops.tolist()) == {0, 1, 2}
    assert set(lefts.tolist()) == {0, 1}


def test_larger_pictures_come_up_more_often() -> None:
    pairs = NoisyPairs([marked(10, 10), marked(30, 30, 1)], size=SIZE)
    first, _ = sources(pairs, 2000)
    assert float((first[:, 0, 0, 0] == 1).float().mean()) == pytest.approx(3 / 4, abs=0.05)


def test_the_seed_decides() -> None:
    def batches(seed: int) -> list[torch.Tensor]:
        pairs = NoisyPairs([marked(20, 20), marked(30, 10)], seed, SIZE)
        return [side for _ in range(3) for side in pairs.batch(5)]

    torch.manual_seed(1)
    first = batches(7)
    torch.manual_seed(2)
    assert all(map(torch.equal, first, batches(7)))
    assert not any(map(torch.equal, first, batches(8)))
    assert not torch.equal(first[0], first[2])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "there are no pairs of pictures to train on"),
        (
            [marked(9, 9), (places(9, 9), places(9, 10))],
            "pair 2: the two pictures differ in size, 9x9 and 10x9",
        ),
        ([marked(7, 9)], "pair 1: 9x7 pixels; expected at least 8 a side"),
    ],
    ids=["none", "sizes", "small"],
)
def test_what_is_no_pair(pairs: list[tuple[torch.Tensor, torch.Tensor]], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        NoisyPairs(pairs, size=SIZE)


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
