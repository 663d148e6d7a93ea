"""The training itself: step by step until the plan is done, exactly repeatable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace

import torch

from engine import compile
from graphs.module import Module
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import Source
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.training.objectives import Objective, shots_objective
from graphs.noise2noise.training.optimizers import make_optimizer
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.validation import Score
from graphs.optimizers import Optimizer

REPORT_SECONDS = 0.25


@dataclass(frozen=True)
class Position:
    """Where a training stands: with the tensors of :meth:`Training.state`, all there is to it.

    What a step does depends on the seed and its number alone, so no generator's state is needed.

    Attributes:
        step: steps done.
        seconds: spent on them.
        loss_sum, loss_count: of the losses since the latest milestone.
        milestone: the step of the latest one; -1 before the first.
        best_loss, best_psnr, best_step: of the best validation.
    """

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    milestone: int = -1
    best_loss: float = math.inf
    best_psnr: float | None = None
    best_step: int = 0


@dataclass(frozen=True)
class Progress:
    """Where a training stands, for those who watch.

    Attributes:
        share: done, from 0 to 1; 1 also where it ends for want of improvement.
        steps, examples: so far.
        seconds: so far.
        rate: the learning rate of the next step.
        loss: the mean since the latest validation, or over the latest steps; None before the first.
        latest: the latest score.
        is_milestone: whether this is one of the points, at the start, every
            ``plan.validate_every`` steps and at the end, where validations are made.
        score: of the validation just made, if any.
        is_best: whether this is the best milestone so far, or there are no validations.
    """

    share: float
    steps: int
    examples: int
    seconds: float
    rate: float
    loss: float | None
    latest: Score | None
    is_milestone: bool = False
    score: Score | None = None
    is_best: bool = False

    @property
    def examples_per_second(self) -> float:
        """Examples a second since the start."""
        return self.examples / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float:
        """How much longer it takes at this pace; infinite before the first step."""
        return self.seconds * (1 - self.share) / self.share if self.share else math.inf


class Training:
    """A training that can be watched, left at any time and gone on with: iterate over :meth:`run`.

    Args:
        net: what learns.
        source: what it sees, and all that it sees.
        plan: how, and for how long.
        objective: of ``net``; by default the mean squared error by another shot.
        optimizer: by default Adam.
        validate: called at every milestone; see :class:`Progress`.
        seed: of the batches.

    Attributes:
        losses: of every step that this object has made.
        scores: (step, score) of every validation that this object has made.
        position: where it stands.
    """

    def __init__(
        self,
        net: Module,
        source: Source,
        plan: Plan,
        *,
        objective: Objective | None = None,
        optimizer: Optimizer | None = None,
        validate: Callable[[], Score] | None = None,
        seed: int = 0,
    ) -> None:
        self.losses: list[float] = []
        self.scores: list[tuple[int, Score]] = []
        self.position = Position()
        self._net = net
        self._source = source
        self._plan = plan
        self._validate = validate
        self._seed = seed
        self._optimizer = optimizer or make_optimizer("adam", plan.lr)
        self._program = compile(
            (objective or shots_objective(net, source.channels)).graph,
            outputs=["loss"],
            minimize="loss",
            optimizer=self._optimizer,
            N=plan.batch,
            H=source.size,
            W=source.size,
        )
        self._pending: list[torch.Tensor] = []

    def run(self) -> Generator[Progress]:
        """Train, telling of every milestone, and four times a second how far it is.

        Leaving the loop ends the training.

        Raises:
            InputError: the loss is no longer a number.
        """
        start = time.perf_counter() - self.position.seconds
        next_report = 0.0
        while True:
            seconds = time.perf_counter() - start
            self.position = replace(self.position, seconds=seconds)
            share = self._plan.share(self.position.step, seconds)
            if self._is_due(share):
                progress = self._milestone(share)
                share = progress.share
                yield progress
            elif seconds >= next_report or share == 1:
                yield self._progress(share)
                next_report = seconds + REPORT_SECONDS
            if share == 1:
                return
            self._train_once(share)

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of all tensors that the steps to come depend on: weights and optimizer state."""
        weights = {f"network/{name}": value for name, value in self._net.state().items()}
        kept = self._optimizer.state(self._net)
        return weights | {f"optimizer/{name}": value for name, value in kept.items()}

    def restore(self, state: Mapping[str, torch.Tensor], position: Position) -> None:
        """Go on from where another training of this network and plan stood.

        Raises:
            GraphError, FeedError: the tensors are not of this network and optimizer.
        """
        self._net.load_state(_part(state, "network/"))
        self._optimizer.load_state(self._net, _part(state, "optimizer/"))
        self.position = position

    def settle(self) -> None:
        """Bring :attr:`position` and :attr:`losses` up to date; reading losses waits for them."""
        latest = torch.stack(self._pending).tolist() if self._pending else []
        self._pending.clear()
        self.losses += latest
        total = self.position.loss_sum
        for loss in latest:  # one by one, so that it does not matter how often this is called
            total += loss
        count = self.position.loss_count + len(latest)
        self.position = replace(self.position, loss_sum=total, loss_count=count)

    def _train_once(self, share: float) -> None:
        self._optimizer.lr = self._plan.rate(share)
        step = self.position.step
        feeds = dict(self._source.batch(self._plan.batch, generator_for(self._seed, step)))
        if "gamma" in self._program.inputs:
            feeds["gamma"] = torch.tensor(2 * (1 - share))
        self._pending.append(self._program(**feeds)["loss"])
        self.position = replace(self.position, step=step + 1)

    def _is_due(self, share: float) -> bool:
        step = self.position.step
        is_point = share == 1 or step % self._plan.validate_every == 0
        return is_point and self.position.milestone != step

    def _milestone(self, share: float) -> Progress:
        self.settle()
        loss, step = self._interval_loss(), self.position.step
        score = self._scored()
        is_best = score is None or score.loss < self.position.best_loss
        self.position = replace(self.position, loss_sum=0.0, loss_count=0, milestone=step)
        if score is not None and is_best:
            self.position = replace(
                self.position, best_loss=score.loss, best_psnr=score.psnr, best_step=step
            )
        elif score is not None and self._plan.patience is not None:
            waited = step - self.position.best_step
            share = 1.0 if waited >= self._plan.patience * self._plan.validate_every else share
        progress = self._progress(share)
        return replace(progress, loss=loss, is_milestone=True, score=score, is_best=is_best)

    def _scored(self) -> Score | None:
        if self._validate is None:
            return None
        score, step = self._validate(), self.position.step
        if math.isnan(score.loss):
            raise InputError(
                f"the training went astray: at step {step} its loss is no number; "
                "a lower learning rate helps"
            )
        self.scores.append((step, score))
        return score

    def _interval_loss(self) -> float | None:
        count = self.position.loss_count
        return self.position.loss_sum / count if count else None

    def _progress(self, share: float) -> Progress:
        self.settle()
        recent = self.losses[-100:]
        return Progress(
            share=share,
            steps=self.position.step,
            examples=self.position.step * self._plan.batch,
            seconds=self.position.seconds,
            rate=self._plan.rate(share),
            loss=sum(recent) / len(recent) if recent else None,
            latest=self.scores[-1][1] if self.scores else None,
        )


def _part(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
