"""What is known about a value before it is computed: shape and dtype."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from ops.dimension import Dim, Shape, Size, bind_size, names_in, product, surely_differ
from ops.errors import SpecError

FLOATS = (torch.float32, torch.float64)
DTYPES = (*FLOATS, torch.bool)


@dataclass(frozen=True)
class Spec:
    """Shape and dtype of a value. Sizes are integers or named dimensions."""

    shape: Shape
    dtype: torch.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape as integers; it must be bound."""
        sizes = tuple(size for size in self.shape if isinstance(size, int))
        assert len(sizes) == self.ndim, f"{self} is not bound"
        return sizes

    @property
    def numel(self) -> Size:
        """Number of elements."""
        return product(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of the elements in bytes; the shape must be bound."""
        return math.prod(self.sizes) * self.dtype.itemsize

    @property
    def names(self) -> frozenset[str]:
        """The named dimensions of the shape."""
        return names_in(self.shape)

    def with_shape(self, shape: Iterable[Size]) -> Spec:
        """The same dtype with another shape."""
        return Spec(tuple(shape), self.dtype)

    def bind(self, sizes: Mapping[str, int]) -> Spec:
        """The same spec with every named dimension replaced by its size."""
        return self.with_shape(bind_size(size, sizes) for size in self.shape)

    def __str__(self) -> str:
        return f"{dtype_name(self.dtype)}{format_shape(self.shape)}"


def dtype_name(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def format_shape(shape: Iterable[Size]) -> str:
    """A shape as people write it: ``[N, 3, 32, 32]``."""
    return "[" + ", ".join(str(size) for size in shape) + "]"


# Building blocks for an operator's ``infer``.


def same_as_input(spec: Spec, **attributes: object) -> Spec:
    """``infer`` of an operator on one float value whose result has the same shape and dtype."""
    require_float(spec)
    return spec


def require_float(*specs: Spec) -> None:
    """Refuse values that are not floating point."""
    for spec in specs:
        if spec.dtype not in FLOATS:
            raise SpecError(f"expected float32 or float64, got {dtype_name(spec.dtype)}")


def require_ndim(spec: Spec, ndim: int, what: str) -> None:
    """Refuse a value without exactly ``ndim`` axes; ``what`` describes the one expected."""
    if spec.ndim != ndim:
        raise SpecError(f"expected {what} with {ndim} axes, got {spec}")


def require_same_shape(a: Spec, b: Spec) -> None:
    """Refuse two values whose shapes are known to differ."""
    if a.ndim != b.ndim or any(map(surely_differ, a.shape, b.shape)):
        raise SpecError(
            f"expected two equal shapes, got {format_shape(a.shape)} and {format_shape(b.shape)}"
        )


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that values of these shapes broadcast to, by NumPy's rules.

    Of two symbolic sizes that may turn out equal, the first is taken; binding checks them again.
    """
    ndim = max(map(len, shapes), default=0)
    result: list[Size] = []
    for axis in range(-ndim, 0):
        size: Size = 1
        for shape in shapes:
            candidate = shape[axis] if -axis <= len(shape) else 1
            known_beside_named = isinstance(size, Dim) and isinstance(candidate, int)
            if size == 1 or (known_beside_named and candidate != 1):
                size = candidate
            elif candidate != 1 and surely_differ(size, candidate):
                given = " and ".join(map(format_shape, shapes))
                raise SpecError(f"expected shapes that broadcast together, got {given}")
        result.append(size)
    return tuple(result)
