"""A node: one application of an operator, and the symbol that stands for its result."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from ops.dimension import Dim, Shape
from ops.provenance import Provenance
from ops.registry import REGISTRY
from ops.spec import Spec

if TYPE_CHECKING:
    from ops.operator import Operator

Scalar = int | float | Dim
_creations = itertools.count()


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Node:
    """A value in a graph: ``operator`` applied to ``inputs``. Immutable; compared by identity.

    Python's arithmetic on nodes adds nodes: ``2 * x + y``, ``x @ w``, ``x > 0``. ``==`` still means
    identity; use :func:`ops.equal` to compare elements.
    """

    operator: Operator
    inputs: tuple[Node, ...]
    attributes: Mapping[str, Any]
    spec: Spec
    provenance: Provenance
    creation: int = field(default_factory=lambda: next(_creations))

    def __post_init__(self) -> None:
        if not isinstance(self.attributes, MappingProxyType):  # else taken from another node
            object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return self.spec.shape

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the axes as integers; the node must belong to a bound graph."""
        return self.spec.sizes

    @property
    def dtype(self) -> torch.dtype:
        """Element type."""
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.spec.ndim

    @property
    def order(self) -> tuple[int, int]:
        """Sort key: the order in which nodes were requested."""
        return self.provenance.serial, self.creation

    @property
    def name(self) -> str | None:
        """The name of an input or a parameter; None for a computed value."""
        named = self.operator.name in ("input", "parameter")
        return self.attributes["name"] if named else None

    def __repr__(self) -> str:
        label = self.name or self.operator.name
        return f"<{label} {self.spec}>"

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value while a graph is built; use ops.where")

    def __add__(self, other: Node | Scalar) -> Node:
        return _apply("add", self, other)

    def __radd__(self, other: Scalar) -> Node:
        return _apply("add", other, self)

    def __sub__(self, other: Node | Scalar) -> Node:
        return _apply("sub", self, other)

    def __rsub__(self, other: Scalar) -> Node:
        return _apply("sub", other, self)

    def __mul__(self, other: Node | Scalar) -> Node:
        return _apply("mul", self, other)

    def __rmul__(self, other: Scalar) -> Node:
        return _apply("mul", other, self)

    def __truediv__(self, other: Node | Scalar) -> Node:
        return _apply("div", self, other)

    def __rtruediv__(self, other: Scalar) -> Node:
        return _apply("div", other, self)

    def __pow__(self, other: Node | Scalar) -> Node:
        return _apply("pow", self, other)

    def __rpow__(self, other: Scalar) -> Node:
        return _apply("pow", other, self)

    def __neg__(self) -> Node:
        return _apply("neg", self)

    def __abs__(self) -> Node:
        return _apply("abs", self)

    def __gt__(self, other: Node | Scalar) -> Node:
        return _apply("greater", self, other)

    def __ge__(self, other: Node | Scalar) -> Node:
        return _apply("greater_equal", self, other)

    def __lt__(self, other: Node | Scalar) -> Node:
        return _apply("less", self, other)

    def __le__(self, other: Node | Scalar) -> Node:
        return _apply("less_equal", self, other)

    def __matmul__(self, other: Node) -> Node:
        from ops.linear_algebra import matmul

        return matmul(self, other)


def _apply(name: str, *arguments: Node | Scalar) -> Node:
    return REGISTRY[name](*arguments)
