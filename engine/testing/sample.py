"""Tensors that laws are tried on, as recipes: they shrink, print and repeat exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch

LAYOUTS = ("contiguous", "channels_last", "transposed", "sliced", "expanded", "full")
"""How a sample lies in memory:

contiguous: row-major.
channels_last: as NHWC, where there are four axes.
transposed: row-major with its axes reversed.
sliced: every second element of something larger, the rest of which is NaN.
expanded: one row repeated by a stride of zero.
full: one number repeated by strides of zero.
"""

MARGIN = 0.05
"""How far a smooth sample stays from a kink."""


@dataclass(frozen=True)
class Sample:
    """The recipe of a tensor of random values.

    Attributes:
        shape: its sizes.
        dtype: float32, float64 or bool.
        seed: of its values.
        layout: one of LAYOUTS.
        low, high: the range of its values.
        kinks: points where the operator has no derivative: many values lie on them.
        ties: give a number to samples whose values the operator compares: values are often equal,
            with one another and between samples.
        nonfinite: a few values are NaN or infinite.
        smooth: for derivatives. No value is near a kink, no two tie (not even between samples of
            different ``ties``), all are finite.
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
        """The tensor, in its layout."""
        return lay(self.values(), self.actual_layout)

    def values(self) -> torch.Tensor:
        """The tensor, row-major."""
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
        """The layout, or ``contiguous`` where this sample cannot have it."""
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
    """The axis that an expanded sample repeats: the first that is longer than one."""
    return next(axis for axis, size in enumerate(shape) if size > 1)


def lay(values: torch.Tensor, layout: str) -> torch.Tensor:
    """The same values, lying in memory as a layout says."""
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
    """Memory whose content must not be read: NaN, or -1, or True."""
    poison = {torch.bool: True}.get(dtype, torch.nan if dtype.is_floating_point else -1)
    return torch.full(tuple(shape), poison, dtype=dtype)
