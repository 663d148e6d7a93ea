"""The line of least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphs.noise2noise.quality.fitting import fit_affine


def test_it_is_that_of_least_squares() -> None:
    generator = torch.Generator().manual_seed(0)
    source = torch.rand(3, 20, 30, generator=generator)
    target = 0.8 * source + 0.1 + 0.05 * torch.randn(source.shape, generator=generator)
    expected = np.polyfit(source.flatten().numpy(), target.flatten().numpy(), 1)
    assert fit_affine(source, target) == pytest.approx(tuple(expected), rel=1e-5)


def test_a_line_is_found_exactly() -> None:
    source = torch.arange(12.0).reshape(1, 3, 4)
    fit = fit_affine(source, 3 - 2 * source)
    assert fit == pytest.approx((-2, 3))
    assert torch.equal(fit(source), 3 - 2 * source)


def test_a_plain_picture_is_taken_to_the_mean() -> None:
    plain = torch.full((1, 4, 4), 3.0)
    assert fit_affine(plain, torch.full((1, 4, 4), 5.0)) == (1, 2)
