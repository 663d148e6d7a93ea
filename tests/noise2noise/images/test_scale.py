"""Scales from a file's numbers to what networks see, and back; linear ones: see round trips."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs.noise2noise.images import RootScale, signed_roots


@given(st.integers(0, 1000), st.floats(-500, 500), st.sampled_from(["uint16", "float32"]))
def test_roots_without_noise_come_back(seed: int, zero: float, dtype: str) -> None:
    values = np.random.default_rng(seed).integers(0, 60_000, (3, 8, 8)).astype(dtype)
    scale = RootScale(5.0, 130.0, zero)
    seen = scale.to_unit(values)
    assert seen.dtype == torch.float32
    np.testing.assert_allclose(scale.from_unit(seen, values.dtype), values, rtol=1e-5, atol=1)


def back_from_the_mean_of_roots(values: np.ndarray, black: float, sigma: float) -> float:
    scale = RootScale(-2.0, 7.0, black, sigma)
    mean = scale.to_unit(values).mean().reshape(1, 1, 1)
    return float(scale.from_unit(mean, values.dtype)[0, 0, 0])


@given(st.floats(3, 500), st.floats(0.1, 20), st.floats(-50, 200))
def test_the_mean_of_roots_gives_the_mean_of_photons(
    photons: float, gain: float, black: float
) -> None:
    counts = np.random.default_rng(0).poisson(photons, (1, 300, 300))
    values = (gain * counts + black).astype(np.float32)
    sigma = float(signed_roots(black, values).std(dtype=np.float64))
    found = back_from_the_mean_of_roots(values, black, sigma)
    assert found == pytest.approx(values.mean(), rel=1e-3, abs=1e-3 * gain)
    # By what the gain says alone:
    found = back_from_the_mean_of_roots(values, black, gain**0.5 / 2)
    assert found == pytest.approx(values.mean(), abs=0.15 * gain)


@given(st.floats(0, 3), st.floats(0.1, 20))
def test_few_photons_stay_few(photons: float, gain: float) -> None:
    counts = np.random.default_rng(0).poisson(photons, (1, 300, 300))
    found = back_from_the_mean_of_roots((gain * counts).astype(np.float32), 0.0, gain**0.5 / 2)
    assert found == pytest.approx(gain * counts.mean(), rel=0.2, abs=1e-5)


def test_what_is_below_zero_stays_there() -> None:
    """As a dark hole, or noise of readout about black."""
    scale = RootScale(0.0, 10.0, 50.0)
    values = np.array([[[0, 40, 50, 60]]], np.uint8)
    seen = scale.to_unit(values)
    assert scale.from_unit(seen, values.dtype).tolist() == values.tolist()
    assert (seen.diff() > 0).all()
