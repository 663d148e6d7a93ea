"""Scenes with known faults get the right advice, and good ones get no warning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import ndimage

from graphs.noise2noise.inspection.advice import Advice, advise
from graphs.noise2noise.inspection.findings import Findings, inspect_scene
from graphs.noise2noise.inspection.scene import Scene
from graphs.noise2noise.inspection.table import advice_text, findings_table
from tests.noise2noise.inspection.made import blurred, photograph, shots, white


def findings(made: np.ndarray, reference: np.ndarray | None = None, name: str = "x") -> Findings:
    return inspect_scene(Scene(name, made, reference))


def noisy(count: int = 2, clean: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    return shots(lambda rng, scene: white(rng, scene, 25), count, seed, clean)


def topics(advice: Sequence[Advice]) -> dict[str, str]:
    return {item.topic: item.text for item in advice}


def test_good_shots_need_no_warning() -> None:
    found = findings(noisy(4), photograph())
    (only,) = advise([found])
    assert (only.weight, only.topic, only.scenes) == ("method", "Noise2Noise", ("x",))
    assert found.agreeing == (0, 1, 2, 3)
    assert found.misalignment < 0.3
    assert found.straying < 0.01
    assert len(found.pairs) == 6


def test_a_single_picture() -> None:
    (only,) = advise([findings(noisy(1))])
    assert (only.weight, only.topic) == ("method", "zero-shot")
    careful = shots(lambda rng, scene: blurred(rng, scene, 25), 1)
    assert "weights for pixels apart" in topics(advise([findings(careful)]))
    textured = shots(lambda rng, scene: blurred(rng, scene, 2), 1)
    assert "zero-shot, with care" in topics(advise([findings(textured)]))


def test_identical_shots() -> None:
    made = noisy(3)
    made[2] = made[0]
    found = findings(made)
    assert found.identical == ((0, 2),)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (1, 2)]
    said = topics(advise([found]))
    assert "shots 1 and 3 are the same" in said["identical shots"]
    assert "Noise2Noise" in said
    twins = topics(advise([findings(np.stack([made[0], made[0]]))]))
    assert "Noise2Noise" not in twins
    assert "identical shots" in twins


def test_misalignment_and_which_shots_to_keep() -> None:
    clean = photograph()
    places = [(0, 0), (0, 0), (4, -3), (0.2, 0), (0, 0.1)]
    made = np.stack(
        [
            noisy(1, ndimage.shift(clean, (0, *p), mode="reflect"), i)[0]
            for i, p in enumerate(places)
        ]
    )
    found = findings(made)
    assert found.misalignment == pytest.approx(5, abs=0.6)
    assert found.agreeing == (0, 1, 3, 4)
    assert "keep shots 1-2, 4-5" in topics(advise([found]))["misalignment"]


def test_brightness_that_drifts() -> None:
    made = noisy(3) * np.array([1, 1.6, 1], np.float32)[:, None, None, None]
    found = findings(made)
    assert found.straying == pytest.approx(1 / 3, abs=0.005)
    said = topics(advise([found]))
    assert "strays by up to 33%" in said["brightness"]
    assert "those of 1 and 3 only" in said["differences beyond noise"]


def test_colours_that_drift() -> None:
    made = noisy(2)
    made[1, 2] += 8
    made[1, 0] -= 8
    found = findings(made)
    assert found.colour_drift == pytest.approx(8, abs=0.5)
    said = topics(advise([found]))
    assert "up to 8.0 levels" in said["colour balance"]
    assert "brightness" not in said


def test_correlated_neighbours() -> None:
    made = shots(lambda rng, scene: blurred(rng, scene, 25), 2)
    said = topics(advise([findings(made)]))
    assert "correlates 0.7" in said["noise correlated between neighbours"]


def test_a_pattern_that_stays() -> None:
    clean = photograph()
    pattern = np.random.default_rng(5).standard_normal(clean.shape) * 18
    said = topics(advise([findings(noisy(2, clean + pattern))]))
    assert "fixed pattern" in said["the same in all shots"]


def test_clipping() -> None:
    said = topics(advise([findings((noisy(2) * 2).clip(0, 255).round())]))
    assert "at white" in said["clipping"]


def test_a_rescaled_reference() -> None:
    said = topics(advise([findings(noisy(2), 1.3 * photograph() - 10)]))
    assert "PSNR would lose" in said["rescaled reference"]


def test_a_reference_made_of_the_shots() -> None:
    made = noisy(12)
    said = topics(advise([findings(made[:4], made.mean(0))]))
    assert "the mean of about 1" in said["reference made of the shots"]


def test_what_holds_for_several_scenes_is_said_once_of_the_worst() -> None:
    scenes = [
        findings(noisy(2) * np.array([1, 1 + drift], np.float32)[:, None, None, None], name=name)
        for name, drift in (("a", 0.1), ("b", 0.3), ("c", 0.0))
    ]
    advice = advise(scenes)
    (brightness,) = (item for item in advice if item.topic == "brightness")
    assert brightness.scenes == ("a", "b")
    assert brightness.worst == "b"
    assert "by up to 13%" in brightness.text
    text = advice_text(advice, len(scenes))
    assert " ! brightness [b, a]: " in text
    assert "-> Noise2Noise: " in text
    assert all(len(line) <= 88 for line in text.splitlines())


def test_the_table_has_a_row_for_each_scene() -> None:
    table = findings_table(
        [findings(noisy(2)), findings(noisy(1)), findings(np.ones((2, 1, 16, 16)))]
    )
    assert table.row_count == 3
