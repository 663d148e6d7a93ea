"""The optimizers that a training can use."""

from __future__ import annotations

from typing import Literal

from graphs.optimizers import SGD, Adam, Optimizer

OptimizerName = Literal["adam", "sgd"]

BETAS = (0.9, 0.99)
"""As in the Noise2Noise paper. With the usual 0.999 the mean of squares adapts slowly, and after
one steep gradient all weights take a threefold step at once: that threw a U-Net of 48 channels off
for good after ten thousand good steps."""


def make_optimizer(name: OptimizerName, lr: float) -> Optimizer:
    """Adam, or plain gradient descent, with an initial learning rate."""
    return Adam(lr=lr, betas=BETAS) if name == "adam" else SGD(lr=lr)
