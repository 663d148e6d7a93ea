"""Running a network on whole pictures of any size."""

from __future__ import annotations

import pytest
import torch

from graphs import Model
from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.quality.metrics import psnr
from graphs.noise2noise.restoring.restorer import PROGRAMS_KEPT, Restorer
from tests.noise2noise.scenes import cat, noisy
from tests.support import values

SIZES = [(1, 1), (1, 9), (7, 1), (4, 4), (5, 8), (32, 33), (50, 47)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_any_size_as_the_model_does_it(height: int, width: int) -> None:
    model = Model()
    picture = values(3, height, width, dtype=torch.float32).sigmoid()
    restored = Restorer(model.network)(picture)
    assert restored.shape == picture.shape
    torch.testing.assert_close(restored, model.predict(picture[None] * 255)[0] / 255)


@pytest.mark.parametrize(("height", "width"), [(8, 12), (9, 14)])
def test_it_is_the_network_on_the_picture_with_its_borders_repeated(
    height: int, width: int
) -> None:
    net = Architecture().build(0)
    picture = values(3, height, width, dtype=torch.float32)
    rows, columns = ([min(i, n - 1) for i in range(-(-n // 4) * 4)] for n in (height, width))
    expected = net.forward(picture[:, rows][:, :, columns][None])[0, :, :height, :width]
    torch.testing.assert_close(Restorer(net)(picture), expected)


def test_several_pictures_are_each_cleaned_alone() -> None:
    restore = Restorer(Architecture().build(0))
    pictures = values(3, 3, 10, 13, dtype=torch.float32)
    torch.testing.assert_close(restore(pictures), torch.stack([restore(p) for p in pictures]))


def test_results_are_the_callers_own() -> None:
    restore = Restorer(Architecture().build(0))
    pictures = values(2, 3, 8, 8, dtype=torch.float32)
    given, first = pictures.clone(), restore(pictures[0])
    kept = first.clone()
    restore(pictures[1])
    assert torch.equal(first, kept)
    assert torch.equal(pictures, given)


def test_more_sizes_than_it_remembers() -> None:
    restore = Restorer(Architecture().build(0))
    pictures = [values(3, 4 * i, 8, dtype=torch.float32) for i in range(1, PROGRAMS_KEPT + 3)]
    first = [restore(picture) for picture in pictures]
    assert all(map(torch.equal, first, map(restore, pictures)))


def test_it_follows_a_network_that_goes_on_learning() -> None:
    net = Architecture().build(0)
    restore = Restorer(net)
    shot = noisy(cat())
    before = restore(shot)
    model = Model(net)
    model.load_pretrained_model()
    assert not torch.equal(restore(shot), before)
    torch.testing.assert_close(restore(shot), Restorer(net)(shot))
    assert psnr(restore(shot), cat()) > psnr(shot, cat()) + 3
