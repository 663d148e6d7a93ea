"""The photographs shipped with the package, and how they are cropped."""

from __future__ import annotations

import socket
import urllib.request
from typing import NoReturn

import pytest
import torch

from graphs.noise2noise.data.photographs import (
    HELD_OUT,
    PHOTOGRAPHS,
    TRAINING,
    load,
    pieces,
    scale_down,
)
from graphs.noise2noise.demo import SIGMA, noisy_pairs
from graphs.noise2noise.errors import InputError
from tests.noise2noise.scenes import cat


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_photograph_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise AssertionError("a download")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in PHOTOGRAPHS:
        photograph = load(name)
        assert photograph.shape[0] == 3
        assert 32 <= max(photograph.shape) <= 750
        assert 0 <= float(photograph.min()) < float(photograph.max()) <= 1


def test_no_photograph_is_both_trained_on_and_held_out() -> None:
    assert not set(TRAINING) & set(HELD_OUT)
    assert set(TRAINING) | set(HELD_OUT) == set(PHOTOGRAPHS)
    assert len(HELD_OUT) >= 3
    assert len(TRAINING) >= 8


def test_training_pairs_hold_no_clean_pixels() -> None:
    names = ("camera", "rocket")
    scenes = [scale_down(load(name), factor) for name in names for factor in (1, 2)]
    clean = torch.cat([scene.permute(1, 2, 0).reshape(-1, 3) for scene in scenes])
    tensors = vars(vars(noisy_pairs(names, seed=0))["_crops"]).values()
    # All that it has of three values a pixel are the two shots, with all of their noise.
    (pixels,) = [t for t in tensors if isinstance(t, torch.Tensor) and t.shape[-1] == 3]
    assert pixels.shape == (2 * len(clean), 3)
    areas = [scene.shape[1] * scene.shape[2] for scene in scenes]
    pieces = pixels.split([area for area in areas for _ in range(2)])
    shots = torch.cat(pieces[::2]), torch.cat(pieces[1::2])
    for shot in shots:
        assert float((shot - clean).std() * 255) == pytest.approx(SIGMA, rel=0.01)
        assert float((shot == clean).double().mean()) < 1e-4
    assert float((shots[0] - shots[1]).std() * 255) == pytest.approx(2**0.5 * SIGMA, rel=0.01)


def test_scaling_down_averages_whole_pixels() -> None:
    picture = torch.arange(30.0).reshape(1, 5, 6)
    assert scale_down(picture, 2).tolist() == [[[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]]
    assert torch.equal(scale_down(picture, 1), picture)


def test_pieces_are_cut_from_the_photographs_in_turn() -> None:
    photographs = [torch.full((3, 40, 50), level) for level in (0.1, 0.2, 0.3)]
    cut = pieces(photographs, 7, seeded(), size=16)
    assert cut.shape == (7, 3, 16, 16)
    assert cut.amax((1, 2, 3)).tolist() == pytest.approx([0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1])
    whole = pieces([cat(32, 32)], 2, seeded())
    assert torch.equal(whole, torch.stack([cat(32, 32)] * 2))
    with pytest.raises(InputError, match="31 by 64 pixels; expected at least 32 a side"):
        pieces([cat(31, 64)], 1, seeded())
