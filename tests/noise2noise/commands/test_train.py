"""``blockwright train``: from pictures to a run's folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import tifffile
import torch

from graphs.noise2noise.networks import Architecture, load_network
from graphs.noise2noise.quality.metrics import psnr
from graphs.noise2noise.training.configuration import Configuration
from graphs.noise2noise.training.run_folder import read_metrics
from tests.noise2noise.scenes import blockwright, cat, complaint, load, names, noisy, save, shots

SMALL = ("--network", "report", "--width", 4, "--steps", 3)
NARROW = ("--width", 16, "--depth", 3, "--batch", 4)
FILES = [
    "best.safetensors",
    "checkpoints",
    "command.txt",
    "config.toml",
    "data.json",
    "environment.json",
    "metrics.csv",
    "report.html",
]


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    # Native code would take longer to compile than these trainings take.
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")
    monkeypatch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 14)


def trained(run: Path, *arguments: object) -> dict[str, torch.Tensor]:
    """Train; returns the best weights."""
    result = blockwright("train", *arguments, "-o", run)
    assert result.exit_code == 0, result.output
    return safetensors.torch.load_file(run / "best.safetensors")


@pytest.mark.parametrize(
    ("size", "folders", "crop"), [((50, 70), 2, 48), ((16, 16), 2, 16), ((70, 81), 1, 32)]
)
def test_squares_are_no_larger_than_the_pictures(
    size: tuple[int, int], folders: int, crop: int, tmp_path: Path
) -> None:
    sources, run = shots(tmp_path, 3, *size)[:folders], tmp_path / "run"
    options = ("--width", 4, "--batch", 2, "--steps", 1)
    result = blockwright("train", *sources, "-o", run, *options)
    assert result.exit_code == 0, result.output
    assert f"squares of {crop} pixels" in result.stderr
    assert Configuration.settings_in(run / "config.toml")["crop"] == crop
    assert (run / "report.html").is_file()
    said = complaint("train", *sources, "-o", tmp_path / "other", *options, "--crop", 2 * crop)
    assert "expected at least" in said


def test_shots_that_are_one_file_are_told_of(tmp_path: Path) -> None:
    first, second = shots(tmp_path, 3)
    run = tmp_path / "run"
    assert "byte for byte" not in blockwright("train", first, second, "-o", run, *SMALL).stderr
    (second / "1.png").write_bytes((first / "1.png").read_bytes())
    result = blockwright("train", first, second, "-o", run, *SMALL, "--overwrite")
    assert result.exit_code == 0, result.output
    assert f"{first}/1.png and {second}/1.png are the same, byte for byte" in result.stderr


@pytest.mark.parametrize("pixels", [0, 4])
def test_shots_that_are_shifted_are_told_of(tmp_path: Path, pixels: int) -> None:
    scene = cat(128, 160)
    folders = [tmp_path / shot for shot in "ab"]
    for k, folder in enumerate(folders):
        shot = noisy(scene.roll(pixels * k, 2)[:, :, 16:144], seed=k, sigma=10)
        save(folder / "cat.png", shot)
    result = blockwright("train", *folders, "-o", tmp_path / "run", *SMALL)
    assert result.exit_code == 0, result.output
    told = re.search(r"one scene are shifted by up to (4|3\.[5-9])", result.stderr)
    assert bool(told) == bool(pixels)


def test_weights_that_denoise(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=4, height=64, width=64)
    run = tmp_path / "new" / "run"
    options = (*NARROW, "--steps", 100, "--validate-every", 50, "--minutes", 9)
    assert complaint("train", first, second, "-o", run, *options).startswith("a training ends")
    result = blockwright("train", first, second, "-o", run, *options[:-2])
    assert result.exit_code == 0, result.output
    told, estimate, weights, report = result.stdout.splitlines()
    assert told == "trained on 4 scenes, 100 steps"
    assert estimate.endswith(", after 100 steps")
    expression = r"estimated PSNR on held-out pictures: (2.+) dB, 95% interval (.+) to (.+) dB, .+"
    found = re.fullmatch(expression, estimate)
    assert found is not None
    psnr_, low, high = map(float, found.groups())
    assert psnr_ - 2 < low < psnr_ < high < psnr_ + 2
    assert weights == f"weights: {run / 'best.safetensors'}"
    assert report == f"report: {run / 'report.html'}"
    (chosen,) = result.stderr.splitlines()  # no progress away from a terminal
    assert chosen.startswith("4 scenes: 2 folders of shots, paired by file name. Network: unet")
    assert names(run) == FILES
    rows = read_metrics(run / "metrics.csv")
    assert [row["step"] for row in rows] == [0, 50, 100]
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    clean = cat(96, 96)
    source = save(tmp_path / "noisy.png", noisy(clean, seed=99))
    assert blockwright("denoise", source, "-o", tmp_path / "out.png", "-m", run).exit_code == 0
    assert psnr(load(tmp_path / "out.png"), clean) > psnr(load(source), clean) + 1


def test_dark_pictures_do_not_end_in_black(tmp_path: Path) -> None:
    clean = cat(64, 64) * 0.08
    for i, folder in enumerate("ab"):
        save(tmp_path / folder / "x.png", noisy(clean, seed=i, sigma=5))
    folders, out = (tmp_path / "a", tmp_path / "b"), tmp_path / "out.png"
    trained(tmp_path / "run", *folders, *NARROW, "--steps", 60)
    shot = folders[0] / "x.png"
    assert blockwright("denoise", shot, "-o", out, "-m", tmp_path / "run").exit_code == 0
    assert abs(float(load(out).mean()) / float(clean.mean()) - 1) < 0.3


def test_16_bits_of_which_few_are_used(tmp_path: Path) -> None:
    """Grey, of 12 bits in 16: the network and its file know the range."""
    clean = (cat(64, 80)[:1] * 3000 + 2000).numpy()
    noise = np.random.default_rng(0).normal(0, 600, (4, 1, 64, 80))
    stack = (clean + noise).clip(0, 65535).round().astype(np.uint16)[:, 0]
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    trained(tmp_path / "run", tmp_path / "stack.tif", *NARROW, "--steps", 100)
    loaded = load_network(tmp_path / "run")
    assert loaded.architecture.channels == 1
    assert loaded.architecture.scale < 0.2
    tifffile.imwrite(tmp_path / "one.tif", stack[0], photometric="minisblack")
    out = tmp_path / "out.tif"
    arguments = (tmp_path / "one.tif", "-o", out, "-m", tmp_path / "run")
    assert blockwright("denoise", *arguments).exit_code == 0
    result = tifffile.imread(out).astype(np.float64)
    assert np.square(result - clean[0]).mean() < np.square(stack[0] - clean[0]).mean() / 1.5


@pytest.mark.parametrize(
    ("noise", "loss"),
    [("gaussian:25", "l2"), ("bernoulli:0.5", "masked"), ("impulse:0.2", "l0"), ("text:0.1", "l1")],
)
def test_clean_pictures_with_noise(tmp_path: Path, noise: str, loss: str) -> None:
    save(tmp_path / "clean" / "x.png", cat(64, 64))
    trained(tmp_path / "run", tmp_path / "clean", "--noise", noise, *SMALL)
    settings = Configuration.settings_in(tmp_path / "run" / "config.toml")
    assert (settings["noise"], settings["loss"]) == (noise, loss)
    (row, *_) = read_metrics(tmp_path / "run" / "metrics.csv")
    assert (row["estimated_psnr"] is not None) == (loss == "l2")
    options = ("--noise", noise, "--targets", "clean")
    trained(tmp_path / "other", tmp_path / "clean", *options, *SMALL)


def test_single_pictures_and_a_course_pickle(tmp_path: Path) -> None:
    save(tmp_path / "single" / "x.png", noisy(cat(96, 96)))
    result = blockwright("train", tmp_path / "single", "-o", tmp_path / "one", "--crop", 16, *SMALL)
    assert "a folder of single noisy pictures" in result.stderr
    clean = torch.stack([cat(32, 32)] * 12)
    generator = torch.Generator().manual_seed(0)
    noises = torch.randn((2, *clean.shape), generator=generator) / 10
    both = tuple(((clean + noises).clamp(0, 1) * 255).to(torch.uint8))
    torch.save(both, tmp_path / "train_data.pkl")
    result = blockwright("train", tmp_path / "train_data.pkl", "-o", tmp_path / "two", *SMALL)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("12 scenes: the course's pickle of pairs.")


def test_a_u_net_by_sgd(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=2)
    options = ("--network", "unet", "--depth", 2, "--optimizer", "sgd", "--crop", 16)
    trained(tmp_path / "run", first, second, *SMALL, *options)
    expected = Architecture(network="unet", width=4, depth=2)
    assert load_network(tmp_path / "run").architecture == expected


def test_the_seed_decides(tmp_path: Path) -> None:
    first, second = shots(tmp_path)

    def weights(name: str, seed: int) -> dict[str, torch.Tensor]:
        return trained(tmp_path / name, first, second, *SMALL, "--seed", seed)

    one, two, other = weights("one", 3), weights("two", 3), weights("other", 4)
    assert one.keys() == Architecture(width=4).build(0).state().keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_file_of_settings(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    config = tmp_path / "c.toml"
    config.write_text(f'data = ["{first}", "{second}"]\nnetwork = "report"\nsteps = 2\nlr = 0.25')
    trained(tmp_path / "run", "--config", config, "--width", 6)
    assert load_network(tmp_path / "run").architecture.width == 6
    settings = Configuration.settings_in(tmp_path / "run" / "config.toml")
    assert (settings["steps"], settings["lr"]) == (2, 0.25)
    # The file that a run leaves repeats it.
    again = tmp_path / "run" / "config.toml"
    trained(tmp_path / "again", "--config", again)
    best = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("run", "again")]
    assert best[0] == best[1]


def test_it_ends_by_itself_where_nothing_gets_better(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    options = ("--steps", 500, "--validate-every", 2, "--patience", 2, "--lr", 1e-9)
    run = tmp_path / "run"
    result = blockwright("train", first, second, "-o", run, *SMALL, *options)
    assert result.exit_code == 0, result.output
    rows = read_metrics(run / "metrics.csv")
    best = min(rows, key=lambda row: row["validation_loss"])["step"]
    assert rows[-1]["step"] == best + 8 < 500
    # A row's rate is that of the next step: where it is lowered, the row has the lower one.
    assert rows[-3]["lr"] < rows[-4]["lr"] / 2
    nothing = f"there has been nothing better since step {best}"
    assert (
        f"At step {best + 4} {nothing}: it goes back there, and on at a tenth of the learning rate."
    ) in result.stderr
    end = f"At step {best + 8} {nothing}, even at a lower learning rate: the training ends."
    assert end in result.stderr
    before = (run / "best.safetensors").read_bytes()
    result = blockwright("train", "--resume", run)
    assert result.exit_code == 0, result.output
    assert read_metrics(run / "metrics.csv") == rows  # it has ended
    assert (run / "best.safetensors").read_bytes() == before


def test_patience_can_be_without_end(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    options = ("--steps", 30, "--validate-every", 1, "--lr", 1e-9)
    run = tmp_path / "run"
    trained(run, first, second, *SMALL, *options, "--patience", 0)
    assert len(read_metrics(run / "metrics.csv")) == 31
    # The default is 20: a run of an earlier version, which knows none, has no end before its time.
    config = run / "config.toml"
    config.write_text(config.read_text().replace("patience = 0\n", "").replace("= 30", "= 60"))
    assert blockwright("train", "--resume", run).exit_code == 0
    assert len(read_metrics(run / "metrics.csv")) == 61


def test_without_validation_the_last_weights_are_kept(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    best = trained(tmp_path / "run", first, second, "--validation", 0, *SMALL)
    newest = tmp_path / "run" / "checkpoints" / "step-00000003.safetensors"
    last = safetensors.torch.load_file(newest)
    assert all(torch.equal(value, last[f"network/{name}"]) for name, value in best.items())


def test_a_training_that_goes_astray_says_so(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    options = ("--network", "unet", "--depth", 2, "--crop", 16, "--optimizer", "sgd", "--lr", 1e30)
    result = blockwright("train", first, second, "-o", tmp_path / "run", *SMALL, *options)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "blockwright: the training went astray: it was never better than at its start; "
        "a lower learning rate helps"
    )
    assert "At step 3 the training has diverged, its loss being no number" in result.stderr


def test_what_exists_is_kept_unless_told(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    run = tmp_path / "run"
    arguments = ("train", first, second, "-o", run, *SMALL)
    save(run / "precious.png", cat(8, 8))
    said = f"the output {run} has files in it that are of no run; name a new folder"
    assert complaint(*arguments) == complaint(*arguments, "--overwrite") == said
    (run / "precious.png").unlink()
    assert blockwright(*arguments).exit_code == 0
    said = f"the output {run} exists already; --overwrite replaces the run in it"
    assert complaint(*arguments) == said
    save(run / "precious.png", cat(8, 8))
    assert blockwright(*arguments, "--overwrite").exit_code == 0
    assert names(run) == sorted([*FILES, "precious.png"])


def test_what_no_memory_can_hold_clears_nothing(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    run = tmp_path / "run"
    arguments = ("train", first, second, "-o", run, *SMALL, "--crop", 8, "--overwrite")
    assert blockwright(*arguments).exit_code == 0
    for sizes in (
        ("--width", 100_000),
        ("--width", 2**30),
        ("--network", "unet", "--width", 50_000, "--depth", 3),
        ("--batch", 10**8),
        ("--batch", 2**30),
    ):
        said = complaint(*arguments, *sizes)
        assert said.startswith("there is not enough memory to train with width "), sizes
        assert said.endswith(" and crop 8 on these pictures; less of any of them needs less"), sizes
        assert names(run) == FILES, sizes


@pytest.mark.parametrize(
    ("reason", "said"),
    [("can't allocate memory: you tried to", "there is not enough memory"), ("a bug", None)],
)
def test_what_fails_at_the_first_step_clears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, said: str | None
) -> None:
    first, second = shots(tmp_path)
    arguments = ("train", first, second, "-o", tmp_path / "run", *SMALL, "--crop", 8, "--overwrite")
    assert blockwright(*arguments).exit_code == 0
    before = (tmp_path / "run" / "config.toml").read_bytes()

    def fail(*_arguments: object) -> torch.Tensor:
        raise RuntimeError(reason)

    monkeypatch.setattr("engine.runtime._allocated", fail)
    if said is not None:
        assert complaint(*arguments, "--seed", 1).startswith(said)
    else:
        assert isinstance(blockwright(*arguments, "--seed", 1).exception, RuntimeError)
    assert (tmp_path / "run" / "config.toml").read_bytes() == before


def test_a_run_among_its_pictures_is_refused(tmp_path: Path) -> None:
    """The folder of bursts would gain a burst: the report's pictures, which are not shots."""
    shots(tmp_path / "bursts")
    (tmp_path / "link").symlink_to(tmp_path / "bursts")
    (tmp_path / "new").mkdir()
    for data, run in (("bursts", "bursts/run"), ("link", "bursts/run"), ("new", "new")):
        folder, output = tmp_path / data, tmp_path / run
        said = complaint("train", folder, "-o", output, "--crop", 16, *SMALL)
        assert said == (
            f"the output {output} lies in {folder.resolve()}, whose pictures are trained on; name "
            "a folder elsewhere"
        )
    assert names(tmp_path / "bursts") == ["a", "b"]
    trained(tmp_path / "bursts-run", tmp_path / "bursts", "--crop", 16, *SMALL)


