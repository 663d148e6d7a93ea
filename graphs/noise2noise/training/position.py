"""Where a training stands: to go on from, and to be shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from graphs.noise2noise.training.validation import Score


@dataclass(frozen=True)
class Position:
    """Where a training stands: with the tensors of :meth:`Training.state`, all there is to it.

    What a step does depends on the seed and its number alone, so no generator's state is needed.

    Attributes:
        step: steps done.
        seconds: spent on them.
        loss_sum, loss_count: of the losses since the latest milestone.
        milestone: the step of the latest one; -1 before the first.
        best_loss, best_psnr, best_step: of the best validation; without validations, of the
            latest milestone that had not diverged, ``best_loss`` being the lowest so far.
        slowdown: what the plan's learning rate is multiplied by, having diverged or been stuck.
        diverged: how often it has.
        returned: the step at which it last went back to its best; 0 if it never did.
        lowered: the step at which it last did for being stuck.
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
        warning: a sentence if the training has been taken back to its best, or ends by itself.
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
        """Examples a second since the start."""
        return self.examples / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float:
        """How much longer it takes at this pace; infinite before the first step."""
        return self.seconds * (1 - self.share) / self.share if self.share else math.inf
