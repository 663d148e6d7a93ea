"""Learning to predict one noisy shot from the other."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphs.module import Module
from graphs.noise2noise.data.noise import Gaussian
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import Batch, RepeatedShots
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.training.configuration import Configuration
from graphs.noise2noise.training.objectives import shots_objective
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.position import Progress
from graphs.noise2noise.training.session import prepare
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Score
from tests.noise2noise.scenes import cat


def pairs(seed: int = 0) -> RepeatedShots:
    twice = cat(48, 64).expand(2, -1, -1, -1)
    return RepeatedShots([Gaussian(25, 25)(twice, generator_for(seed)).pixels], size=16)


def trained(steps: int, seed: int = 0, net: Module | None = None) -> tuple[Module, Training]:
    net = net or Architecture().build(seed)
    training = Training(net, pairs(seed), Plan(steps=steps, batch=4), seed=seed)
    for _ in training.run():
        pass
    return net, training


def state(net: Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.state().items()}


def test_the_learning_rate_rises_then_falls_along_half_a_cosine() -> None:
    plan = Plan(lr=0.5)
    shares = [i / 1000 for i in range(1001)]
    rates = [plan.rate(share) for share in shares]
    assert rates[0] == pytest.approx(0.005)
    assert rates[10] == pytest.approx(0.25)
    assert rates[20] == max(rates) == pytest.approx(0.5)
    assert rates[510] == pytest.approx(0.5 * 1.01 / 2)
    assert rates[-1] == min(rates) == pytest.approx(0.005)
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[:21] == sorted(rates[:21])


def test_batches_leave_the_cores_to_the_steps() -> None:
    threads = torch.get_num_threads()
    seen: list[int] = []

    class Watched(RepeatedShots):
        def batch(self, count: int, generator: torch.Generator) -> Batch:
            seen.append(torch.get_num_threads())
            return super().batch(count, generator)

    source = Watched([cat(48, 64).expand(2, -1, -1, -1)], size=16)
    torch.set_num_threads(3)
    try:
        training = Training(Architecture().build(0), source, Plan(steps=2, batch=4))
        assert [progress.share for progress in training.run()][-1] == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert seen == [1, 1]


def test_how_much_of_a_plan_is_done() -> None:
    assert Plan(seconds=10).share(steps=999, seconds=2.5) == 0.25
    assert Plan(seconds=10).share(steps=0, seconds=11) == 1
    assert Plan(seconds=10, steps=8).share(steps=2, seconds=99) == 0.25
    assert Plan(steps=8).share(steps=8, seconds=0) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seconds": 0}, "expected a training time above 0, got 0 seconds"),
        ({"seconds": -1.5}, "expected a training time above 0, got -1.5 seconds"),
        ({"seconds": math.nan}, "expected a training time above 0, got nan seconds"),
        ({"steps": 0}, "expected at least 1 training step, got 0"),
        ({"batch": 0}, "expected at least 1 example in a step, got 0"),
        ({"patience": 0}, "expected at least 1 validation of patience, got 0"),
        ({"lr": 0}, "expected a learning rate above 0, got 0"),
        (
            {"schedule": "flat"},
            "there is no schedule 'flat'; expected one of constant, cosine, step, ramp-down",
        ),
    ],
)
def test_impossible_plans(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        Plan(**given)


def test_the_same_seed_gives_the_same_weights_to_the_last_bit() -> None:
    torch.manual_seed(1)
    first, one = trained(12)
    torch.manual_seed(2)
    second, two = trained(12)
    assert one.losses == two.losses
    assert len(one.losses) == 12
    assert all(map(torch.equal, state(first).values(), state(second).values()))
    other, _ = trained(12, seed=1)
    assert not any(map(torch.equal, state(first).values(), state(other).values()))


def test_making_a_network_leaves_torchs_randomness_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Architecture().build(0)
    assert torch.equal(torch.rand(3), expected)


def test_it_learns() -> None:
    _, training = trained(150)
    first, last = sum(training.losses[:10]) / 10, sum(training.losses[-10:]) / 10
    floor = (25 / 255) ** 2
    assert floor < last < first / 2
    assert last < 2 * floor


def test_the_first_loss_is_that_of_the_stated_pair() -> None:
    net = Architecture().build(0)
    before = state(net)
    noisy, target = pairs().batch(4, generator_for(0, 0)).values()
    expected = float((net.forward(noisy) - target).square().mean())
    net.load_state(before)
    _, training = trained(1, net=net)
    assert training.losses == [pytest.approx(expected, rel=1e-5)]


def test_the_graph_takes_two_shots_and_nothing_else() -> None:
    objective = shots_objective(Architecture().build(0), 3)
    assert set(objective.graph.inputs) == {"noisy", "target"}


def test_progress_tells_how_far_it_is() -> None:
    plan = Plan(steps=10, batch=4)
    training = Training(Architecture().build(0), pairs(), plan, validate=lambda: Score(0.1, 12.5))
    reports = list(training.run())
    first, last = reports[0], reports[-1]
    assert (first.share, first.steps, first.loss, first.seconds_left) == (0, 0, None, math.inf)
    assert (last.share, last.steps, last.examples, last.latest) == (1, 10, 40, Score(0.1, 12.5))
    assert last.loss == pytest.approx(sum(training.losses) / 10)
    assert last.seconds_left == 0
    assert training.scores[0] == (0, Score(0.1, 12.5))
    assert training.scores[-1] == (10, Score(0.1, 12.5))
    assert [report.seconds for report in reports] == sorted(report.seconds for report in reports)


def test_pace_and_time_left() -> None:
    report = Progress(
        share=0.25, steps=50, examples=200, seconds=4.0, rate=0.1, loss=0.1, latest=None
    )
    assert report.examples_per_second == 50
    assert report.seconds_left == 12
    assert dataclasses.replace(report, seconds=0.0, share=0.0).examples_per_second == 0


def test_a_time_ends_it() -> None:
    start = time.perf_counter()
    training = Training(Architecture().build(0), pairs(), Plan(seconds=0.6, batch=4))
    reports = list(training.run())
    assert 0.6 <= time.perf_counter() - start < 10
    assert reports[-1].share == 1
    assert len(training.losses) == reports[-1].steps > 0
    assert len(reports) >= 3


def test_a_gain_is_a_factor_in_the_numbers_of_the_files(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", np.random.default_rng(0).uniform(10, 11, (3, 40, 40)))
    session = prepare(
        Configuration(data=(str(tmp_path / "stack.npy"),), network="report", width=4, gain=2.0)
    )
    noisy = session.training._source.batch(40, generator_for(0))["noisy"]
    values = noisy * session.architecture.scale + session.architecture.offset
    assert 5 <= values.min() < 7
    assert 17 < values.max() <= 22


def test_it_can_be_left_early() -> None:
    net = Architecture().build(0)
    before = state(net)
    training = Training(net, pairs(), Plan(seconds=1000, batch=4))
    for report in training.run():
        if report.steps:
            break
    assert len(training.losses) == report.steps > 0
    assert not any(map(torch.equal, state(net).values(), before.values()))


def test_a_score_has_no_influence() -> None:
    plain, _ = trained(12)
    scored = Architecture().build(0)

    def score() -> Score:
        torch.rand(7)
        scored.forward(cat(16, 16)[None])
        return Score(0.0)

    training = Training(scored, pairs(), Plan(steps=12, batch=4), validate=score)
    assert [report.share for report in training.run()][-1] == 1
    assert len(training.scores) >= 2
    assert all(map(torch.equal, state(plain).values(), state(scored).values()))
