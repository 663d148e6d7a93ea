"""How the weights that come along are to see a picture, if they are for such ones."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open

from graphs.noise2noise.data.noise import Gaussian, parse_noise
from graphs.noise2noise.images import Raster, RootScale, Scale, signed_roots
from graphs.noise2noise.inspection.even_noise import EvenNoise
from graphs.noise2noise.inspection.scene import middle
from graphs.noise2noise.networks import SHIPPED
from graphs.noise2noise.restoring.cleaner import Cleaner
from graphs.noise2noise.restoring.noise_level import SIDE, NoiseLevel, noise_level
from graphs.noise2noise.restoring.restorer import Restorer
from graphs.noise2noise.restoring.strided import Strided

TRAINED_FOR, RANGE = "trained for", "range"
"""Of the weights' metadata: the noise, as ``gaussian:25``, and the widest range of values seen."""

FEWEST_PHOTONS = 0.35
"""In half of the pixels. With fewer the noise of roots is not even, and learning anew is better."""

_COLOURS = 3


class Shown(NamedTuple):
    """How the weights that come along are to see a picture.

    Attributes:
        scale: from the picture's values to those that they are to see.
        shared: standard deviation of the noise in these, where neighbouring pixels share some of
            it; None where they share none.
        is_sure: whether what is taken away is noise, and no texture.
    """

    scale: Scale
    shared: float | None = None
    is_sure: bool = True


class _Known(NamedTuple):
    """Noise that the weights know, and the widest range, in the values that networks see."""

    sigma: float
    range: float


def shown(raster: Raster, noise: NoiseLevel | None) -> Shown | None:
    """How a picture is as noisy as those that the weights have seen.

    They know one strength of noise, and scenes of much contrast or little. Where noise rises with
    brightness, as that of photons, they see the roots of the values. Grey counts as three equal
    colours, whose noise is the same and not, as that of colours, independent: where these are alike
    it is as strong as sqrt(3) times that.

    None where the weights are not for such a picture: not grey or RGB, with so little noise that
    there was never as wide a range beside it, or with noise that is not even.

    Args:
        raster: the picture.
        noise: its own; None if that is not known.
    """
    if raster.channels not in (1, _COLOURS) or raster.frames > 1:
        return None
    if noise is None or noise.even is None:
        return None
    photons, known = noise.even.photons, _known()
    if known is None or (photons is not None and photons < FEWEST_PHOTONS):
        return None
    return _shown(raster, noise.even, known)


def cleaner_for(shown: Shown, restore: Restorer) -> Cleaner:
    """What cleans a picture that is shown so, ``restore`` having the weights."""
    return restore if shown.shared is None else Strided(restore, shown.shared)


def cleaned(noisy: torch.Tensor, restore: Restorer) -> torch.Tensor:
    """A picture (C, H, W) of any values as ``denoise`` cleans it, ``restore`` having the weights.

    With noise that they are not sure to know it is cleaned as it is, white being 1.
    """
    raster = Raster(noisy.numpy(), "CYX")
    seen = shown(raster, noise_level(raster))
    if seen is None or not seen.is_sure:
        seen = Shown(Scale())
    clean = cleaner_for(seen, restore)(seen.scale.to_unit(raster.planes()))
    return torch.from_numpy(seen.scale.from_unit(clean, raster.dtype))


def _shown(raster: Raster, even: EvenNoise, known: _Known) -> Shown | None:
    # Of all pixels: what lies far out, as a broken one, would spoil what is around it.
    ends = np.array(raster.extremes())
    low, high = (ends if even.zero is None else signed_roots(even.zero, ends)).tolist()
    alike = math.sqrt(_COLOURS) if _is_grey(raster) else 1.0
    white = alike * even.sigma / known.sigma
    if high - low > known.range * white:
        return None
    seen = (low + high - white) / 2, (low + high + white) / 2
    scale = Scale(*seen) if even.zero is None else RootScale(*seen, even.zero, even.sigma)
    return Shown(scale, None if even.is_white else known.sigma / alike, even.is_sure)


def _is_grey(raster: Raster) -> bool:
    planes = middle(raster.planes(), SIDE)
    return bool((planes == planes[:1]).all())


def _known() -> _Known | None:
    if not SHIPPED.exists():
        return None
    with safe_open(SHIPPED, "pt") as file:
        metadata = file.metadata() or {}
    if TRAINED_FOR not in metadata or RANGE not in metadata:
        return None
    noise = parse_noise(metadata[TRAINED_FOR])
    assert isinstance(noise, Gaussian), "the weights that come along are for Gaussian noise"
    return _Known(noise.high / 255, float(metadata[RANGE]))
