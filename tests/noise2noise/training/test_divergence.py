"""A training run that diverges notices, says so, and continues from its best state."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from graphs import Adam
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import Batch, RepeatedShots
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.networks import Architecture, load_network
from graphs.noise2noise.training.checkpoints import list_checkpoints, read_checkpoint
from graphs.noise2noise.training.divergence import has_diverged
from graphs.noise2noise.training.objectives import shots_objective
from graphs.noise2noise.training.patience import is_over, is_stuck
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.position import Position, Progress
from graphs.noise2noise.training.run import keep, resume
from graphs.noise2noise.training.run_folder import RunFolder, read_metrics
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Validation
from tests.noise2noise.scenes import cat

SEED, STEPS, EVERY, STEEP = 5, 30, 5, 12
ARCHITECTURE = Architecture(width=4, network="unet", depth=2)


@pytest.fixture(autouse=True)
def _without_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


class OneSteepBatch:
    """Shots of a picture, except for one step whose targets are badly wrong."""

    def __init__(self, shots: torch.Tensor, value: float) -> None:
        self.plain = RepeatedShots([shots], 16)
        self.channels, self.size, self.value = self.plain.channels, self.plain.size, value

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        steep = generator.initial_seed() == generator_for(SEED, STEEP).initial_seed()
        batch = self.plain.batch(count, generator)
        return {**batch, "target": batch["target"] + self.value} if steep else batch


def training(
    value: float,
    validated: bool = True,
    shots: torch.Tensor | None = None,
    patience: int | None = None,
) -> Training:
    """A training run that a single gradient from such steep targets makes diverge."""
    net = ARCHITECTURE.build(3)
    picture = cat(48, 48)
    shots = torch.stack([picture, picture**2]) if shots is None else shots
    source, objective = OneSteepBatch(shots, value), shots_objective(net, 3)
    return Training(
        net,
        source,
        Plan(
            steps=STEPS,
            batch=2,
            validate_every=EVERY,
            lr=0.01,
            schedule="constant",
            patience=patience,
        ),
        optimizer=Adam(lr=0.01),
        objective=objective,
        validate=Validation(objective, source.plain, batch=4, seed=1) if validated else None,
        seed=SEED,
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.noise2noise.training.training.REPORT_SECONDS", 0.0)
    monkeypatch.setattr("graphs.noise2noise.training.validation.PIXELS", 1 << 12)


def milestones(training: Training) -> list[Progress]:
    return [progress for progress in training.run() if progress.is_milestone]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(0.011, False), (0.0299, False), (0.0301, True), (1e12, True), (math.nan, True)],
)
def test_a_loss_far_beyond_the_best(loss: float, expected: bool) -> None:
    assert has_diverged(loss, 0.01) == expected


def test_before_there_is_a_best_only_what_is_no_number_has_diverged() -> None:
    assert not has_diverged(1e12, math.inf)
    assert has_diverged(math.inf, math.inf)


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("value", [1e6, math.nan])
def test_thrown_off_and_back(value: float, validated: bool) -> None:
    one = training(value, validated)
    seen = milestones(one)
    (back,) = [state for state in seen if state.warning]
    assert back.warning is not None
    assert back.warning.startswith(f"At step {back.steps} the training has diverged, its loss ")
    assert "it goes back to step 10, and on at half the learning rate." in back.warning
    assert STEEP < back.steps <= STEEP + 2 * EVERY
    assert not back.is_best
    assert (back.rate, seen[-1].rate) == (0.005, 0.005)
    # What it then learns is as good as before, and all that it keeps is sound.
    assert one.losses[-1] < 0.1
    assert any(state.is_best for state in seen if state.steps > back.steps)
    assert all(torch.isfinite(value).all() for value in one.state().values())
    assert all(step != back.steps for step, _ in one.scores)


def test_patience_begins_anew_where_it_has_diverged() -> None:
    """The rate is halved, not also cut to a tenth, although nothing improved for that long."""
    told = {state.steps: state for state in milestones(training(1e6, patience=1)) if state.warning}
    back = told.pop(15)
    assert str(back.warning).endswith("it goes back to step 10, and on at half the learning rate.")
    assert back.rate == 0.005
    assert min(told, default=STEPS) > 15 + EVERY


def test_a_divergence_does_not_count_as_the_lower_rate_that_comes_before_the_end() -> None:
    plan = Plan(steps=99, validate_every=10, patience=2)
    diverged = Position(step=40, best_step=10, returned=20, slowdown=0.5)
    assert is_stuck(diverged, plan)
    assert not is_over(diverged, plan)
    lowered = replace(diverged, returned=40, lowered=40)
    assert not is_stuck(lowered, plan)
    assert is_over(replace(lowered, step=60), plan)
    assert not is_over(replace(lowered, step=60, best_step=50), plan)


def test_a_training_that_goes_well_is_left_alone() -> None:
    assert not any(state.warning for state in milestones(training(0.0)))


def kept_until(step: int, path: Path) -> None:
    """Run it with a folder, from where it stands there, and leave it after a step."""
    one, folder = training(1e6), RunFolder(path)
    resume(one, folder, pytest.fail)
    with closing(keep(one, ARCHITECTURE, folder)) as progress:
        next(state for state in progress if state.steps >= step)


def test_left_anywhere_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    for step in (8, 11, 14, 17, 20, 23, STEPS):
        kept_until(step, tmp_path / "left")
    kept_until(STEPS, tmp_path / "whole")
    left, whole = (RunFolder(tmp_path / name) for name in ("left", "whole"))
    assert left.best.read_bytes() == whole.best.read_bytes()
    states = [read_checkpoint(list_checkpoints(run.checkpoints)[-1]).state for run in (left, whole)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_the_folder_keeps_the_best_weights_and_no_infinite_numbers(tmp_path: Path) -> None:
    kept_until(STEPS, tmp_path)
    rows = read_metrics(RunFolder(tmp_path).metrics)
    assert max(row["loss"] for row in rows if row["loss"]) > 1e9  # it has not been hushed up
    text = RunFolder(tmp_path).metrics.read_text()
    assert "nan" not in text
    assert "inf" not in text
    best = load_network(tmp_path).network
    noisy = cat(48, 48)[None]
    assert float((best.forward(noisy) - noisy).square().mean()) < 0.1


def test_the_weights_of_one_that_is_left_after_it_has_diverged_are_not_the_best(
    tmp_path: Path,
) -> None:
    one = training(1e6, validated=False)
    with closing(keep(one, ARCHITECTURE, RunFolder(tmp_path))) as progress:
        next(state for state in progress if state.steps > STEEP + 1)
    assert one.losses[STEEP] > 1e3
    assert one.position.best_step == 10
    noisy = cat(48, 48)[None]
    best = load_network(tmp_path).network
    assert float((best.forward(noisy) - noisy).square().mean()) < 0.1


def test_one_that_never_learns_says_so() -> None:
    blank = torch.full((2, 3, 48, 48), math.nan)
    with pytest.raises(InputError, match="went astray: it was never better than at its start"):
        milestones(training(0.0, shots=blank))
