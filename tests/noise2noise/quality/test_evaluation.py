"""Methods scored against clean pictures, and against noisy ones alone."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.quality.baselines import BASELINES, best_strength, noise_level
from graphs.noise2noise.quality.evaluation import Evaluation, Sample, evaluate
from graphs.noise2noise.quality.metrics import psnr, ssim
from graphs.noise2noise.quality.samples import read_samples
from graphs.noise2noise.quality.scores import (
    scores_json,
    scores_table,
    write_grid,
    write_scores,
)
from tests.noise2noise.scenes import cat, names, noisy, save


def samples(**options: object) -> list[Sample]:
    """Two pictures; the second is darker."""
    scenes = {"a": cat(64, 80), "b": 0.5 * cat(48, 64)}
    return [
        Sample(name, noisy(clean, i), reference=clean, **options)  # type: ignore[arg-type]
        for i, (name, clean) in enumerate(scenes.items())
    ]


def half(picture: torch.Tensor) -> torch.Tensor:
    return picture / 2


def by_method(evaluation: Evaluation) -> dict[str, float]:
    return {score.method: score.psnr for score in evaluation.means}


def test_scores_are_psnr_and_ssim_and_their_means() -> None:
    given = samples()
    found = evaluate(given, {"half": half}, baselines=False)
    assert [score.method for score in found.means] == ["noisy", "half"]
    for score in found.scores:
        (sample,) = (sample for sample in given if sample.name == score.picture)
        assert sample.reference is not None
        result = sample.noisy if score.method == "noisy" else sample.noisy / 2
        assert score.psnr == pytest.approx(psnr(result, sample.reference))
        assert score.ssim == pytest.approx(ssim(result, sample.reference))
    for mean in found.means:
        own = [score for score in found.scores if score.method == mean.method]
        assert mean.psnr == pytest.approx(sum(score.psnr for score in own) / 2)
        assert mean.ssim == pytest.approx(sum(score.ssim or 0 for score in own) / 2)
    assert not found.is_estimated
    assert set(found.results["a"]) == {"noisy", "half"}


def test_classical_methods_take_part_at_their_best() -> None:
    found = evaluate(samples(), {}, kept=1)
    means = by_method(found)
    assert list(means) == ["noisy", *BASELINES]
    assert min(means[name] for name in BASELINES) > means["noisy"] + 3
    assert list(found.strengths) == list(BASELINES)
    assert list(found.results) == ["a"]
    for name, baseline in BASELINES.items():
        first = samples()[0]
        assert first.reference is not None
        assert found.strengths[name] in baseline.strengths


@pytest.mark.parametrize("name", BASELINES)
def test_the_best_strength_is_found(name: str) -> None:
    clean = cat(64, 80)
    shot = noisy(clean, sigma=20)

    def error(_number: int, result: torch.Tensor) -> float:
        return float((result - clean).square().mean())

    baseline = BASELINES[name]
    best = best_strength(baseline, [shot], [20.0], error)
    errors = {s: error(0, baseline(shot, 20.0, s)) for s in baseline.strengths}
    assert errors[best] == min(errors.values())


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_classical_methods_take_any_channels(channels: int) -> None:
    shot = torch.cat([noisy(cat(32, 40)), noisy(cat(32, 40), 1)])[:channels]
    clean = torch.cat([cat(32, 40), cat(32, 40)])[:channels]
    for name, baseline in BASELINES.items():
        result = baseline(shot, 25.0)
        assert result.shape == shot.shape, name
        assert psnr(result, clean) > psnr(shot, clean) + 2, name


def test_noise_levels() -> None:
    assert noise_level(noisy(cat(), sigma=20)) == pytest.approx(20, rel=0.1)


@pytest.mark.filterwarnings("error")
def test_an_empty_channel_hides_no_noise_from_classical_methods() -> None:
    clean = cat(32, 40)
    clean[2] = 0
    shot = torch.cat([noisy(clean[:2], sigma=20), clean[2:]])
    assert noise_level(shot) == pytest.approx(noise_level(shot[:2]))
    for name, baseline in BASELINES.items():
        assert psnr(baseline(shot, noise_level(shot)), clean) > psnr(shot, clean) + 1, name
    assert noise_level(torch.full((3, 24, 24), 0.5)) == 0


def test_a_fit_makes_up_for_a_reference_of_its_own_scale() -> None:
    given = [
        Sample(s.name, s.noisy, reference=0.7 * s.reference + 0.1)
        for s in samples()
        if s.reference is not None
    ]
    plain = by_method(evaluate(given, {}, baselines=False))["noisy"]
    fitted = by_method(evaluate(given, {}, baselines=False, fit=True))["noisy"]
    assert fitted > plain + 1
    # A perfect result is perfect in any scale.
    clean = {id(s.noisy): s.reference for s in given if s.reference is not None}
    perfect = evaluate(given, {"p": lambda n: clean[id(n)] / 3}, baselines=False, fit=True)
    assert by_method(perfect)["p"] > 80


def test_without_clean_pictures_the_estimate_agrees_with_them() -> None:
    scenes = {"a": cat(128, 160), "b": 0.6 * cat(96, 128)}

    def shot(clean: torch.Tensor, seed: int) -> torch.Tensor:
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
        return clean + noise * (20 / 255)

    noisy_only = [
        Sample(name, shot(clean, 2 * i), second=shot(clean, 2 * i + 1))
        for i, (name, clean) in enumerate(scenes.items())
    ]
    known = [
        Sample(name, shot(clean, 2 * i), reference=clean)
        for i, (name, clean) in enumerate(scenes.items())
    ]
    estimated, truth = evaluate(noisy_only, {}), evaluate(known, {})
    assert estimated.is_estimated
    for name, value in by_method(truth).items():
        assert by_method(estimated)[name] == pytest.approx(value, abs=0.5), name
    for score in (*estimated.means, *estimated.scores):
        assert score.ssim is None
        assert score.low is not None
        assert score.high is not None
        assert score.low <= score.psnr <= score.high


def test_the_peak_and_clipping() -> None:
    (sample, *_) = samples()
    assert sample.reference is not None
    bright = Sample("x", 9 * sample.noisy, reference=9 * sample.reference, peak=9, limits=None)
    plain = Sample("x", sample.noisy, reference=sample.reference, limits=None)
    double = {"double": lambda picture: 2 * picture}
    a, b = (by_method(evaluate([s], double, baselines=False)) for s in (bright, plain))
    assert a == pytest.approx(b, rel=1e-4)
    clipped = by_method(evaluate([sample], double, baselines=False))
    assert clipped["double"] > b["double"]
    assert clipped["noisy"] == pytest.approx(b["noisy"])


def test_results_of_others_are_scored_too() -> None:
    given = [
        Sample(s.name, s.noisy, reference=s.reference, others={"theirs": s.noisy})
        for s in samples()
    ]
    means = by_method(evaluate(given, {}, baselines=False))
    assert means["theirs"] == means["noisy"]


def test_table_csv_grid_and_json(tmp_path: Path) -> None:
    given = samples()
    found = evaluate(given, {"half": half}, baselines=False)
    write_scores(tmp_path / "scores.csv", found)
    write_grid(tmp_path / "grid.png", found, given)
    assert names(tmp_path) == ["grid.png", "scores.csv"]
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert len(rows) == 6
    assert [row["picture"] for row in rows] == ["a", "a", "b", "b", "", ""]
    assert float(rows[-1]["psnr"]) == pytest.approx(by_method(found)["half"], rel=1e-5)
    with Image.open(tmp_path / "grid.png") as image:
        assert image.width > image.height > 300
        assert np.asarray(image).std() > 20
    console = Console(width=100, record=True, file=(tmp_path / "out").open("w"))
    console.print(scores_table(found))
    text = console.export_text()
    assert f"{by_method(found)['half']:.2f} dB" in text
    written = scores_json(found)
    assert written["psnr"] == "mean over pictures"
    assert isinstance(written["scores"], list)
    assert written["scores"][0].keys() == {"picture", "method", "psnr", "ssim"}


@pytest.mark.filterwarnings("error")
def test_pictures_without_noise_are_left_alone() -> None:
    plain = torch.full((1, 24, 24), 0.5)
    assert all(torch.equal(baseline(plain, 0.0), plain) for baseline in BASELINES.values())


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name, clean in (("a", cat(40, 48)), ("b", cat(32, 40))):
        save(tmp_path / "noisy" / f"{name}.png", noisy(clean))
        save(tmp_path / "clean" / f"{name}.tif", clean)
    return tmp_path


def test_pictures_belong_together_by_name(folders: Path) -> None:
    read = read_samples(folders / "noisy", reference=folders / "clean")
    assert [sample.name for sample in read] == ["a.png", "b.png"]
    for sample in read:
        assert sample.reference is not None
        assert sample.reference.shape == sample.noisy.shape
        assert (sample.peak, sample.limits) == (1.0, (0.0, 1.0))
    files = read_samples(folders / "noisy" / "a.png", second=folders / "clean" / "a.tif", peak=51)
    assert files[0].second is not None
    assert files[0].peak == pytest.approx(0.2)


def test_floats_are_measured_by_their_range(tmp_path: Path) -> None:
    clean = 400 * cat(40, 48)[0].numpy() + 100
    np.save(tmp_path / "n.npy", clean + 3)
    np.save(tmp_path / "c.npy", clean)
    (sample,) = read_samples(tmp_path / "n.npy", reference=tmp_path / "c.npy")
    assert sample.limits is None
    assert sample.peak == pytest.approx(np.ptp(clean))
    (score,) = evaluate([sample], {}, baselines=False).means
    assert score.psnr == pytest.approx(20 * math.log10(np.ptp(clean) / 3), abs=1e-3)


def test_what_does_not_belong_together_is_refused(folders: Path) -> None:
    n, c = folders / "noisy", folders / "clean"

    def refusal(noisy: Path = n, **options: object) -> str:
        with pytest.raises(InputError) as caught:
            read_samples(noisy, **options)  # type: ignore[arg-type]
        return str(caught.value)

    assert refusal().startswith("expected either clean pictures")
    assert refusal(reference=c, second=c).startswith("expected either clean pictures")
    assert refusal(second=c, others=[c]).endswith("add --reference")
    for peak in (0.0, math.inf, math.nan):
        assert refusal(reference=c, peak=peak) == f"expected a finite peak above 0, got {peak}"
    assert refusal(n / "a.png", second=n / "a.png").endswith("a copy, not a second shot")
    assert refusal(reference=folders / "none") == f"there is no folder {folders / 'none'}"
    assert refusal(reference=c / "a.tif").endswith("expected two files or two folders")
    assert refusal(n / "a.png", reference=c / "b.tif") == (
        f"{n / 'a.png'} and {c / 'b.tif'} do not match: 48x40 pixels of 3 channels "
        "and 40x32 pixels of 3 channels"
    )
    (c / "a.tif").unlink()
    assert refusal(reference=c) == f"{n / 'a.png'} has no partner of that name in {c}"
    save(n / "b.jpg", cat(32, 40))
    assert refusal(reference=c) == f"b.jpg and b.png in {n} have one name"
    small = save(folders / "small.png", cat(12, 40))
    assert refusal(small, reference=small).endswith("expected at least 16 a side")
