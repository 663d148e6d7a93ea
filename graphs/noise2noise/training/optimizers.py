"""The optimizers that a training can use."""

from __future__ import annotations

from typing import Literal

from graphs.optimizers import SGD, Adam, Optimizer

OptimizerName = Literal["adam", "sgd"]

BETAS = (0.9, 0.99)
"""The Noise2Noise paper's. With the usual 0.999 the mean of squares forgets slowly, and after one
steep gradient all weights take a threefold step at once: a U-Net of 48 channels, after ten thousand
good steps, was thrown off by that for ever."""


def make_optimizer(name: OptimizerName, lr: float) -> Optimizer:
    """Adam, or plain gradient descent, with a first learning rate."""
    return Adam(lr=lr, betas=BETAS) if name == "adam" else SGD(lr=lr)
