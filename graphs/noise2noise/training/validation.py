"""How well a network does on held-out pictures, all of them noisy."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from engine import compile
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import Batch, Source
from graphs.noise2noise.training.memory import require_memory
from graphs.noise2noise.training.objectives import Objective

PIXELS = 1 << 18
"""The least number of pixels of the held-out pictures that are evaluated."""


class Score(NamedTuple):
    """The result of a validation.

    Attributes:
        loss: the objective's, by which networks are compared: not negative, lower is better.
        psnr: estimated from noisy pairs, in dB, with white as 1; None where the noise of the
            targets does not have zero mean, or the error is too small for the pairs to resolve.
    """

    loss: float
    psnr: float | None = None


class Validation:
    """Evaluates the objective on the same held-out crops each time, without changing anything.

    Where the two shots may be swapped, the error of the result f against the clean picture is
    estimated without that picture: with independent noise of mean zero it is
    ``(mean (f(a) - b)**2 + mean (f(b) - a)**2) / 2 - mean (a - b)**2 / 2``, even if the two shots
    differ in noise. For neighbouring pixels in place of two shots the estimate is biased, mostly
    too low, since they differ by more than noise.

    Args:
        objective: of the network.
        source: of held-out pictures.
        batch: examples at a time.
        seed: of the crops.
        scale: the source's values are the pictures' divided by it, but for an offset.

    Raises:
        OutOfMemory: a batch takes more memory than the machine has.
    """

    def __init__(
        self, objective: Objective, source: Source, *, batch: int, seed: int, scale: float = 1.0
    ) -> None:
        size = source.size
        self._program = compile(objective.graph, N=batch, H=size, W=size)
        require_memory(self._program.peak_bytes)
        self._objective, self._scale = objective, scale
        count = max(1, math.ceil(PIXELS / (batch * size**2)))
        self._batches = [source.batch(batch, generator_for(seed, i, 1)) for i in range(count)]

    def __call__(self) -> Score:
        """The mean over all crops."""
        swapped = self._objective.swapped
        batches = list(self._batches)
        if swapped is not None:
            batches += [_swapped(batch, *swapped) for batch in self._batches]
        loss, error, gap = torch.stack([self._measure(batch) for batch in batches]).mean(0).tolist()
        if swapped is None:
            return Score(loss)
        estimate = (error - gap / 2) * self._scale**2
        return Score(loss, -10 * math.log10(estimate) if estimate > 0 else None)

    def _measure(self, batch: Batch) -> torch.Tensor:
        feeds = dict(batch)
        if "gamma" in self._program.inputs:
            # The annealed L0 is not comparable over time; with gamma 1 it is the L1.
            feeds["gamma"] = torch.tensor(1.0)
        results = self._program(**feeds)
        return torch.stack([results[name] for name in ("loss", "error", "gap")]).double()


def _swapped(batch: Batch, first: str, second: str) -> Batch:
    return {**batch, first: batch[second], second: batch[first]}
