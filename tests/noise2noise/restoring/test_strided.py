"""Cleaning pixels that lie apart: which they are, how they are joined, what is restored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from graphs.architectures import UNet
from graphs.noise2noise.restoring import Restorer
from graphs.noise2noise.restoring.cleaner import Advance, Cleaner, Read, Shape, Write
from graphs.noise2noise.restoring.strided import Strided
from tests.noise2noise.scenes import cat


class Mean(Cleaner):
    """Makes every picture constant, in two parts, and records what it is shown."""

    def __init__(self) -> None:
        self.shown: list[torch.Tensor] = []

    def restore(self, shape: Shape, read: Read, write: Write, advance: Advance) -> None:
        columns = slice(0, shape[3])
        parts = [slice(0, 2), slice(2, shape[2])]
        whole = torch.cat([read(rows, columns) for rows in parts], 2)
        self.shown.append(whole)
        for rows in parts:
            write(rows, columns, torch.full_like(whole[:, :, rows], float(whole.mean())))
        advance(1.0)


@pytest.mark.parametrize(("height", "width"), [(30, 33), (31, 35), (29, 40)])
def test_every_third_pixel_of_every_third_row_is_cleaned_together(height: int, width: int) -> None:
    noisy, mean = torch.randn(1, 3, height, width), Mean()
    Strided(mean, 1.0)(noisy)
    expected = [noisy[:, :, row::3, column::3] for row in range(3) for column in range(3)]
    for shown, apart in zip(mean.shown, expected, strict=True):
        assert torch.equal(shown, apart)


def test_noise_that_neighbours_share_goes_and_an_edge_stays() -> None:
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(1, 1, 90, 96)), (0, 0, 0.8, 0.8))
    noise = 0.1 * torch.from_numpy(noise / noise.std()).float()
    scene = torch.full((1, 1, 90, 96), 0.5)
    clean = Strided(Mean(), 0.1)(scene + noise)
    assert float((clean - scene).std()) < 0.2 * float(noise.std())
    scene[..., 48:] = 1.5
    scene[..., 47:49] = 3.0
    kept = Strided(Mean(), 0.1)(scene + noise)
    assert float((kept - scene)[..., 45:51].abs().mean()) < 0.15


@pytest.mark.parametrize(("height", "width"), [(301, 207), (256, 131)])
def test_in_tiles_and_bands_it_is_the_same(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, network = cat(height, width), UNet(4, 2, 3, 3)
    tiled = Strided(Restorer(network, side=64), 0.05)(noisy)
    monkeypatch.setattr("graphs.noise2noise.restoring.strided.ROWS_AT_ONCE", 1000)
    torch.testing.assert_close(tiled, Strided(Restorer(network), 0.05)(noisy))
