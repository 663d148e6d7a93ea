"""Mapping a file's numbers to the range that networks work in, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Scale:
    """A linear map: ``low`` becomes 0 and ``high`` becomes 1.

    Shots that are compared or trained on together must share one scale.
    """

    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of_dtype(cls, dtype: np.dtype) -> Scale:
        """The range of a dtype: 0 to 255 for uint8, 0 to 65535 for uint16; floats as they are."""
        return cls() if dtype.kind == "f" else cls(0.0, float(np.iinfo(dtype).max))

    @classmethod
    def of_values(cls, values: np.ndarray) -> Scale:
        """The range of the values, without the lowest and the highest thousandth."""
        low, high = (float(edge) for edge in np.quantile(values, (0.001, 0.999)))
        return cls(low, high if high > low else low + 1)

    def to_unit(self, values: np.ndarray) -> torch.Tensor:
        """The file's numbers as float32; outliers lie outside [0, 1]."""
        precise = values.astype(np.result_type(values.dtype, np.float32))
        scaled = (precise - self.low) / (self.high - self.low)
        return torch.from_numpy(np.ascontiguousarray(scaled, np.float32))

    def from_unit(self, values: torch.Tensor, dtype: np.dtype) -> np.ndarray:
        """The nearest numbers that a dtype can hold."""
        precise = values.numpy().astype(np.result_type(dtype, np.float32))
        return nearest(precise * (self.high - self.low) + self.low, dtype)


@dataclass(frozen=True)
class RootScale(Scale):
    """A linear map of square roots: photon noise grows with the signal, but is even in the roots.

    The mean of a square is the square of the mean plus the variance: denoising the roots removes
    that variance, so it is added back. Not where there is hardly any light: for zero or one photon
    the root of the count is the count itself, and so are the means. Source: Anscombe, "The
    transformation of Poisson, binomial and negative-binomial data", Biometrika 1948, except for
    what is added back.

    Attributes:
        zero: the value that stands for no light; roots of values below it are negative.
        sigma: standard deviation of the noise of the roots: half the root of the value of one
            photon.
    """

    zero: float = 0.0
    sigma: float = 0.0

    def to_unit(self, values: np.ndarray) -> torch.Tensor:
        """The file's numbers as float32."""
        return super().to_unit(signed_roots(self.zero, values))

    def from_unit(self, values: torch.Tensor, dtype: np.dtype) -> np.ndarray:
        """The nearest numbers that a dtype can hold."""
        precise = values.numpy().astype(np.result_type(dtype, np.float32))
        roots = precise * (self.high - self.low) + self.low
        size = np.abs(roots)
        light = np.where(size < self.sigma, 2 * self.sigma * size, size**2 + self.sigma**2)
        return nearest(np.copysign(light, roots) + self.zero, dtype)


def signed_roots(zero: float, values: np.ndarray) -> np.ndarray:
    """The roots of values less a zero point, with the sign of the difference."""
    above = values.astype(np.result_type(values.dtype, np.float32)) - zero
    return np.copysign(np.sqrt(np.abs(above)), above)


def nearest(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The nearest numbers that a dtype can hold."""
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        return values.clip(float(limits.min), float(limits.max)).astype(dtype)
    whole = np.iinfo(dtype)
    return values.round().clip(whole.min, whole.max).astype(dtype)
