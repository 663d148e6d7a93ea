"""Binding: sizes for the names of dimensions, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ops import Dim, FeedError, Node, SpecError
from ops.dimension import bind_size


def names_in_node(node: Node) -> frozenset[str]:
    """The names of the dimensions in a node's spec and attributes."""
    return node.spec.names.union(*map(_names_in_value, node.attributes.values()))


def _names_in_value(value: Any) -> frozenset[str]:
    if isinstance(value, tuple):
        return frozenset[str]().union(*map(_names_in_value, value))
    return value.names() if isinstance(value, Dim) else frozenset()


def require_sizes(dimensions: frozenset[str], sizes: Mapping[str, int]) -> None:
    """Refuse sizes that are missing, belong to no dimension, or are no integer of at least 0.

    Raises:
        FeedError: names the dimension.
    """
    if missing := sorted(dimensions - set(sizes)):
        example = ", ".join(f"{name}=32" for name in missing)
        raise FeedError(f"dimensions without a size: {', '.join(missing)}; give them, as {example}")
    if unknown := sorted(set(sizes) - dimensions):
        known = ", ".join(sorted(dimensions)) or "none"
        raise FeedError(f"the graph has no dimension {', '.join(unknown)} (it has: {known})")
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise FeedError(f"expected a size of at least 0 for dimension {name!r}, got {size!r}")


def bind_node(node: Node, sizes: Mapping[str, int]) -> Node:
    """The node with sizes for names, inferred again.

    Raises:
        SpecError: with these sizes, its inputs do not fit, or give another spec than was assumed.
    """
    attributes = {key: _bind_value(value, sizes) for key, value in node.attributes.items()}
    expected = node.spec.bind(sizes)
    try:
        spec = node.operator.infer(*(source.spec for source in node.inputs), **attributes)
        if spec != expected:
            raise SpecError(f"expected {node.spec}, that is {expected}, got {spec}")
    except SpecError as error:
        given = ", ".join(str(source.spec) for source in node.inputs)
        raise SpecError(
            f"{node.operator.name}: {error.reason}\n  given: {given}\n  at {node.provenance}",
            error.reason,
        ) from None
    return replace(node, attributes=MappingProxyType(attributes), spec=spec)


def _bind_value(value: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(value, Dim):
        return bind_size(value, sizes)
    if isinstance(value, tuple):
        return tuple(_bind_value(item, sizes) for item in value)
    return value
