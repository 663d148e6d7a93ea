"""Random squares of pictures, and pairs of them from repeated shots."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import RepeatedShots
from graphs.noise2noise.errors import InputError
from tests.noise2noise.scenes import cat

SIZE = 8


def places(height: int, width: int, number: int = 0) -> torch.Tensor:
    """A picture in which each pixel encodes its picture, row and column."""
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float32), torch.arange(width).float(), indexing="ij"
    )
    return torch.stack([torch.full_like(rows, number), rows, columns])


def marked(height: int, width: int, number: int = 0, shots: int = 2) -> torch.Tensor:
    """A scene whose shots are each the one before it plus 1000."""
    return places(height, width, number) + 1000 * torch.arange(shots).view(-1, 1, 1, 1)


def sources(pairs: RepeatedShots, count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch from marked pairs: its places, and which pieces have the second shot as input."""
    inputs, targets = pairs.batch(count, generator_for(seed)).values()
    assert inputs.shape == targets.shape == (count, 3, SIZE, SIZE)
    swapped = inputs[:, 0, 0, 0] >= 1000
    first = torch.where(swapped[:, None, None, None], targets, inputs)
    second = torch.where(swapped[:, None, None, None], inputs, targets)
    assert torch.equal(second, first + 1000)
    return first, swapped


def test_both_sides_of_a_batch_are_one_piece_of_both_shots() -> None:
    pairs = RepeatedShots([marked(11, 30), marked(25, 9, 1), marked(8, 8, 2)], size=SIZE)
    seen = set()
    for seed in range(20):
        first, _swapped = sources(pairs, 32, seed)
        seen |= set(first[:, 0, 0, 0].tolist())
    assert seen == {0, 1, 2}


def test_pieces_are_whole_squares_mirrored_and_turned_in_eight_ways() -> None:
    ways = set()
    for rows, columns in sources(RepeatedShots([marked(12, 19)], size=SIZE), 400)[0][:, 1:]:
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
    _, swapped = sources(RepeatedShots([marked(20, 20)], size=SIZE), 1000)
    assert 400 < int(swapped.sum()) < 600


def test_every_place_can_come_up_and_borders_too() -> None:
    first, _ = sources(RepeatedShots([marked(10, 9)], size=SIZE), 500)
    tops, lefts = first[:, 1].amin((1, 2)), first[:, 2].amin((1, 2))
    assert set(tops.tolist()) == {0, 1, 2}
    assert set(lefts.tolist()) == {0, 1}


def test_larger_pictures_come_up_more_often() -> None:
    pairs = RepeatedShots([marked(10, 10), marked(30, 30, 1)], size=SIZE)
    first, _ = sources(pairs, 2000)
    assert float((first[:, 0, 0, 0] == 1).float().mean()) == pytest.approx(3 / 4, abs=0.05)


def test_all_pairs_of_a_burst_come_up_alike() -> None:
    burst = RepeatedShots([marked(12, 12, shots=4)], size=SIZE)
    inputs, targets = burst.batch(3000, generator_for(0)).values()
    pairs = torch.stack([inputs[:, 0, 0, 0], targets[:, 0, 0, 0]], 1).div(1000).long()
    assert torch.equal(inputs % 1000, targets % 1000)
    seen = Counter(map(tuple, pairs.tolist()))
    assert set(seen) == {(a, b) for a in range(4) for b in range(4) if a != b}
    assert all(count == pytest.approx(250, rel=0.3) for count in seen.values())


def test_scenes_may_have_different_numbers_of_shots() -> None:
    scenes = [marked(12, 12, 0, 2), marked(10, 15, 1, 5), marked(12, 9, 2, 3)]
    inputs, targets = RepeatedShots(scenes, SIZE).batch(2000, generator_for(0)).values()
    assert torch.equal(inputs % 1000, targets % 1000)
    assert not (inputs == targets).any()
    for number, scene in enumerate(scenes):
        shots = inputs[inputs[:, 0, 0, 0] % 1000 == number][:, 0, 0, 0].div(1000).long()
        assert set(shots.tolist()) == set(range(len(scene)))


def test_bytes_stand_for_0_to_1() -> None:
    scene = (cat(40, 40) * 255).round().to(torch.uint8).expand(2, -1, -1, -1)
    as_bytes = RepeatedShots([scene]).batch(3, generator_for(0))
    as_floats = RepeatedShots([scene / 255]).batch(3, generator_for(0))
    assert all(torch.equal(as_bytes[name], as_floats[name]) for name in as_bytes)
    assert as_bytes["noisy"].dtype == torch.float32


def test_the_generator_decides_and_nothing_else() -> None:
    pairs = RepeatedShots([marked(20, 20), marked(30, 10)], SIZE)

    def batches(seed: int) -> list[torch.Tensor]:
        return [side for i in range(3) for side in pairs.batch(5, generator_for(seed, i)).values()]

    torch.manual_seed(1)
    first = batches(7)
    torch.manual_seed(2)
    assert all(map(torch.equal, first, batches(7)))
    assert not any(map(torch.equal, first, batches(8)))
    assert not torch.equal(first[0], first[2])


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        ([], "there are no pictures to train on"),
        ([marked(7, 9)], "scene 1 has 9x7 pixels; expected at least 8 a side"),
        (
            [marked(9, 9), torch.zeros(2, 1, 9, 9)],
            "the pictures differ in channels: scene 1 has 3, scene 2 has 1",
        ),
    ],
    ids=["none", "small", "channels"],
)
def test_what_cannot_be_trained_on(scenes: list[torch.Tensor], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        RepeatedShots(scenes, size=SIZE)
