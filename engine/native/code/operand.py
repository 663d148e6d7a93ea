"""Values as generated code sees them: an address and a memory layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.layout import strides
from ops import Spec

TYPES = {torch.float32: "float", torch.float64: "double", torch.bool: "unsigned char"}
SUFFIX = {torch.float32: "f", torch.float64: "d"}


@dataclass(frozen=True)
class Operand:
    """A value in memory.

    Attributes:
        address: a C expression of type ``char *``.
        shape, strides: in elements.
        dtype: of the elements.
    """

    address: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    @staticmethod
    def of(address: str, layout: torch.Tensor) -> Operand:
        """The operand of a tensor, with or without data, whose storage begins at ``address``."""
        if layout.storage_offset():
            address = f"{address} + {layout.storage_offset() * layout.dtype.itemsize}"
        return Operand(address, tuple(layout.shape), layout.stride(), layout.dtype)

    @staticmethod
    def stored(spec: Spec) -> Operand:
        """The operand of a value in memory of its own, in the default layout."""
        return Operand("", spec.sizes, strides(spec.sizes), spec.dtype)

    @property
    def dense(self) -> bool:
        """Whether it has the default layout of its shape, without gaps."""
        expected = strides(self.shape)
        sizes = zip(self.shape, self.strides, expected, strict=True)
        return all(size == 1 or given == wanted for size, given, wanted in sizes)

    def pointer(self, name: str, writable: bool = False) -> str:
        """The declaration of a typed pointer to it."""
        const = "" if writable else "const "
        kind = TYPES[self.dtype]
        return f"{const}{kind} *{name} = ({const}{kind} *)({self.address});"

    def broadcast_strides(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Its strides when broadcast to ``shape``: 0 along axes where it is repeated."""
        leading = len(shape) - len(self.shape)
        own = [s if n != 1 else 0 for n, s in zip(self.shape, self.strides, strict=True)]
        return (0,) * leading + tuple(own)


@dataclass(frozen=True)
class Operands:
    """Everything a step reads or writes."""

    out: Operand
    inputs: tuple[Operand, ...]
    scratch: tuple[Operand, ...]
