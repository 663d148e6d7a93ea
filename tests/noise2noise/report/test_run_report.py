"""Reports of runs with every kind of picture, and the message if none can be made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from graphs.noise2noise.report.contents import RunReport
from graphs.noise2noise.report.run_report import run_report
from graphs.noise2noise.training.run_folder import RunFolder
from tests.noise2noise.scenes import blockwright, cat, complaint, names, noisy, save, shots

SMALL = ("--network", "report", "--width", 4, "--crop", 16)
BRIEF = ("--steps", 4, "--validate-every", 2, "--batch", 2)


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile
    monkeypatch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 14)


def trained(run: Path, *arguments: object) -> RunReport:
    result = blockwright("train", *arguments, "-o", run, *SMALL, *BRIEF)
    assert result.exit_code == 0, result.output
    assert "No report" not in result.stderr
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    return run_report(RunFolder(run))


def test_shots(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=9, height=100, width=120)
    made = trained(tmp_path / "run", first, second)
    summary = dict(made.summary)
    assert summary["steps"] == "4"
    assert summary["network"] == "report, 4 wide"
    assert float(summary["estimated PSNR"].removesuffix(" dB")) > 3
    assert float(summary["of the noisy pictures"].removesuffix(" dB")) == pytest.approx(20, abs=2)
    # One scene of nine was held out; it comes first.
    assert [comparison.caption for comparison in made.comparisons] == [
        "",
        "The network was trained on this picture.",
        "The network was trained on this picture.",
    ]
    assert all(c.before.shape == c.after.shape == (3, 100, 120) for c in made.comparisons)
    assert torch.equal(
        made.comparisons[1].before, noisy(cat(100, 120), 2 * int(made.comparisons[1].name[0]))
    )
    assert [len(curve.points) for curve in made.losses] == [2, 3]
    assert made.qualities[0].points[0][0] == 0
    assert made.work is not None
    assert made.work.title == "A batch of 2 squares of 3x16x16"
    assert all(step.seconds is not None or step.kernel == "view" for step in made.work.steps)
    assert made.configuration == (tmp_path / "run" / "config.toml").read_text()
    assert len(made.data) == 18
    assert made.environment["python"]


def test_clean_pictures_with_noise(tmp_path: Path) -> None:
    save(tmp_path / "clean" / "cat.png", cat(120, 130))
    made = trained(tmp_path / "run", tmp_path / "clean", "--noise", "gaussian:25")
    summary = dict(made.summary)
    assert summary["noise put on"] == "gaussian:25"
    # Noisy again, the pictures that were held out tell the error without being asked as clean ones.
    assert float(summary["of the noisy pictures"].removesuffix(" dB")) == pytest.approx(20.2, abs=1)
    assert summary["95% interval"].endswith(" dB")
    (comparison,) = made.comparisons
    assert comparison.name == "cat.png"
    assert comparison.caption.startswith("PSNR by the clean picture: noisy 20.")


def test_a_file_of_several_clean_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "clean.npy", torch.stack([cat(100, 120)] * 3).numpy())
    made = trained(tmp_path / "run", tmp_path / "clean.npy", "--noise", "gaussian:25")
    noisy_psnr = dict(made.summary)["of the noisy pictures"]
    assert float(noisy_psnr.removesuffix(" dB")) == pytest.approx(20.2, abs=1)


@pytest.mark.parametrize(
    "settings", [("text:0.1", "--targets", "clean"), ("impulse:0.2", "--loss", "l2")]
)
def test_noise_of_another_mean_has_no_estimate(tmp_path: Path, settings: tuple[str, ...]) -> None:
    save(tmp_path / "clean" / "cat.png", cat(100, 120))
    made = trained(tmp_path / "run", tmp_path / "clean", "--noise", *settings)
    assert made.quality is None
    assert "of the noisy pictures" not in dict(made.summary)
    assert not made.qualities[0].points


def test_single_pictures(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / "noisy" / f"{i}.png", noisy(cat(120, 130), i))
    made = trained(tmp_path / "run", tmp_path / "noisy")
    assert [comparison.name for comparison in made.comparisons] == ["0.png", "1.png"]
    assert "estimated PSNR" not in dict(made.summary)
    assert made.work is not None


def test_the_courses_small_pictures_are_shown_together(tmp_path: Path) -> None:
    pictures = torch.randint(256, (2, 10, 3, 32, 32), dtype=torch.uint8)
    torch.save((pictures[0], pictures[1]), tmp_path / "train_data.pkl")
    made = trained(tmp_path / "run", tmp_path / "train_data.pkl", "--validation", 0)
    (comparison,) = made.comparisons
    assert comparison.before.shape == (3, 32, 256)
    assert "estimated PSNR" not in dict(made.summary)


def test_a_stack_of_dark_frames_is_brightened_to_be_seen(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "burst" / "scene" / f"{i}.png", 0.1 * noisy(cat(100, 120), i)[0])
    made = trained(tmp_path / "run", tmp_path / "burst")
    (comparison,) = made.comparisons
    assert comparison.before.shape == (1, 100, 120)
    assert comparison.before.quantile(0.9) > 0.5


def test_the_estimates_over_the_training_are_on_the_scale_of_the_files(tmp_path: Path) -> None:
    for i in range(2):
        dark = 65535 / 20 * noisy(cat(100, 120), i)[0]
        save(tmp_path / "burst" / "scene" / f"{i}.png", dark.numpy().astype(np.uint16))
    made = trained(tmp_path / "run", tmp_path / "burst")
    assert made.quality is not None
    step, latest = made.qualities[0].points[-1]
    assert (step, latest) == (4, pytest.approx(made.quality.psnr, abs=3))


def test_the_command(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    run = tmp_path / "run"
    trained(run, first, second)
    page = run / "report.html"
    assert complaint("report", run) == f"the output {page} exists already; --overwrite replaces it"
    page.write_text("old")
    result = blockwright("report", run, "--overwrite")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{page}\n"
    assert page.read_text() != "old"
    page.unlink()
    (first / "0.png").unlink()
    said = complaint("report", run)
    assert said == f"{second.resolve() / '0.png'} has no partner of that name in {first.resolve()}"
    assert "report.html" not in names(run)
    said = complaint("report", tmp_path / "none")
    assert said == f"there is no run in {tmp_path / 'none'}: it has no config.toml"


def test_a_disk_that_is_full_when_the_page_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training counts, but the command says that something is missing."""

    def full(folder: RunFolder) -> RunReport:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graphs.noise2noise.report.run_report.write_run_report", full)
    run = tmp_path / "run"
    result = blockwright("train", *shots(tmp_path), "-o", run, *SMALL, *BRIEF)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "No report: [Errno 28] No space left on device"
    assert f"weights: {run / 'best.safetensors'}" in result.stdout
