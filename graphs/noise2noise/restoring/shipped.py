"""Whether the weights that come along are for such a picture."""

from __future__ import annotations

import numpy as np
from safetensors import safe_open

from graphs.noise2noise.data.noise import Gaussian, parse_noise
from graphs.noise2noise.images import Raster
from graphs.noise2noise.networks import SHIPPED
from graphs.noise2noise.restoring.noise_level import noise_level

TRAINED_FOR = "trained for"
"""Of the weights' metadata: the noise, as ``gaussian:25``."""

TOLERANCE = 1.25
"""Times the noise that they were trained for, or its inverse."""


def suit(raster: Raster) -> bool:
    """Whether a raster is a colour picture of 8 bits with about the noise that they know."""
    if (
        not SHIPPED.exists()
        or raster.dtype != np.uint8
        or (raster.frames, raster.channels) != (1, 3)
    ):
        return False
    known, found = _trained_for(), noise_level(raster)
    if known is None or found is None or found.correlated:
        return False
    sigma = float(np.mean(found.sigma))
    return known.low / TOLERANCE <= sigma <= known.high * TOLERANCE


def _trained_for() -> Gaussian | None:
    with safe_open(SHIPPED, "pt") as file:
        text = (file.metadata() or {}).get(TRAINED_FOR)
    noise = parse_noise(text) if text else None
    return noise if isinstance(noise, Gaussian) else None
