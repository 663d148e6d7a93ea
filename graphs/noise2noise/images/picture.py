"""A picture in the form that networks take."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from graphs.noise2noise.images.raster import Raster
from graphs.noise2noise.images.scale import Scale


@dataclass(frozen=True)
class Picture:
    """One picture in memory, with what is needed to write it back in its original form.

    Attributes:
        pixels: float32, (C, H, W), without opacity; nominally in [0, 1].
        scale: by which the file's numbers were converted to ``pixels``.
        source: the file's own pixels and metadata; None for a picture that was never a file, which
            is written in 8 bits.
    """

    pixels: torch.Tensor
    scale: Scale = field(default_factory=lambda: Scale(0.0, 255.0))
    source: Raster | None = None

    @property
    def kind(self) -> Raster:
        """A raster with the dtype, layout and metadata that it is written with."""
        if self.source is not None:
            return self.source
        channels, height, width = self.pixels.shape
        grey = channels == 1
        shape = (height, width) if grey else (height, width, channels)
        return Raster(np.zeros(shape, np.uint8), "YX" if grey else "YXS")


def pictures_of(raster: Raster, scale: Scale | None = None) -> list[Picture]:
    """Every frame of a raster as a picture, all with the same scale.

    Args:
        raster: of any number of frames.
        scale: by default the dtype's: 0 to 255 of uint8, floats as they are.
    """
    scale = scale or Scale.of_dtype(raster.dtype)
    return [
        Picture(scale.to_unit(raster.planes(frame)), scale, raster)
        for frame in range(raster.frames)
    ]
