"""How well a network does on pictures held out, all of them noisy."""

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
"""About how many pixels of the held-out pictures are looked at."""


class Score(NamedTuple):
    """What a validation finds.

    Attributes:
        loss: the objective's, by which networks are told apart: not negative, and the lower the
            better.
        psnr: estimated from noisy pairs, in dB of the values' range of 1; None where the noise of
            the targets has not the mean zero, or the estimate is above what the pairs can tell.
    """

    loss: float
    psnr: float | None = None


class Validation:
    """The objective on the same held-out squares each time. It learns nothing and changes nothing.

    Where the two shots may change places, the error of the result f by the clean picture is
    estimated without one: with independent noise of mean zero,
    ``(mean (f(a) - b)**2 + mean (f(b) - a)**2) / 2 - mean (a - b)**2 / 2``, even if the two shots
    differ in noise. Of neighbouring pixels taken for two shots it says too little, since these
    differ by more than noise.

    Args:
        objective: of the network.
        source: of held-out pictures.
        batch: examples at a time.
        seed: of the squares.

    Raises:
        OutOfMemory: so many examples take more memory than the machine has.
    """

    def __init__(self, objective: Objective, source: Source, *, batch: int, seed: int) -> None:
        size = source.size
        self._program = compile(objective.graph, N=batch, H=size, W=size)
        require_memory(self._program.peak_bytes)
        self._objective = objective
        count = max(1, math.ceil(PIXELS / (batch * size**2)))
        self._batches = [source.batch(batch, generator_for(seed, i, 1)) for i in range(count)]

    def __call__(self) -> Score:
        """The mean over all squares."""
        swapped = self._objective.swapped
        batches = list(self._batches)
        if swapped is not None:
            batches += [_swapped(batch, *swapped) for batch in self._batches]
        loss, error, gap = torch.stack([self._measure(batch) for batch in batches]).mean(0).tolist()
        if swapped is None:
            return Score(loss)
        estimate = error - gap / 2
        return Score(loss, -10 * math.log10(estimate) if estimate > 0 else None)

    def _measure(self, batch: Batch) -> torch.Tensor:
        feeds = dict(batch)
        if "gamma" in self._program.inputs:
            # The annealed L0 has no value to compare over time; with gamma 1 it is the L1.
            feeds["gamma"] = torch.tensor(1.0)
        results = self._program(**feeds)
        return torch.stack([results[name] for name in ("loss", "error", "gap")]).double()


def _swapped(batch: Batch, first: str, second: str) -> Batch:
    return {**batch, first: batch[second], second: batch[first]}