def test_refusals(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    run = tmp_path / "run"
    assert complaint("train", first, second) == "expected a folder for the run, such as -o run"
    arguments = ("train", first, second, "-o", run, "--network", "report")
    assert complaint("train", "-o", run).startswith("expected pictures to train on")
    none = tmp_path / "none"
    assert complaint("train", none, second, "-o", run) == f"there is no file or folder {none}"
    said = complaint(*arguments, "--minutes", 0)
    assert said == "expected a finite number of minutes above 0, got 0"
    assert complaint(*arguments, "--steps", 0) == "expected at least 1 training step, got 0"
    said = complaint(*arguments, "--crop", 30)
    assert said.startswith("expected a crop divisible by 4, as the network halves its pictures 2")
    for depth in (6, 60, 10**6):
        said = complaint(*arguments[:-1], "unet", "--crop", 32, "--depth", depth)
        assert said == (
            "expected a depth of at most 5 with a crop of 32, as the network halves its pictures "
            f"so often; got {depth}"
        )
    assert complaint(*arguments, "--depth", 3) == "the report's network has depth 2; got 3"
    assert complaint(*arguments, "--loss", "masked").startswith("the masked loss needs noise that")
    said = complaint("train", first, "-o", run, "--loss", "l1", "--crop", 16)
    assert said == "single noisy pictures are trained on with the loss l2; got l1"
    assert complaint(*arguments, "--config", none) == f"there is no file {none}"
    file = first / "0.png"
    said = complaint("train", first, second, "-o", file)
    assert said == f"the output folder {file} cannot be made: {file} is a file"
    (tmp_path / "text.png").write_text("a diary")
    assert "text.png is not a PNG" in complaint("train", tmp_path / "text.png", "-o", run)
    np.save(tmp_path / "nan.npy", np.full((5, 40, 40), np.nan, np.float32))
    said = complaint("train", tmp_path / "nan.npy", "-o", run)
    assert said == f"{tmp_path / 'nan.npy'} has 8000 values that are NaN or infinite"
    assert not run.exists()


def test_results_for_machines(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    result = blockwright("train", first, second, "-o", tmp_path / "run", *SMALL, "--json")
    told = json.loads(result.stdout)
    low, high = told.pop("interval")
    assert 5 < low < told.pop("estimated_psnr") < high
    assert told == {
        "run": str(tmp_path / "run"),
        "weights": str(tmp_path / "run" / "best.safetensors"),
        "report": str(tmp_path / "run" / "report.html"),
        "scenes": 2,
        "steps": 3,
        "finished": True,
        "best_step": 3,
    }


def test_names_in_a_locale_that_cannot_tell_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's files are UTF-8 even so; a name that is none is refused before anything is done."""
    shots(tmp_path)
    folder, run = tmp_path / "g é", tmp_path / "rün"
    (tmp_path / "a").rename(folder)
    for name, value in (("LC_ALL", "POSIX"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
        monkeypatch.setenv(name, value)

    def train(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "graphs.noise2noise.cli", "train", *map(str, arguments)]
        root = Path(__file__).parents[3]
        return subprocess.run(command, cwd=root, capture_output=True, check=False)

    done = train(folder, tmp_path / "b", "-o", run, "--crop", 16, *SMALL)
    assert done.returncode == 0, done.stderr
    assert names(run) == FILES
    assert "g é" in (run / "config.toml").read_text(encoding="utf-8")
    assert "rün" in (run / "command.txt").read_text(encoding="utf-8")
    again = train("--resume", run)
    assert again.returncode == 0, again.stderr
    assert blockwright("train", "--resume", run).exit_code == 0


def test_a_name_that_is_not_utf_8_is_refused_and_nothing_cleared(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    run, options = tmp_path / "run", ("--crop", 16, *SMALL, "--overwrite")
    trained(run, first, second, *options)
    before = {path: path.read_bytes() for path in run.rglob("*.*")}
    strange = first.rename(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff"))
    for arguments in ((strange, second), (second, "--pattern", "{scene}{shot}\udcff")):
        said = complaint("train", *arguments, "-o", run, *options)
        assert said.startswith("the name '")
        assert said.endswith(
            "\\udcff' is not valid UTF-8, as it must be to be kept with the run; rename the file "
            "or folder"
        )
    assert {path: path.read_bytes() for path in run.rglob("*.*")} == before
