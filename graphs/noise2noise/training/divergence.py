"""Divergence: how a training detects it, and the message it gives.

One steep gradient can make Adam throw a network so far off that its loss, after thousands of good
steps, grows by orders of magnitude and never recovers. The training then goes back to its best
weights, optimizer state included, and continues at half the learning rate. The decision depends
only on numbers that a checkpoint also holds, so a resumed run decides as an uninterrupted one does.
"""

from __future__ import annotations

import math

FAR = 3.0
"""A loss more than this many times the best has diverged; in good trainings it stays below 1.2."""

SLOWER = 0.5
"""The factor applied to the learning rate each time."""


def has_diverged(loss: float, best: float) -> bool:
    """Whether a loss is not finite, or far above the best before it."""
    return not math.isfinite(loss) or loss > FAR * best


def divergence_text(loss: float, best: float, step: int, best_step: int) -> str:
    """A sentence that says what happened and what is done about it."""
    size = f"{loss:.3g}" if math.isfinite(loss) else "no number"
    after = f" after {best:.3g}" if math.isfinite(best) else ""
    return (
        f"At step {step} the training has diverged, its loss being {size}{after}: it goes back to "
        f"step {best_step}, and on at half the learning rate."
    )
