"""Recipes of the tensors that laws are tested on, which shrink, print and reproduce exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch

LAYOUTS = ("contiguous", "channels_last", "transposed", "sliced", "expanded", "full")
"""The memory layout of a sample:

contiguous: row-major.
channels_last: NHWC, if there are four axes.
transposed: row-major with its axes reversed.
sliced: every second element along the last axis of a larger tensor that is otherwise poisoned.
expanded: one row repeated by a stride of zero.
full: one number repeated by strides of zero.
"""

MARGIN = 0.05
"""Minimum distance of a smooth sample from a kink."""


@dataclass(frozen=True)
class Sample:
    """The recipe of a tensor of random values.

    Attributes:
        shape: its sizes.
        dtype: float32, float64 or bool.
        seed: the seed of its values.
        layout: one of LAYOUTS.
        low, high: the range of its values.
        kinks: points where the operator has no derivative; many values are exactly there.
        ties: a number for samples whose values the operator compares, different for each sample.
            Values are then often equal, within a sample and between samples.
        nonfinite: whether a few values are NaN or infinite.
        smooth: for derivatives: no value is near a kink, all are finite, and with ``ties`` no two
            are equal, not even between samples with different ``ties``.
    """

    shape: Sequence[int] = ()
    dtype: torch.dtype = torch.float64
    seed: int = 0
    layout: str = "contiguous"
    low: float = -2.0
    high: float = 2.0
    kinks: Sequence[float] = ()
    ties: int | None = None
    nonfinite: bool = False
    smooth: bool = False

    def __repr__(self) -> str:
        given = [repr(tuple(self.shape))]
        given += [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)[1:]
            if getattr(self, field.name) != field.default
        ]
        return f"Sample({', '.join(given)})"

    def replace(self, **changes: object) -> Sample:
        """The same recipe with some attributes changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def tensor(self) -> torch.Tensor:
        """The tensor in its layout."""
        return lay(self.values(), self.actual_layout)

    def values(self) -> torch.Tensor:
        """The tensor in row-major layout."""
        generator = torch.Generator().manual_seed(self.seed)
        values = self._spread(generator) if self.smooth else self._rough(generator)
        if self.actual_layout == "full" and values.numel():
            values = values.flatten()[0].expand(values.shape).clone()
        if self.actual_layout == "expanded":
            axis = repeated_axis(self.shape)
            values = values.narrow(axis, 0, 1).expand(values.shape).clone()
        return values > 0 if self.dtype == torch.bool else values.to(self.dtype)

    @property
    def actual_layout(self) -> str:
        """The layout, or ``contiguous`` if this sample cannot have it."""
        possible = {
            "channels_last": len(self.shape) == 4,
            "transposed": len(self.shape) > 1,
            "sliced": len(self.shape) > 0,
            "expanded": max(self.shape, default=1) > 1 and not self._distinct,
            "full": not self._distinct,
        }
        return self.layout if possible.get(self.layout, True) else "contiguous"

    @property
    def _distinct(self) -> bool:
        return self.smooth and self.ties is not None

    def _spread(self, generator: torch.Generator) -> torch.Tensor:
        if self.ties is not None:
            count = torch.Size(self.shape).numel()
            ranks = torch.randperm(count, generator=generator).to(torch.float64) - count // 2
            return (ranks * 2 * MARGIN + (0.37 + self.ties) * MARGIN / 2).reshape(tuple(self.shape))
        values = self._uniform(generator)
        for kink in self.kinks:
            away = (values - kink).abs().clamp(min=MARGIN)
            values = kink + torch.where(values < kink, -away, away)
        return values

    def _rough(self, generator: torch.Generator) -> torch.Tensor:
        values = self._uniform(generator)
        if self.ties is not None:
            values = values.round()
        dice = torch.rand(values.shape, generator=generator)
        for i, kink in enumerate(self.kinks):
            values[(dice > 0.2 * i) & (dice < 0.2 * i + 0.2)] = kink
        if self.nonfinite:
            for i, value in enumerate((torch.nan, torch.inf, -torch.inf)):
                values[(dice > 0.95 - 0.05 * i) & (dice < 1 - 0.05 * i)] = value
        return values

    def _uniform(self, generator: torch.Generator) -> torch.Tensor:
        unit = torch.rand(tuple(self.shape), generator=generator, dtype=torch.float64)
        return self.low + (self.high - self.low) * unit


def repeated_axis(shape: Sequence[int]) -> int:
    """The axis that an expanded sample repeats: the first with a size above 1."""
    return next(axis for axis, size in enumerate(shape) if size > 1)


def lay(values: torch.Tensor, layout: str) -> torch.Tensor:
    """The same values in a given memory layout."""
    if layout == "channels_last":
        return values.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    if layout == "transposed":
        axes = tuple(reversed(range(values.ndim)))
        return values.permute(axes).contiguous().permute(axes)
    if layout == "sliced":
        wide = poisoned((*values.shape[:-1], 2 * values.shape[-1] + 1), values.dtype)
        wide[..., 1::2] = values
        return wide[..., 1::2]
    if layout == "expanded":
        axis = repeated_axis(values.shape)
        return values.narrow(axis, 0, 1).contiguous().expand(values.shape)
    if layout == "full" and values.numel():
        return values.flatten()[0].clone().expand(values.shape)
    return values.contiguous()


def poisoned(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """A tensor whose content must not be read: NaN, -1 or True."""
    poison = {torch.bool: True}.get(dtype, torch.nan if dtype.is_floating_point else -1)
    return torch.full(tuple(shape), poison, dtype=dtype)
