"""``blockwright evaluate``, run from the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from graphs.noise2noise.networks import Architecture, save_network
from graphs.noise2noise.quality.metrics import psnr
from tests.noise2noise.scenes import (
    blockwright,
    cat,
    complaint,
    load,
    names,
    noisy,
    on_terminal,
    save,
)


@pytest.fixture(autouse=True)
def _without_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, name in enumerate(("x.png", "y.png")):
        clean = cat(40 + 8 * i, 48)
        save(tmp_path / "clean" / name, clean)
        save(tmp_path / "a" / name, noisy(clean, 2 * i))
        save(tmp_path / "b" / name, noisy(clean, 2 * i + 1))
    return tmp_path


def test_against_references(folder: Path) -> None:
    out = folder / "new" / "out"
    result = blockwright("evaluate", folder / "a", "-r", folder / "clean", "-o", out)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["method", "PSNR", "SSIM"]
    methods = ["noisy", "Blockwright", "wavelet", "total variation", "non-local means"]
    assert [line.split("  ")[0] for line in lines[1:6]] == methods
    assert lines[6:] == [
        "means over 2 pictures, against the references",
        f"scores: {out / 'scores.csv'}",
        f"grid: {out / 'grid.png'}",
    ]
    assert result.stderr == ""
    assert names(out) == ["grid.png", "scores.csv"]


def test_estimates_from_clipped_shots_are_said_to_be_too_high(tmp_path: Path) -> None:
    dark = 0.1 * cat()
    shots = [save(tmp_path / f"{k}.png", noisy(dark, k)) for k in range(2)]
    result = blockwright("evaluate", shots[0], "-s", shots[1], "--no-baselines")
    assert result.exit_code == 0, result.output
    share = re.match(r"(\d+)% of the values are clipped at black or white", result.stderr)
    assert share
    assert 20 < int(share[1]) < 50
    against = blockwright("evaluate", shots[0], "-r", save(tmp_path / "clean.png", dark))
    assert against.stderr == ""


def test_against_other_shots_for_machines(folder: Path) -> None:
    result = blockwright("evaluate", folder / "a", "-s", folder / "b", "--json", "--no-baselines")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["psnr"] == "estimated from noisy pairs"
    assert [mean["method"] for mean in found["means"]] == ["noisy", "Blockwright"]
    assert all(mean["low"] <= mean["psnr"] <= mean["high"] for mean in found["means"])
    assert len(found["scores"]) == 4


def test_the_weights_that_come_along_see_pictures_as_denoise_shows_them(tmp_path: Path) -> None:
    weak = save(tmp_path / "weak.png", noisy(cat(), sigma=7))
    clean = save(tmp_path / "clean.png", cat())
    result = blockwright("evaluate", weak, "-r", clean, "--json", "--no-baselines")
    before, after = (mean["psnr"] for mean in json.loads(result.stdout)["means"])
    denoised = tmp_path / "denoised.png"
    assert blockwright("denoise", weak, "-o", denoised).exit_code == 0
    assert after > before + 2
    assert after == pytest.approx(psnr(load(denoised), cat()), abs=0.1)


def test_a_fit_is_told(folder: Path) -> None:
    arguments = ("evaluate", folder / "a", "-r", folder / "clean", "--no-baselines", "--fit")
    result = blockwright(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].endswith("brought to its reference by a straight line")


def test_results_of_another_program(folder: Path) -> None:
    result = blockwright(
        "evaluate", folder / "a", "-r", folder / "clean", "--also", folder / "b", "--no-baselines"
    )
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()[1:4]] == [
        "noisy",
        "Blockwright",
        "b",
    ]


def test_every_result_has_a_name_of_its_own(folder: Path) -> None:
    architecture = Architecture(width=4)
    for run in ("run-0.5", "noisy", "wavelet"):
        (folder / run).mkdir()
        save_network(folder / run / "best.safetensors", architecture.build(0), architecture)
    again = shutil.copytree(folder / "b", folder / "more" / "b")
    arguments = ("evaluate", folder / "a", "-r", folder / "clean", "--also", folder / "b")
    for run in ("run-0.5", "wavelet"):
        result = blockwright(*arguments, "-m", folder / run, "--no-baselines", "--json")
        methods = [mean["method"] for mean in json.loads(result.stdout)["means"]]
        assert methods == ["noisy", run, "b"]
    for name, options in {
        "noisy": ("-m", folder / "noisy"),
        "wavelet": ("-m", folder / "wavelet"),
        "b": ("--also", again),
    }.items():
        said = complaint(*arguments, *options)
        assert said == f"two results would be called {name!r}: rename a folder or a file"


def test_names_in_brackets_are_shown_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "scan[b]_01.png", noisy(cat(32, 40)))
    clean, other = (save(tmp_path / name, cat(32, 40)) for name in ("clean.png", "other[b].png"))
    arguments = ("evaluate", path, "-r", clean, "--also", other, "--no-baselines")
    result = on_terminal(monkeypatch, *arguments)
    assert "other[b]" in result.stdout
    assert "Scoring scan[b]_01.png ..." in result.stderr


def test_scores_are_kept(folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    (out / "grid.png").write_text("precious")
    arguments = ("evaluate", folder / "a", "-r", folder / "clean", "-o", out, "--no-baselines")
    said = complaint(*arguments)
    assert said == f"the output {out / 'grid.png'} exists already; --overwrite replaces it"
    assert (out / "grid.png").read_text() == "precious"
    assert names(out) == ["grid.png"]
    assert blockwright(*arguments, "--overwrite").exit_code == 0
    assert names(out) == ["grid.png", "scores.csv"]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_figures_that_are_no_numbers_are_null(tmp_path: Path) -> None:
    plain = save(tmp_path / "plain.png", np.full((24, 24), 40, np.uint8))
    result = blockwright("evaluate", plain, "-r", plain, "--json")
    assert result.exit_code == 0, result.output

    def refuse(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    found = json.loads(result.stdout, parse_constant=refuse)
    noisy = next(mean for mean in found["means"] if mean["method"] == "noisy")
    assert noisy["psnr"] is None


def test_refusals(folder: Path) -> None:
    a, none = folder / "a", folder / "none"
    assert complaint("evaluate", a).startswith("expected either clean pictures, by --reference")
    assert complaint("evaluate", none, "-r", folder / "clean").startswith(f"{none} and ")
    assert complaint("evaluate", none, "-r", none) == f"there is no file {none}"
    said = complaint("evaluate", a, "-s", folder / "b", "--fit")
    assert said == "results are fitted to clean pictures: add --reference"
    said = complaint("evaluate", a, "-r", folder / "clean", "-m", none)
    assert said == f"there is no file of weights {none}"


def test_on_a_busy_machine_one_thread_may_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []
    monkeypatch.setattr("graphs.noise2noise.training.threads.settle_threads", asked.append)
    result = blockwright("evaluate", folder / "a", "-r", folder / "clean", "--no-baselines")
    assert result.exit_code == 0, result.output
    assert asked == [None]


def test_a_pattern(tmp_path: Path) -> None:
    for i, name in enumerate(("x", "y")):
        for shot in range(3):
            save(tmp_path / f"{name}_raw{shot}.png", noisy(cat(40, 48 + i), 3 * i + shot))
        save(tmp_path / f"{name}_gt.png", cat(40, 48 + i))
    options = ("--pattern", "{scene}_raw{shot}.png", "--no-baselines", "--json")
    result = blockwright("evaluate", tmp_path, *options, "-r", tmp_path / "{scene}_gt.png")
    found = json.loads(result.stdout)
    pictures = [score["picture"] for score in found["scores"] if score["method"] == "noisy"]
    assert pictures == [f"{name}_raw{shot}.png" for name in "xy" for shot in range(3)]
    assert found["means"][0]["psnr"] == pytest.approx(20.3, abs=0.5)
    found = json.loads(blockwright("evaluate", tmp_path, *options).stdout)
    assert found["psnr"] == "estimated from noisy pairs"
    assert len(found["scores"]) == 4
    single = ("--pattern", "{scene}_raw0.png")
    said = complaint("evaluate", tmp_path, *single)
    assert said == (
        "expected --reference, or a pattern whose {shot} are scored by one another; got "
        "'{scene}_raw0.png'"
    )
    said = complaint("evaluate", tmp_path, *options, "-s", tmp_path)
    assert said.endswith("got '{scene}_raw{shot}.png' and --second")
    (tmp_path / "y_gt.png").unlink()
    said = complaint("evaluate", tmp_path, *single, "-r", tmp_path / "{scene}_gt.png")
    assert said == f"there is no file {tmp_path / 'y_gt.png'}"


def test_a_pattern_with_references_for_scenes_of_one_shot(tmp_path: Path) -> None:
    for name, shots in (("x", 2), ("y", 1)):
        for shot in range(shots):
            save(tmp_path / f"{name}_{shot}.png", noisy(cat(40, 48), shot))
        save(tmp_path / "clean" / f"{name}.png", cat(40, 48))
    options = ("--pattern", "{scene}_{shot}.png", "-r", tmp_path / "clean", "--no-baselines")
    found = json.loads(blockwright("evaluate", tmp_path, *options, "--json").stdout)
    assert len(found["scores"]) == 2 * 3
    save(tmp_path / "x_0.jpg", noisy(cat(40, 48)))
    options = ("--pattern", "{scene}_{shot}", *options[2:])
    said = complaint("evaluate", tmp_path, *options)
    assert said == f"{tmp_path / 'x_0.jpg'} and {tmp_path / 'x_0.png'} have one name"
