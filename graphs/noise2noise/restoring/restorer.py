"""Whole pictures through a network, whatever their size."""

from __future__ import annotations

from functools import lru_cache

import torch

from engine import Program, compile
from graphs.builder import GraphBuilder
from graphs.model import MULTIPLE, extend_to_multiple
from graphs.module import Module

PROGRAMS_KEPT = 4
"""Sizes for which a restorer keeps its compiled programs; the least recently used goes first."""


class Restorer:
    """Cleans pictures with a network, compiling it once for each size it meets.

    The network may go on learning between calls: its parameters are shared, not copied.

    Args:
        net: from pictures (N, 3, H, W) to pictures of that shape, for H and W divisible by 4.
            Pictures of other sizes are extended by repeating their last row and column.
    """

    def __init__(self, net: Module) -> None:
        g = GraphBuilder("restorer")
        self._graph = g.build(clean=net(g.input("noisy", ("N", 3, "H", "W"))))
        self._programs = lru_cache(PROGRAMS_KEPT)(self._compile)

    def __call__(self, noisy: torch.Tensor) -> torch.Tensor:
        """The pictures cleaned: (C, H, W) or (N, C, H, W) in, the same shape out.

        A network of colours sees any other channel, alone, as three equal ones.
        """
        if noisy.shape[-3] != 3:
            parts = noisy.split(1, -3)
            grey = [self(part.expand(*part.shape[:-3], 3, -1, -1)) for part in parts]
            return torch.cat([part.mean(-3, keepdim=True) for part in grey], -3)
        batch = noisy if noisy.ndim == 4 else noisy[None]
        height, width = batch.shape[2:]
        padded = extend_to_multiple(batch, MULTIPLE)
        clean = self._programs(*padded.shape)(noisy=padded)["clean"][..., :height, :width]
        return clean if noisy.ndim == 4 else clean[0]

    def _compile(self, count: int, _channels: int, height: int, width: int) -> Program:
        return compile(self._graph, outputs=["clean"], N=count, H=height, W=width)
