"""Which held-out pictures a report judges a network by."""

from __future__ import annotations

import torch

from graphs.noise2noise.report.pictures import ESTIMATED, _pairs


def test_pairs_come_from_every_scene_in_turn_and_nothing_else_is_restored() -> None:
    scenes = [torch.arange(20.0).view(-1, 1, 1, 1) + 100 * scene for scene in range(3)]
    scenes.append(torch.tensor([300.0, 301.0]).view(-1, 1, 1, 1))
    restored: list[float] = []

    def restore(shot: torch.Tensor) -> torch.Tensor:
        restored.append(float(shot))
        return -shot

    pairs = _pairs(scenes, restore)
    assert all(torch.equal(pair.first_restored, -pair.first) for pair in pairs)
    assert all(torch.equal(pair.second_restored, -pair.second) for pair in pairs)
    shots = [(int(pair.first), int(pair.second)) for pair in pairs]
    assert len(shots) == ESTIMATED
    assert shots[:6] == [(0, 1), (100, 101), (200, 201), (300, 301), (1, 2), (101, 102)]
    assert sorted(restored) == sorted({shot for pair in shots for shot in pair})


def test_neighbours_in_time_come_first() -> None:
    pairs = _pairs([torch.arange(3.0).view(-1, 1, 1, 1)], torch.clone)
    assert [(int(p.first), int(p.second)) for p in pairs] == [(0, 1), (1, 2), (0, 2)]
