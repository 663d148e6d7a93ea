"""The benchmarks of quality, in miniature."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks import denoising, report_study, shipped
from benchmarks.fluorescence import Field
from graphs.noise2noise.data.noise import parse_noise
from graphs.noise2noise.networks import Architecture, load_network, save_network
from tests.noise2noise.scenes import cat


@pytest.fixture(autouse=True)
def _without_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


def photographs(_folder: str) -> list[torch.Tensor]:
    return [(cat(70, 80 + i) * 255).to(torch.uint8) for i in range(denoising.HELD_OUT + 1)]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["denoising", *map(str, arguments)])
    denoising.main()


def test_the_papers_table_is_filled_run_by_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(denoising, "photographs", photographs)
    monkeypatch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 12)
    small = ("--width", 2, "--depth", 1, "--threads", 1, "--steps", 3)
    files = ("--runs", tmp_path / "runs", "--results", tmp_path / "results.json")
    options = (*small, *files)
    run(monkeypatch, *options, "--noises", "gaussian", "--targets", "noisy")
    first = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert list(first) == ["gaussian, noisy", "gaussian, noisy targets"]
    assert first["gaussian, noisy"]["set14"] == pytest.approx(20.17, abs=0.1)
    assert first["gaussian, noisy targets"]["steps"] == 3
    checkpoints = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("step-*.safetensors")}
    run(monkeypatch, *options, "--noises", "gaussian", "bernoulli", "--targets", "noisy")
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert "--noises gaussian bernoulli --targets noisy" in str(rows["gaussian, noisy targets"])
    assert all(rows[n] | {"command": ""} == r | {"command": ""} for n, r in first.items())
    assert len(rows) == 4
    # What was done was not done again.
    assert all(path.stat().st_mtime_ns == time for path, time in checkpoints.items())
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_weights_that_come_along_are_trained_and_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    weights, start = tmp_path / "weights.safetensors", tmp_path / "start.safetensors"
    small = Architecture(network="unet", width=2, depth=1)
    save_network(start, small.build(), small)
    count = {"set14": 2}
    monkeypatch.setattr(shipped, "photographs", lambda name: photographs(name)[: count.get(name)])
    monkeypatch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 12)
    monkeypatch.setattr(shipped, "CASES", {"Gaussian": parse_noise("gaussian:25")})
    field = Field("cell", (cat()[:1] + 0.1 * torch.randn(4, 1, 96, 128)).clamp(0, 1), cat()[:1], 0)
    monkeypatch.setattr(shipped, "read_fields", lambda folder: [field])
    for module in ("graphs.noise2noise.restoring.shipped", "benchmarks.shipped"):
        monkeypatch.setattr(f"{module}.SHIPPED", weights)
    files = ("--runs", tmp_path / "runs", "--results", tmp_path)
    options = ("--minutes", 0.01, "--threads", 1, "--start", start, *files)
    monkeypatch.setattr(sys, "argv", ["shipped", *map(str, options)])
    shipped.main()
    assert load_network(weights).architecture == small
    cases = json.loads((tmp_path / "shipped.json").read_text())["cases"]
    fields = ["fluorescence, one shot", "fluorescence, mean of four"]
    assert list(cases) == ["Gaussian", "Gaussian, sigma 25, unclipped", *fields]
    one, mean = (cases[name]["psnr"]["noisy"] for name in fields)
    assert mean == pytest.approx(one + 6, abs=0.5)
    assert cases["Gaussian"]["psnr"]["noisy"] == pytest.approx(20.3, abs=0.3)
    assert {"Blockwright", "non-local means"} < set(cases["Gaussian"]["psnr"])


def test_the_reports_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_study, "CHANNELS", (4, 32))
    images = (torch.stack([cat(32, 32)] * 8) * 255).to(torch.uint8)
    for name in ("train_data", "val_data"):
        torch.save((images, images), tmp_path / f"{name}.pkl")
    results = tmp_path / "results"
    options = ["--course", tmp_path, "--epochs", 1, "--threads", 1, "--results", results]
    monkeypatch.setattr(sys, "argv", ["report_study", *map(str, options)])
    report_study.main()
    assert set(json.loads((results / "report_study.json").read_text())["psnr by channels"]) == {
        "4",
        "32",
    }
    for name in ("report_channels.png", "report_panel.png"):
        with Image.open(results / name) as figure:
            figure.load()
