"""Where a training stands: to resume from, and to display."""

from __future__ import annotations

import math
from dataclasses import dataclass

from graphs.noise2noise.training.validation import Score


@dataclass(frozen=True)
class Position:
    """Where a training stands: together with :meth:`Training.state`, its complete state.

    The randomness of a step depends only on the seed and the step number, so no generator's state
    is needed.

    Attributes:
        step: steps done.
        seconds: time spent on them.
        loss_sum, loss_count: of the losses since the latest milestone.
        milestone: the step of the latest milestone; -1 before the first.
        best_loss, best_psnr, best_step: of the best validation; without validations, of the
            latest milestone that had not diverged, ``best_loss`` being the lowest so far.
        slowdown: the factor on the plan's learning rate, below 1 after it has diverged or stalled.
        diverged: how many times it has diverged.
        returned: the step at which it last went back to its best weights; 0 if it never did.
        lowered: the step at which it last did so because it had stalled; 0 if it never did.
    """

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    milestone: int = -1
    best_loss: float = math.inf
    best_psnr: float | None = None
    best_step: int = 0
    slowdown: float = 1.0
    diverged: int = 0
    returned: int = 0
    lowered: int = 0


@dataclass(frozen=True)
class Progress:
    """Where a training stands, for display.

    Attributes:
        share: the fraction done, from 0 to 1; also 1 where it ends for lack of improvement.
        steps, examples: so far.
        seconds: so far.
        rate: the learning rate of the next step.
        loss: at a milestone, the mean since the one before; else the mean over the latest 100
            steps; None before the first step.
        latest: the latest score.
        is_milestone: whether this is one of the points where validations are made: at the start,
            every ``plan.validate_every`` steps and at the end.
        score: of the validation just made, if any.
        is_best: whether this milestone is the best so far; without validations, whether it has not
            diverged.
        warning: a sentence if the training has gone back to its best weights, or ends by itself.
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
    warning: str | None = None

    @property
    def examples_per_second(self) -> float:
        """Examples per second since the start."""
        return self.examples / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float:
        """The remaining time at this pace; infinite at the start."""
        return self.seconds * (1 - self.share) / self.share if self.share else math.inf
