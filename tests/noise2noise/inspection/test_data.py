"""Known properties of real captures are found."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from graphs.noise2noise.inspection.advice import advise
from graphs.noise2noise.inspection.differences import noise_of_pair
from graphs.noise2noise.inspection.findings import Findings, inspect_scene
from graphs.noise2noise.inspection.scene import Scene
from graphs.noise2noise.inspection.single import noise_of_one

BESIDE = Path(__file__).parents[4] / "shared" / "data"
DATA = Path(os.environ.get("BLOCKWRIGHT_DATA", BESIDE))

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no photographs beside the checkout"),
]


def planes(path: Path) -> np.ndarray:
    """(C, H, W)."""
    with Image.open(path) as image:
        pixels = np.asarray(image)
    return np.atleast_3d(pixels).transpose(2, 0, 1)


@cache
def fluorescence(sample: str) -> Findings:
    folder = DATA / "fmd-fluorescence"
    raws = np.stack([planes(path) for path in sorted(folder.glob(f"{sample}_raw*.png"))])
    return inspect_scene(Scene(sample, raws, planes(folder / f"{sample}_gt.png")))


@cache
def burst(crop: str) -> Findings:
    frames = sorted((DATA / "static-burst-s95").glob(f"{crop}_*.png"))
    return inspect_scene(Scene(crop, np.stack([planes(path) for path in frames])))


def topics(found: Findings) -> set[str]:
    return {item.topic for item in advise([found])}


@pytest.mark.parametrize("sample", ["Confocal_FISH", "Confocal_MICE", "WideField_BPAE_G"])
def test_fluorescence_of_steady_brightness(sample: str) -> None:
    found = fluorescence(sample)
    assert found.straying < 0.02
    assert "brightness" not in topics(found)
    # The average of 50 contains the shots: -1/49.
    assert found.reference is not None
    assert found.reference.between_shots == pytest.approx(-1 / 49, abs=0.003)
    assert "reference made of the shots" in topics(found)


@pytest.mark.parametrize("sample", ["Confocal_BPAE_B", "TwoPhoton_BPAE_B"])
def test_fluorescence_that_strays(sample: str) -> None:
    found = fluorescence(sample)
    assert 0.04 < found.straying < 0.12
    assert {"Noise2Noise", "brightness"} <= topics(found)


@pytest.mark.parametrize("sample", ["Confocal_FISH", "Confocal_MICE", "TwoPhoton_BPAE_B"])
def test_fluorescence_of_nearly_independent_neighbours(sample: str) -> None:
    found = fluorescence(sample)
    assert found.quietest is not None
    assert 0.04 <= found.quietest.noise.correlation <= 0.08
    assert found.quietest.noise.along_columns == pytest.approx((0, 0, 0), abs=0.015)
    assert found.quietest.noise.slope > 1
    assert {"noise grows with brightness", "Noise2Noise"} <= topics(found)
    assert "noise correlated between neighbours" not in topics(found)


@pytest.mark.parametrize("sample", ["WideField_BPAE_B", "WideField_BPAE_G"])
def test_wide_field_is_correlated(sample: str) -> None:
    found = fluorescence(sample)
    assert found.quietest is not None
    assert found.quietest.noise.along_rows[0] == pytest.approx(0.6, abs=0.05)
    assert found.quietest.noise.along_columns[0] == pytest.approx(0.6, abs=0.05)
    assert "noise correlated between neighbours" in topics(found)


def test_what_looks_correlated_in_a_confocal_set_is_drift_and_motion() -> None:
    found = fluorescence("Confocal_BPAE_B")
    first = found.pairs[0]
    assert (first.first, first.second) == (0, 1)
    assert first.noise.as_shot == pytest.approx(0.23, abs=0.01)
    # Shots 3 and 4, which lie on one another and are equally bright, tell the noise alone.
    assert found.quietest is not None
    assert (found.quietest.first, found.quietest.second) == (2, 3)
    assert found.quietest.noise.correlation == pytest.approx(0.04, abs=0.01)
    assert found.misalignment == pytest.approx(0.65, abs=0.1)
    assert {"misalignment", "differences beyond noise"} <= topics(found)


@pytest.mark.parametrize("crop", ["a", "b"])
def test_burst_of_a_camera(crop: str) -> None:
    found = burst(crop)
    assert found.quietest is not None
    noise = found.quietest.noise
    assert noise.sigma == pytest.approx((6.2, 6.1, 7.5), abs=0.2)
    lags = [max(pair) for pair in zip(noise.along_rows, noise.along_columns, strict=True)]
    assert lags == pytest.approx([0.6, 0.25, 0.2], abs=0.07)
    assert found.misalignment <= 0.2
    assert found.drift == pytest.approx(3, abs=0.5)
    assert {"Noise2Noise", "noise correlated between neighbours", "colour balance"} <= topics(found)
    assert "misalignment" not in topics(found)
    alone = noise_of_one(planes(DATA / "static-burst-s95" / f"{crop}_IMG_6879.png"))
    assert alone.is_correlated
    assert alone.shared_sigma == pytest.approx((6.2, 6.1, 7.5), rel=0.25)


@pytest.mark.parametrize("sample", ["BPAE_B", "BPAE_G", "BPAE_R"])
def test_one_shot_of_a_wide_field_tells_its_noise_about_as_two_do(sample: str) -> None:
    folder = DATA / "fmd-fluorescence"
    first, *_, other = (planes(p) for p in sorted(folder.glob(f"WideField_{sample}_raw*.png")))
    alone = noise_of_one(first)
    assert alone.is_correlated
    assert alone.shared_sigma == pytest.approx(noise_of_pair(first, other).sigma, rel=0.1)
    assert alone.sigma[0] < 0.4 * alone.shared_sigma[0]


def test_frames_of_a_moving_sample() -> None:
    stack = tifffile.imread(DATA / "twophoton-sima" / "example.tif")
    found = inspect_scene(Scene("sima", stack[:, None]))
    places = np.array([position[:2] for position in found.positions])
    distances = np.hypot(*(places - np.median(places, axis=0)).T)
    assert 6 < distances.max() < 9
    assert distances.argmax() == 0
    # Frames 2 to 9 agree to about a pixel, but for frame 5, which lies three aside in any of its
    # parts.
    early = [2, 3, 4, 6, 7, 8, 9]
    agreeing = np.hypot(*(places[early] - np.median(places[early], axis=0)).T)
    assert agreeing.max() < 1.1
    assert found.misalignment > 6
    assert "misalignment" in topics(found)
    assert len(found.agreeing) >= 8


@pytest.mark.parametrize("field", ["005_0", "046_1"])
def test_a_reference_with_a_contrast_of_its_own(field: str) -> None:
    folder = DATA / "w2s-widefield"
    noisy, target = (
        planes(folder / f"{name}_{field}.tif") for name in ("input_avg1", "target_avg400")
    )
    found = inspect_scene(Scene(field, noisy[None], target))
    assert found.clipped[1] == pytest.approx(0.002, abs=0.0003)
    assert found.reference is not None
    assert found.reference.fit.gain == pytest.approx(0.8, abs=0.03)
    assert found.reference.decibels > 1
    assert found.reference.correlation == pytest.approx((0, 0), abs=0.01)
    assert found.alone is not None
    assert found.alone.survival < 1.3
    assert {"zero-shot", "clipping", "rescaled reference"} <= topics(found)


def test_a_single_frame() -> None:
    (path,) = (DATA / "pn2v-confocal").glob("*.tif")
    found = inspect_scene(Scene("frame", tifffile.imread(path)[None, None]))
    assert (found.shots, found.height, found.width) == (1, 1024, 1024)
    assert found.alone is not None
    assert found.alone.slope > 5
    assert {"zero-shot", "noise grows with brightness"} <= topics(found)
