"""An interrupted and resumed run ends bitwise equal to an uninterrupted one."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs import SGD, Adam
from graphs.noise2noise.data.noise import parse_noise
from graphs.noise2noise.data.sources import NeighbourShots, RepeatedShots, Source, SyntheticShots
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.training.checkpoints import (
    Checkpoint,
    _digest,
    list_checkpoints,
    read_checkpoint,
    read_newest,
    write_checkpoint,
)
from graphs.noise2noise.training.objectives import (
    neighbours_objective,
    shots_objective,
)
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.position import Position
from graphs.noise2noise.training.run import keep, resume
from graphs.noise2noise.training.run_folder import COLUMNS, RunFolder, read_metrics
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Validation
from tests.noise2noise.scenes import blockwright, cat, complaint, names, shots
from tests.noise2noise.training.killed_run import run_with_kills

STEPS = 23
PLAN = Plan(steps=STEPS, batch=2, validate_every=5)
SMALL = ("--network", "report", "--width", 4, "--crop", 16, "--batch", 4)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def _few_held_out_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 12)


@pytest.fixture
def _brief(monkeypatch: pytest.MonkeyPatch, _few_held_out_squares: None) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


@pytest.fixture(scope="module")
def of_two_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two steps, next to its pictures."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 12)
        patch.setenv("BLOCKWRIGHT_BACKEND", "torch")
        run = folder / "run"
        done = blockwright("train", *shots(folder), "-o", run, *SMALL, "--steps", 2)
    assert done.exit_code == 0, done.output
    return run


@pytest.fixture
def run(of_two_steps: Path, tmp_path: Path, _brief: None) -> Path:
    """A copy of this run."""
    return shutil.copytree(of_two_steps, tmp_path / "run")


def training(kind: str) -> Training:
    """A small training, always the same for the same kind."""
    plan = replace(PLAN, patience=2, lr=1e-9) if kind == "stuck" else PLAN
    net = Architecture(width=4).build(3)
    picture = cat(48, 48)
    sources: dict[str, Callable[[], Source]] = {
        "neighbours": lambda: NeighbourShots([picture], 16),
        "impulse": lambda: SyntheticShots([picture], parse_noise("impulse:0.2"), 16),
    }
    source = sources.get(kind, lambda: RepeatedShots([torch.stack([picture, picture**2])], 16))()
    objective = {
        "neighbours": lambda: neighbours_objective(net, 3),
        "impulse": lambda: shots_objective(net, 3, "l0"),
    }.get(kind, lambda: shots_objective(net, 3))()
    return Training(
        net,
        source,
        plan,
        objective=objective,
        optimizer={"sgd": SGD(lr=0.1)}.get(kind, Adam(lr=0.01)),
        validate=Validation(objective, source, batch=4, seed=1),
        seed=5,
    )


def run_until(training: Training, step: int) -> None:
    with closing(training.run()) as progress:
        for state in progress:
            if state.is_milestone and state.steps >= step:
                break
    training.settle()


@pytest.mark.usefixtures("_few_held_out_squares")
@pytest.mark.parametrize("kind", ["adam", "sgd", "neighbours", "impulse", "stuck"])
def test_a_restored_training_goes_on_as_the_first_would_have(kind: str, tmp_path: Path) -> None:
    whole = training(kind)
    run_until(whole, STEPS)
    first = training(kind)
    run_until(first, 10)
    assert first.position.step == 10
    path = write_checkpoint(tmp_path, Checkpoint(first.state(), first.position))
    second, checkpoint = training(kind), read_checkpoint(path)
    second.restore(checkpoint.state, checkpoint.position)
    run_until(second, STEPS)
    assert second.position.step == (20 if kind == "stuck" else STEPS)
    assert second.scores == [score for score in whole.scores if score[0] > 10]
    assert second.losses == whole.losses[10:]
    expected = whole.state()
    assert expected.keys() == second.state().keys()
    assert all(torch.equal(value, expected[name]) for name, value in second.state().items())
    assert any(name.startswith("optimizer/") for name in expected) == (kind != "sgd")


def metrics(run: Path) -> list[dict[str, object]]:
    """Everything but the seconds."""
    rows = read_metrics(run / "metrics.csv")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def assert_same_runs(run: Path, other: Path) -> None:
    assert names(run) == names(other)
    assert names(run / "checkpoints") == names(other / "checkpoints")
    assert (run / "best.safetensors").read_bytes() == (other / "best.safetensors").read_bytes()
    for path, expected in zip(
        list_checkpoints(run / "checkpoints"), list_checkpoints(other / "checkpoints"), strict=True
    ):
        tensors, others = (safetensors.torch.load_file(file) for file in (path, expected))
        assert tensors.keys() == others.keys()
        assert all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())
    assert metrics(run) == metrics(other)


def check_killed_runs(tmp_path: Path, steps: int, kills: int, seed: int, threads: int) -> None:
    folders = shots(tmp_path, count=9)
    options = (*SMALL, "--steps", steps, "--validate-every", 7, "--threads", threads)
    undisturbed, run = tmp_path / "undisturbed", tmp_path / "run"
    assert blockwright("train", *folders, "-o", undisturbed, *options).exit_code == 0
    assert run_with_kills([*folders, *options], run, kills, Random(seed)) > 0
    assert_same_runs(run, undisturbed)


def test_killed_and_gone_on_with(tmp_path: Path) -> None:
    check_killed_runs(tmp_path, steps=200, kills=1, seed=0, threads=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    check_killed_runs(tmp_path, steps=600, kills=6, seed=seed, threads=1 + seed % 2)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three checkpoints."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for step in range(5):
        state = {"network/w": torch.arange(6.0).view(2, 3) + step, "optimizer/s": torch.tensor(1.0)}
        write_checkpoint(folder, Checkpoint(state, Position(step=step, best_loss=0.5)))
    return folder


def test_the_newest_three_are_kept(written: Path) -> None:
    assert names(written) == [f"step-{step:08}.safetensors" for step in (2, 3, 4)]
    checkpoint = read_newest(written, lambda _line: pytest.fail("none is damaged"))
    assert checkpoint is not None
    assert checkpoint.position == Position(step=4, best_loss=0.5)
    assert checkpoint.state["network/w"][1, 2] == 9


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(written: Path, tmp_path: Path, place: float, bit: int) -> None:
    content = bytearray((written / "step-00000004.safetensors").read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path = tmp_path / "step-00000004.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        read_checkpoint(path)


@pytest.mark.parametrize("length", [0, 4, 100, 300, -1])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    written: Path, tmp_path: Path, length: int
) -> None:
    for path in list_checkpoints(written):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    newest = tmp_path / "step-00000004.safetensors"
    newest.write_bytes(newest.read_bytes()[:length])
    said: list[str] = []
    checkpoint = read_newest(tmp_path, said.append)
    assert checkpoint is not None
    assert checkpoint.position.step == 3
    damaged, going_on = said
    assert damaged.startswith(f"the checkpoint {newest} is damaged: ")
    before = tmp_path / "step-00000003.safetensors"
    assert going_on == f"going on from the newest whole checkpoint, {before}"
    assert not newest.exists()


def test_without_a_whole_checkpoint_it_begins_again(tmp_path: Path) -> None:
    assert read_newest(tmp_path / "none", pytest.fail) is None
    paths = [tmp_path / f"step-0000000{step}.safetensors" for step in range(3)]
    for path in paths:
        path.write_bytes(b"")
    said: list[str] = []
    assert read_newest(tmp_path, said.append) is None
    assert len(said) == 4
    assert said[-1] == f"no checkpoint in {tmp_path} is whole: the run starts again"
    assert list_checkpoints(tmp_path) == paths
    # They make room for what replaces them.
    first = write_checkpoint(tmp_path, Checkpoint({}, Position()))
    assert list_checkpoints(tmp_path) == [first]
    assert read_newest(tmp_path, pytest.fail) == Checkpoint({}, Position())


def test_rows_of_metrics_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (0, 5, 10):
        folder.add_metrics({"step": step, "seconds": 0.5, "lr": 0.1, "estimated_psnr": None})
    with folder.metrics.open("a") as file:
        file.write("15,0.5")  # a crash
    folder.drop_metrics_after(5)
    assert [row["step"] for row in read_metrics(folder.metrics)] == [0, 5]
    folder.add_metrics({"step": 10, "loss": 0.25})
    with folder.metrics.open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1] == {
        "step": "10",
        "seconds": "",
        "lr": "",
        "loss": "0.25",
        "validation_loss": "",
        "estimated_psnr": "",
    }


@pytest.mark.usefixtures("_brief")
def test_a_damaged_run_is_gone_on_with(tmp_path: Path) -> None:
    folders, run = shots(tmp_path), tmp_path / "run"
    options = (*SMALL, "--steps", 12, "--validate-every", 5)
    assert blockwright("train", *folders, "-o", run, *options).exit_code == 0
    before = {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    newest = run / "checkpoints" / "step-00000012.safetensors"
    newest.write_bytes(newest.read_bytes()[:-3])
    (run / "checkpoints" / ".writing-0123abcd.safetensors").write_bytes(b"half")
    (run / "data.json").unlink()
    result = blockwright("train", "--resume", run)
    assert result.exit_code == 0
    assert f"the checkpoint {newest} is damaged" in result.stderr
    after = {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    assert after.keys() == before.keys()
    best = run / "best.safetensors"
    assert after[best] == before[best]
    files = json.loads((run / "data.json").read_text())["files"]
    assert set(files) == {str(path) for folder in folders for path in folder.iterdir()}


def test_a_run_left_between_two_milestones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.noise2noise.training.training.REPORT_SECONDS", 0.0)
    monkeypatch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 12)
    architecture = Architecture(width=4)

    def kept_until(step: int, path: Path) -> Training:
        net = architecture.build(3)
        source = RepeatedShots([torch.stack([cat(48, 48), cat(48, 48) ** 2])], 16)
        validate = Validation(shots_objective(net, 3), source, batch=4, seed=1)
        one = Training(net, source, PLAN, optimizer=Adam(lr=0.01), validate=validate, seed=5)
        resume(one, RunFolder(path), pytest.fail)
        with closing(keep(one, architecture, RunFolder(path))) as progress:
            next(state for state in progress if state.steps >= step)
        return one

    for step in (3, 13, 14, STEPS):
        left = kept_until(step, tmp_path / "left")
        assert left.position.best_step == step  # judged where it was left
        best = safetensors.torch.load_file(tmp_path / "left" / "best.safetensors")
        assert all(torch.equal(best[name], value) for name, value in left.best.items())
    kept_until(STEPS, tmp_path / "whole")
    files = [tmp_path / name / "best.safetensors" for name in ("left", "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert metrics(tmp_path / "left") == metrics(tmp_path / "whole")
    newest = [list_checkpoints(tmp_path / n / "checkpoints")[-1] for n in ("left", "whole")]
    state, expected = (read_checkpoint(path).state for path in newest)
    assert all(torch.equal(state[name], value) for name, value in expected.items())


def test_a_row_of_metrics_needs_its_step_and_seconds(run: Path) -> None:
    metrics = run / "metrics.csv"
    whole = metrics.read_text()
    said = f"{metrics} is damaged: it is no table of {', '.join(COLUMNS)}"
    for row in (",,,,,", "3,,,,,", ",0.5,,,,"):
        metrics.write_text(f"{whole}{row}\n")
        assert complaint("report", run, "--overwrite") == said
        with pytest.raises(InputError, match="is damaged"):
            RunFolder(run).drop_metrics_after(2)


def test_damaged_files_of_a_run(run: Path) -> None:
    for name in ("metrics.csv", "environment.json", "data.json", "config.toml"):
        path = run / name
        content = path.read_text()
        path.write_text("no such\nfile\n")
        result = blockwright("train", "--resume", run)
        assert result.exit_code == 2, name
        assert result.stderr.splitlines()[-1].startswith(f"blockwright: {path} is "), result.stderr
        path.write_text(content)
    for files in ("[]", "[1]", '"a.png"', "null"):
        (run / "data.json").write_text(f'{{"files": {files}}}')
        said = f"{run / 'data.json'} is damaged: it does not list the files by name"
        assert complaint("train", "--resume", run) == said
    newest = list_checkpoints(run / "checkpoints")[-1]
    state = read_checkpoint(newest).state
    position = json.dumps({"step": 2, "mood": "good"})
    metadata = {"position": position, "sha256": _digest(state, position)}
    safetensors.torch.save_file(dict(state), newest, metadata)
    with pytest.raises(InputError, match="is of another version of this program"):
        read_checkpoint(newest)


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_the_best_weights_come_back_from_the_checkpoint(run: Path, content: bytes | None) -> None:
    best = run / "best.safetensors"
    expected = best.read_bytes()
    best.unlink() if content is None else best.write_bytes(content)
    result = blockwright("train", "--resume", run)
    assert result.exit_code == 0, result.output
    assert f"weights: {best}\nreport: " in result.stdout
    assert best.read_bytes() == expected


@pytest.mark.parametrize(
    ("setting", "other"),
    [
        ("width = 4", "width = 8"),
        ('network = "report"', 'network = "unet"'),
        ('optimizer = "adam"', 'optimizer = "sgd"'),
    ],
)
def test_another_network_in_the_settings(run: Path, setting: str, other: str) -> None:
    config = run / "config.toml"
    text = config.read_text()
    assert setting in text
    config.write_text(text.replace(setting, other))
    before = {path: path.read_bytes() for path in run.rglob("*.*")}
    result = blockwright("train", "--resume", run)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        f"blockwright: {config} does not fit the run's checkpoints: network, width, depth and "
        "optimizer must be those that the run began with; put them back, or begin another"
    )
    assert {path: path.read_bytes() for path in run.rglob("*.*")} == before


def test_a_damaged_command_is_shown_as_it_is(run: Path) -> None:
    (run / "command.txt").write_bytes(b"\xff\xfe\0")
    (run / "report.html").unlink()
    result = blockwright("train", "--resume", run)
    assert result.exit_code == 0, result.output
    assert (run / "report.html").exists()


@pytest.mark.usefixtures("_brief")
def test_what_cannot_be_gone_on_with(tmp_path: Path) -> None:
    folders, run = shots(tmp_path), tmp_path / "run"
    assert complaint("train", "--resume", run) == f"there is no run in {run}: it has no config.toml"
    options = (*SMALL, "--steps", 2)
    assert blockwright("train", *folders, "-o", run, *options).exit_code == 0
    said = complaint("train", "--resume", run, "--steps", 5)
    assert said == "a run goes on with its own settings: give --resume alone"
    assert complaint("train", "--resume", run, "--overwrite") == said
    picture = folders[0] / "0.png"
    picture.write_bytes((folders[0] / "1.png").read_bytes())
    assert complaint("train", "--resume", run) == (
        f"{picture} is not what the run began with, by its SHA-256 in {run / 'data.json'}"
    )


@pytest.mark.usefixtures("_brief")
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders, run, whole = shots(tmp_path), tmp_path / "run", tmp_path / "whole"
    options = (*SMALL, "--steps", 12, "--validate-every", 5)
    assert blockwright("train", *folders, "-o", whole, *options).exit_code == 0

    def full(*_arguments: object, **_options: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        written = safetensors.torch.save
        calls = iter(range(100))
        # The best weights and the checkpoint, twice; then there is no room.
        patch.setattr(
            safetensors.torch, "save", lambda *a: written(*a) if next(calls) < 4 else full()
        )
        result = blockwright("train", *folders, "-o", run, *options)
    assert result.exit_code == 2
    said = result.stderr.splitlines()[-1]
    assert said.startswith(f"blockwright: {run}/")
    assert said.endswith(".safetensors cannot be written: No space left on device")
    assert blockwright("train", "--resume", run).exit_code == 0
    assert (run / "best.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()
    assert metrics(run) == metrics(whole)
