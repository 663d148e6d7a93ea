"""How to train, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.training.schedules import SCHEDULES, ScheduleName


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train, and for how long.

    Attributes:
        seconds: how long to train. Ignored if ``steps`` is given.
        steps: how many steps to train, so that the result depends on the seed and not on the
            machine's speed.
        most_steps: the number of steps after which to end even if there is time left.
        batch: examples per step.
        lr: the peak learning rate.
        schedule: how the learning rate changes; see :data:`schedules.SCHEDULES`.
        validate_every: steps between validations.
        patience: validations without a new best after which the rate is lowered, and as many more
            after which the training ends; None for never. See :mod:`patience`.

    Raises:
        InputError: a number is out of its range.
    """

    seconds: float = 100.0
    steps: int | None = None
    most_steps: int | None = None
    batch: int = 32
    lr: float = 1e-2
    schedule: ScheduleName = "cosine"
    validate_every: int = 250
    patience: int | None = None

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InputError(f"expected a training time above 0, got {self.seconds} seconds")
        if not self.lr > 0:
            raise InputError(f"expected a learning rate above 0, got {self.lr}")
        if self.schedule not in SCHEDULES:
            known = ", ".join(SCHEDULES)
            raise InputError(f"there is no schedule {self.schedule!r}; expected one of {known}")
        counts = {
            "training step": self.steps,
            "example in a step": self.batch,
            "step between validations": self.validate_every,
            "validation of patience": self.patience,
        }
        for name, count in counts.items():
            if count is not None and count < 1:
                raise InputError(f"expected at least 1 {name}, got {count}")

    def share(self, steps: int, seconds: float) -> float:
        """The fraction of the training that is done, from 0 to 1."""
        done = seconds / self.seconds if self.steps is None else steps / self.steps
        at_most = 0.0 if self.most_steps is None else steps / self.most_steps
        return min(max(done, at_most), 1.0)

    def rate(self, share: float) -> float:
        """The learning rate when this fraction of the training is done."""
        return self.lr * SCHEDULES[self.schedule](share)
