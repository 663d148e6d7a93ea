"""Divergence: how a training notices that it was thrown off, and what it says.

One steep gradient can make Adam throw a network so far off that its loss, thousands of good steps
in, grows by many powers of ten and never comes back. The training then goes back to where it was
best, its optimizer's state included, and goes on at half the learning rate. What it looks at are
numbers that a checkpoint holds too, so that a run gone on with decides as an undisturbed one.
"""

from __future__ import annotations

import math

FAR = 3.0
"""A loss so many times the best has diverged; where learning goes well it stays below 1.2 times."""

SLOWER = 0.5
"""What the learning rate is multiplied by each time."""


def has_diverged(loss: float, best: float) -> bool:
    """Whether a loss is no finite number, or far beyond the best before it."""
    return not math.isfinite(loss) or loss > FAR * best


def divergence_text(loss: float, best: float, step: int, best_step: int) -> str:
    """What happened and what is done about it, in a sentence."""
    size = f"{loss:.3g}" if math.isfinite(loss) else "no number"
    after = f" after {best:.3g}" if math.isfinite(best) else ""
    return (
        f"At step {step} the training has diverged, its loss being {size}{after}: it goes back to "
        f"step {best_step}, and on at half the learning rate."
    )
