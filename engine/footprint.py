"""The memory needs of each node, which do not depend on the order of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from engine.graph import Graph
from engine.kernels import Kernel
from engine.layout import stored, view_of
from engine.lowering import Choose
from ops import Node, Spec
from ops.leaves import input, is_constant, parameter


@dataclass(frozen=True)
class Footprint:
    """How a node is computed, and where its value may be stored.

    Attributes:
        kernel: None for a leaf and for a view.
        workspace: the kernel's scratch tensors.
        layout: a tensor without data (on torch's ``meta`` device) with the value's strides.
        root: the node whose memory holds the value: the node itself unless it is a view.
        donors: roots of inputs whose memory the result may overwrite once nothing else reads them.
    """

    kernel: Kernel | None
    workspace: tuple[Spec, ...]
    layout: torch.Tensor
    root: Node
    donors: tuple[Node, ...] = ()


Footprints = Mapping[Node, Footprint]


def is_leaf(node: Node) -> bool:
    """Whether the node is given rather than computed."""
    return node.operator is input or node.operator is parameter or is_constant(node)


def footprints(graph: Graph, choose: Choose) -> dict[Node, Footprint]:
    """The footprint of every node of a bound graph, inputs before consumers."""
    found: dict[Node, Footprint] = {}
    for node in graph.nodes:
        found[node] = _footprint(node, found, choose)
    return found


def has_memory(root: Node) -> bool:
    """Whether a value takes program memory for a limited lifetime."""
    return root.operator is not parameter and not is_constant(root)


def _footprint(node: Node, found: Footprints, choose: Choose) -> Footprint:
    if is_leaf(node):
        return Footprint(None, (), stored(node), node)
    view = view_of(node, found[node.inputs[0]].layout) if node.inputs else None
    if view is not None:
        return Footprint(None, (), view, found[node.inputs[0]].root)
    kernel, layout = choose(node), stored(node)
    donors = _donors(node, kernel, layout, found)
    return Footprint(kernel, tuple(kernel.workspace(node)), layout, node, donors)


def _donors(
    node: Node, kernel: Kernel, layout: torch.Tensor, found: Footprints
) -> tuple[Node, ...]:
    overwrites, by_root = kernel.overwrites(node), dict[Node, list[bool]]()
    for number, source in enumerate(node.inputs):
        fits = number in overwrites and _lie_alike(found[source].layout, layout)
        by_root.setdefault(found[source].root, []).append(fits)
    return tuple(root for root, fits in by_root.items() if has_memory(root) and all(fits))


def _lie_alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return (a.shape, a.stride(), a.dtype, a.storage_offset()) == (
        b.shape,
        b.stride(),
        b.dtype,
        b.storage_offset(),
    )
