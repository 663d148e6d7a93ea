"""How the weights that come along are to see a picture, if they are for such ones."""

from __future__ import annotations

import math

import numpy as np
from safetensors import safe_open

from graphs.noise2noise.data.noise import Gaussian, parse_noise
from graphs.noise2noise.images import Raster, Scale
from graphs.noise2noise.inspection.scene import middle
from graphs.noise2noise.networks import SHIPPED
from graphs.noise2noise.restoring.noise_level import SIDE, NoiseLevel

TRAINED_FOR = "trained for"
"""Of the weights' metadata: the noise, as ``gaussian:25``."""

WEAKEST, STRONGEST = 0.8, 3.5
"""Times the noise that they were trained for. Where there is less, learning anew does better."""

_COLOURS = 3


def scale_for(raster: Raster, noise: NoiseLevel | None) -> Scale | None:
    """The scale on which a picture of 8 bits is as noisy as those that the weights have seen.

    They know one strength of noise. A picture with more is shown to them with less contrast, about
    the middle grey. Grey counts as three equal colours, whose noise is the same and not, as that
    of colours, independent: where these are alike it is as strong as sqrt(3) times that.

    None where the weights are not for such a picture: not grey or RGB of 8 bits, with less noise,
    or with noise that neighbouring pixels share or that rises with brightness.

    Args:
        raster: the picture.
        noise: its own; None if that is not known.
    """
    if not SHIPPED.exists() or raster.dtype != np.uint8 or raster.frames > 1:
        return None
    known = _trained_for()
    if raster.channels not in (1, _COLOURS) or known is None or noise is None:
        return None
    seen = float(np.mean(noise.sigma)) * (math.sqrt(_COLOURS) if _is_grey(raster) else 1)
    if noise.correlated or noise.rising:
        return None
    if not WEAKEST * known.low <= seen <= STRONGEST * known.high:
        return None
    half_range = 255 / 2 * seen / min(max(seen, known.low), known.high)
    return Scale(255 / 2 - half_range, 255 / 2 + half_range)


def _is_grey(raster: Raster) -> bool:
    planes = middle(raster.planes(), SIDE)
    return bool((planes == planes[:1]).all())


def _trained_for() -> Gaussian | None:
    with safe_open(SHIPPED, "pt") as file:
        text = (file.metadata() or {}).get(TRAINED_FOR)
    known = parse_noise(text) if text else None
    return known if isinstance(known, Gaussian) else None
