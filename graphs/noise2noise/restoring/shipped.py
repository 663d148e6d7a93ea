"""How the shipped weights see a picture, if they suit it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open

from graphs.noise2noise.data.noise import Gaussian, parse_noise
from graphs.noise2noise.images import Raster, RootScale, Scale, middle, signed_roots
from graphs.noise2noise.inspection.even_noise import EvenNoise
from graphs.noise2noise.networks import SHIPPED
from graphs.noise2noise.restoring.cleaner import Cleaner
from graphs.noise2noise.restoring.noise_level import SIDE, NoiseLevel, noise_level
from graphs.noise2noise.restoring.restorer import Restorer
from graphs.noise2noise.restoring.strided import Strided

TRAINED_FOR, RANGE = "trained for", "range"
"""Keys of the weights' metadata: the noise, such as ``gaussian:25``, and the widest range of values
seen in training."""

FEWEST_PHOTONS = 0.35
"""In the median pixel. With fewer, the noise of the square roots is not even, and learning from the
picture itself is better."""

_COLOURS = 3


class Shown(NamedTuple):
    """How a network sees a picture.

    Attributes:
        scale: from the picture's values to those that the network sees.
        shared: standard deviation of the noise on that scale, if neighbouring pixels share some of
            it; None if they share none.
        is_sure: whether what is removed is certainly noise, not texture.
    """

    scale: Scale
    shared: float | None = None
    is_sure: bool = True


class _Known(NamedTuple):
    """The noise and the widest range of values that the weights know, on the network's scale."""

    sigma: float
    range: float


def shown(raster: Raster, noise: NoiseLevel | None) -> Shown | None:
    """The scale on which a picture is as noisy as those that the shipped weights were trained on.

    The weights know one noise level, and scenes of high or low contrast. Where noise rises with
    brightness, as photon noise does, they see the square roots of the values. Grey counts as three
    equal colours. These share their noise, where colours have independent noise: for the network,
    that is like noise sqrt(3) times as strong.

    None if the weights do not suit the picture: it is not a single one in grey or RGB, its noise is
    not even or comes from very few photons, or its range is wider beside the noise than they know.

    Args:
        raster: the picture.
        noise: its noise; None if that is not known.
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
    """The cleaner for a picture seen like this; ``restore`` holds the weights."""
    return restore if shown.shared is None else Strided(restore, shown.shared)


def cleaned(noisy: torch.Tensor, restore: Restorer) -> torch.Tensor:
    """Clean a picture (C, H, W) of any values as ``denoise`` does; ``restore`` holds the weights.

    If they are not sure to know its noise, it is cleaned as it is, with 1 as white.
    """
    raster = Raster(noisy.numpy(), "CYX")
    seen = shown(raster, noise_level(raster))
    if seen is None or not seen.is_sure:
        seen = Shown(Scale())
    clean = cleaner_for(seen, restore)(seen.scale.to_unit(raster.planes()))
    return torch.from_numpy(seen.scale.from_unit(clean, raster.dtype))


def _shown(raster: Raster, even: EvenNoise, known: _Known) -> Shown | None:
    # Over all pixels: an outlier, such as a defective one, would spoil what is around it.
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
    assert isinstance(noise, Gaussian), "the shipped weights are for Gaussian noise"
    return _Known(noise.high / 255, float(metadata[RANGE]))
