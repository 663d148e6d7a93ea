"""Learning from noisy pictures alone, even from a single one: Zero-Shot Noise2Noise.

A noisy picture is downsampled in two ways, D1 and D2: each 2x2 pixels become the mean of one
diagonal, or of the other. This gives two pictures of one scene, half as large, with independent
noise if the noise of neighbouring pixels is independent. A network f learns to predict each from
the other, and to give the same whether a picture is downsampled before it is cleaned or after:

    ½ [|f(D1 y) - D2 y|² + |f(D2 y) - D1 y|²] + ½ [|f(D1 y) - D1 f(y)|² + |f(D2 y) - D2 f(y)|²]

Source: Mansour and Heckel, "Zero-Shot Noise2Noise: Efficient Image Denoising without any Data",
CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from graphs.builder import GraphBuilder
from graphs.module import Module
from graphs.noise2noise.data.crops import Crops
from graphs.noise2noise.data.sources import Batch
from graphs.noise2noise.training.objectives import Objective
from ops import Node, mse, slice

CROP = 64
"""Side of the squares that a step trains on: smaller ones allow more steps in the same time."""


class Squares:
    """Random squares of noisy pictures.

    Args:
        pictures: (C, H, W) each; see :class:`Crops`.
        size: side of the squares, even.

    Raises:
        InputError: see :class:`Crops`.
    """

    def __init__(self, pictures: Sequence[torch.Tensor], size: int = CROP) -> None:
        self._crops = Crops([picture[None] for picture in pictures], size)
        self.channels, self.size = self._crops.channels, size

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """``noisy``, (count, C, size, size)."""
        return {"noisy": self._crops.gather(self._crops.choose(count, generator)[1])}


def zero_shot_objective(net: Module, channels: int) -> Objective:
    """The loss above; its input is ``noisy``, (N, C, H, W) with even sides."""
    g = GraphBuilder("zero-shot noise2noise")
    noisy = g.input("noisy", ("N", channels, "H", "W"))
    first, second = thinned(noisy)
    clean_first, clean_second = net(first), net(second)
    first_of_clean, second_of_clean = thinned(net(noisy))
    error = (mse(clean_first, second) + mse(clean_second, first)) / 2
    drift = (mse(clean_first, first_of_clean) + mse(clean_second, second_of_clean)) / 2
    graph = g.build(loss=error + drift, error=error, gap=mse(first, second))
    return Objective(graph, None)


def thinned(picture: Node) -> tuple[Node, Node]:
    """D1 and D2: downsample [N, C, H, W] to the means of both diagonals, [N, C, H/2, W/2]."""

    def corner(row: int, column: int) -> Node:
        return slice(slice(picture, 2, row, None, 2), 3, column, None, 2)

    return (corner(0, 1) + corner(1, 0)) / 2, (corner(0, 0) + corner(1, 1)) / 2
