"""Patience: how a training detects that it no longer improves, and ends by itself.

After a number of validations without a new best, a training goes back to its best weights and
continues at a tenth of the learning rate; after as many more without one, it ends. The decision
depends only on numbers that a checkpoint also holds, so a resumed run decides as an uninterrupted
one does.
"""

from __future__ import annotations

from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.position import Position

SLOWER = 0.1
"""The factor applied to the learning rate each time."""


def is_stuck(position: Position, plan: Plan) -> bool:
    """Whether patience has run out: the last ``plan.patience`` validations brought no new best."""
    waited = position.step - max(position.best_step, position.returned)
    return plan.patience is not None and waited >= plan.patience * plan.validate_every


def is_over(position: Position, plan: Plan) -> bool:
    """Whether the lower rate has not brought a new best either."""
    return is_stuck(position, plan) and position.lowered > position.best_step


def lowering_text(position: Position) -> str:
    """A sentence for when patience first runs out, and the learning rate is lowered."""
    return (
        f"At step {position.step} there has been nothing better since step {position.best_step}: "
        "it goes back there, and on at a tenth of the learning rate."
    )


def end_text(position: Position) -> str:
    """A sentence that says why the training ends early."""
    return (
        f"At step {position.step} there has been nothing better since step {position.best_step}, "
        "even at a lower learning rate: the training ends."
    )
