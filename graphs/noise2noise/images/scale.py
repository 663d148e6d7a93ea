"""From a file's numbers to the range that networks work in, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Scale:
    """A straight line: ``low`` becomes 0 and ``high`` becomes 1.

    Shots that are compared or trained on together need one scale.
    """

    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of_dtype(cls, dtype: np.dtype) -> Scale:
        """What a dtype can hold: 0 to 255 of uint8, 0 to 65535 of uint16; floats as they are."""
        return cls() if dtype.kind == "f" else cls(0.0, float(np.iinfo(dtype).max))

    @classmethod
    def of_values(cls, values: np.ndarray) -> Scale:
        """The range that the values take, but for the lowest and the highest thousandth."""
        low, high = (float(edge) for edge in np.quantile(values, (0.001, 0.999)))
        return cls(low, high if high > low else low + 1)

    def to_unit(self, values: np.ndarray) -> torch.Tensor:
        """The file's numbers as float32; outliers lie outside of [0, 1]."""
        precise = values.astype(np.result_type(values.dtype, np.float32))
        scaled = (precise - self.low) / (self.high - self.low)
        return torch.from_numpy(np.ascontiguousarray(scaled, np.float32))

    def from_unit(self, values: torch.Tensor, dtype: np.dtype) -> np.ndarray:
        """The nearest numbers that a dtype can hold."""
        precise = values.numpy().astype(np.result_type(dtype, np.float32))
        scaled = precise * (self.high - self.low) + self.low
        if dtype.kind == "f":
            limits = np.finfo(dtype)
            return scaled.clip(float(limits.min), float(limits.max)).astype(dtype)
        whole = np.iinfo(dtype)
        return scaled.round().clip(whole.min, whole.max).astype(dtype)
