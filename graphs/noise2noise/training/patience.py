"""Patience: how a training notices that it no longer improves, and ends by itself.

Where a number of validations bring no new best, a training goes back to its best weights and on at
a tenth of the learning rate; where as many more bring none either, it ends. What it looks at are
numbers that a checkpoint holds too, so that a run gone on with decides as an undisturbed one.
"""

from __future__ import annotations

from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.position import Position

SLOWER = 0.1
"""What the learning rate is multiplied by each time."""


def is_stuck(position: Position, plan: Plan) -> bool:
    """Whether there has been no new best for as long as there is patience."""
    waited = position.step - max(position.best_step, position.returned)
    return plan.patience is not None and waited >= plan.patience * plan.validate_every


def is_over(position: Position, plan: Plan) -> bool:
    """Whether the lower rate has brought none either."""
    return is_stuck(position, plan) and position.lowered > position.best_step


def lowering_text(position: Position) -> str:
    """What is done at a first stop, in a sentence."""
    return (
        f"At step {position.step} there has been nothing better since step {position.best_step}: "
        "it goes back there, and on at a tenth of the learning rate."
    )


def end_text(position: Position) -> str:
    """Why it ends before its time, in a sentence."""
    return (
        f"At step {position.step} there has been nothing better since step {position.best_step}, "
        "even at a lower learning rate: the training ends."
    )
