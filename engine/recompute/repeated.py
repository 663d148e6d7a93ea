"""Building a graph in which some nodes are computed several times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.footprint import is_leaf
from engine.graph import Graph, Update
from engine.kernels import Kernel
from ops import Node


class Repeated:
    """Rebuilds a graph, one call per computation; each recomputation becomes a new node.

    Attributes:
        order: the new nodes in the order of execution; views come when they are first needed.
        kernels: the kernels of the new nodes, except views.
    """

    def __init__(self, graph: Graph, kernels: Mapping[Node, Kernel]) -> None:
        """Start from a graph and its nodes' kernels; nodes without a kernel are leaves or views."""
        self.order: list[Node] = []
        self.kernels: dict[Node, Kernel] = {}
        self._graph = graph
        self._old_kernels = kernels
        self._latest: dict[Node, Node] = {}
        self._views: dict[tuple[Node, Node], Node] = {}

    def compute(self, node: Node) -> None:
        """Add a computation of a node, the first or another; later reads use this value."""
        self._latest[node] = self._add(node, tuple(map(self._value, node.inputs)))
        self.kernels[self._latest[node]] = self._old_kernels[node]

    def graph(self) -> Graph:
        """The new graph, once every node has been computed."""
        return Graph(
            {name: self._value(node) for name, node in self._graph.outputs.items()},
            tuple(Update(target, self._value(value)) for target, value in self._graph.updates),
        )

    def _value(self, node: Node) -> Node:
        """The new node that currently holds the value of an old one."""
        views = []
        while not is_leaf(node) and node not in self._old_kernels:
            views.append(node)
            (node,) = node.inputs
        value = node if is_leaf(node) else self._latest[node]
        for view in reversed(views):
            key = view, value
            if key not in self._views:
                self._views[key] = self._add(view, (value,))
                self._latest[view] = self._views[key]
            value = self._views[key]
        return value

    def _add(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        if node in self._latest:
            origin = node.provenance.again()
            new = Node(node.operator, inputs, node.attributes, node.spec, origin)
        else:
            new = node if inputs == node.inputs else replace(node, inputs=inputs)
        self.order.append(new)
        return new
