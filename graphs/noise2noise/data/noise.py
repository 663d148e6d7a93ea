"""Synthetic noise: what two shots of one scene differ by.

The results are not clipped: clipping would shift the mean of the noise away from zero in shadows
and highlights, and training on noisy targets learns that mean. Source of the models and of the loss
that fits each: Lehtinen et al., "Noise2Noise: Learning Image Restoration without Clean Data", ICML
2018; speckle is the usual multiplicative model of coherent imaging.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch

from graphs.noise2noise.data.correlated import correlated_normal
from graphs.noise2noise.data.text import write_over
from graphs.noise2noise.errors import InputError

Loss = Literal["l2", "l1", "l0", "masked"]


class Shot(NamedTuple):
    """A noisy picture.

    Attributes:
        pixels: (N, C, H, W), the shape of the clean pictures.
        kept: (N, 1, H, W), 1 where a pixel was recorded and 0 where it is missing; None if none
            can be missing.
    """

    pixels: torch.Tensor
    kept: torch.Tensor | None = None


@dataclass(frozen=True)
class Noise:
    """Base class of noise models: a level, or a range from which each picture draws its own.

    Attributes:
        low, high: the range of levels; each model defines what a level means.
        loss: the loss whose minimum over noisy targets is the clean picture: ``l2`` finds their
            mean, ``l1`` their median, annealed ``l0`` their mode, ``masked`` the mean of what was
            recorded.

    Raises:
        InputError: a level is out of the model's range.
    """

    low: float
    high: float
    name: ClassVar[str]
    loss: ClassVar[Loss] = "l2"
    most: ClassVar[float] = math.inf
    """The highest meaningful level."""

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise InputError(
                f"{self.name} noise: expected a range from low to high, got {self.levels}"
            )
        if not 0 <= self.low <= self.high <= self.most or math.isinf(self.high):
            limit = " and finite" if math.isinf(self.most) else f" and at most {self.most:g}"
            raise InputError(
                f"{self.name} noise: expected a level of at least 0{limit}, got {self.levels}"
            )

    def __call__(self, clean: torch.Tensor, generator: torch.Generator) -> Shot:
        """A noisy shot of each picture.

        Args:
            clean: (N, C, H, W) with values in [0, 1].
            generator: the source of randomness.
        """
        shares = torch.rand((len(clean), 1, 1, 1), generator=generator)
        return self._shot(clean, self.low + (self.high - self.low) * shares, generator)

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        raise NotImplementedError

    @property
    def levels(self) -> str:
        """The level or the range, such as ``25`` or ``0-50``."""
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g}-{self.high:g}"

    def __str__(self) -> str:
        return f"{self.name}:{self.levels}"


class Gaussian(Noise):
    """Independent normal noise on every value; the level is its std on a scale of 0 to 255."""

    name = "gaussian"

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        return Shot(clean + torch.randn(clean.shape, generator=generator) * (level / 255))


class Correlated(Noise):
    """Normal noise correlated between neighbours and channels, see :func:`correlated_normal`.

    The level is its standard deviation on a scale of 0 to 255.
    """

    name = "correlated"

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        return Shot(clean + correlated_normal(clean, generator) * (level / 255))


class Poisson(Noise):
    """Photon counts over the level, the mean count for white (1). The variance is x/level."""

    name = "poisson"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low == 0:
            raise InputError(f"poisson noise: expected a level above 0, got {self.levels}")

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        return Shot(torch.poisson(clean.clamp(min=0) * level, generator=generator) / level)


class Speckle(Noise):
    """Normal noise proportional to the value: ``x (1 + level n)``."""

    name = "speckle"

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        return Shot(clean + clean * torch.randn(clean.shape, generator=generator) * level)


class Bernoulli(Noise):
    """Pixels missing at random, set to black; the level is the probability of that."""

    name = "bernoulli"
    loss = "masked"
    most = 1.0

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        kept = (_uniform_per_pixel(clean, generator) >= level).to(clean.dtype)
        return Shot(clean * kept, kept)


class Impulse(Noise):
    """Pixels replaced by random colours; the level is the probability of that."""

    name = "impulse"
    loss = "l0"
    most = 1.0

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        hit = _uniform_per_pixel(clean, generator) < level
        return Shot(torch.where(hit, torch.rand(clean.shape, generator=generator), clean))


class Text(Noise):
    """Words of random size and colour written over the picture; the level is the covered share."""

    name = "text"
    loss = "l1"
    most = 0.9

    def _shot(self, clean: torch.Tensor, level: torch.Tensor, generator: torch.Generator) -> Shot:
        pictures = zip(clean, level.flatten().tolist(), strict=True)
        return Shot(torch.stack([write_over(p, share, generator) for p, share in pictures]))


NOISES: Mapping[str, type[Noise]] = {
    kind.name: kind for kind in (Gaussian, Correlated, Poisson, Bernoulli, Impulse, Text, Speckle)
}


_NUMBER = r"\d*\.?\d+(?:e[+-]?\d+)?"
_LEVELS = re.compile(rf"(?P<low>{_NUMBER})(?:-(?P<high>{_NUMBER}))?")


def parse_noise(text: str) -> Noise:
    """Parse a noise model as the command line writes it: ``gaussian:25``, ``gaussian:0-50``.

    Raises:
        InputError: there is no such model, or the level is not a number in its range.
    """
    name, _, levels = text.partition(":")
    if name not in NOISES:
        raise InputError(f"there is no noise {name!r}; expected one of {', '.join(NOISES)}")
    found = _LEVELS.fullmatch(levels)
    if found is None:
        raise InputError(f"noise {text!r}: expected a level, as {name}:0.5 or {name}:0.1-0.5")
    low, high = found["low"], found["high"]
    return NOISES[name](float(low), float(high or low))


def _uniform_per_pixel(clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.rand((len(clean), 1, *clean.shape[2:]), generator=generator)
