"""A picture in the form that networks take."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from graphs.noise2noise.images.raster import Raster
from graphs.noise2noise.images.scale import Scale


@dataclass(frozen=True)
class Picture:
    """One picture in memory, and where it came from.

    Attributes:
        pixels: float32, (C, H, W), without opacity; nominally in [0, 1].
        scale: by which the file's numbers were converted to ``pixels``.
        source: the file's own pixels and metadata.
    """

    pixels: torch.Tensor
    scale: Scale
    source: Raster
