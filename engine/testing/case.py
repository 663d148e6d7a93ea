"""A case: the inputs and attributes that an operator is tested on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import torch

from engine.testing.sample import Sample


class Case:
    """Inputs and attributes for one call of an operator.

    >>> Case(Sample((2, 3)), Sample((3,), seed=1), dim=0)
    Case(Sample((2, 3)), Sample((3,), seed=1), dim=0)
    """

    def __init__(self, *inputs: Sample, **attributes: Any) -> None:
        self.inputs = inputs
        self.attributes = attributes

    def __repr__(self) -> str:
        given = [repr(sample) for sample in self.inputs]
        given += [f"{name}={value!r}" for name, value in self.attributes.items()]
        return f"Case({', '.join(given)})"

    def tensors(self) -> list[torch.Tensor]:
        """The inputs, newly made."""
        return [sample.tensor() for sample in self.inputs]

    def as_dtype(self, dtype: torch.dtype) -> Case:
        """The same case with its float inputs in another float dtype."""
        inputs = (s if s.dtype == torch.bool else s.replace(dtype=dtype) for s in self.inputs)
        return Case(*inputs, **self.attributes)

    def smooth(self) -> Case:
        """The same case in float64 with smooth inputs, for derivatives."""
        inputs = (sample.replace(smooth=True) for sample in self.inputs)
        return Case(*inputs, **self.attributes).as_dtype(torch.float64)

    def noise(self, shape: Sequence[Any], key: str) -> torch.Tensor:
        """Standard normal float64 values, determined by the case, the key and the shape."""
        seed = zlib.crc32(f"{self} {key}".encode())
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)
