"""Fuse operators that can be computed in one pass over memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.graph import Graph
from engine.native.code.expression import CHEAP, EXPRESSIONS
from engine.rewrites.copies import with_copies
from engine.summation import REDUCTIONS
from ops import Node
from ops.dimension import Shape
from ops.fused import fuse

CONVOLUTIONS = frozenset({"conv2d", "conv2d_input_gradient", "interleave_phases"})
"""Operators whose result images elementwise operators can be fused into, pixel by pixel."""

GRADIENTS = frozenset({"conv2d_input_gradient", "conv2d_weight_gradient"})
"""Operators that can separate their gradient into phases while reading it."""

MOST_INPUTS = 16
"""Maximum inputs of a fused node; each takes a register."""

MOST_NODES = 64
"""Maximum nodes in a fused node, to bound its compile time."""

Supported = Callable[[Node], bool]


def fuse_neighbours(graph: Graph, supported: Supported) -> Graph:
    """Consecutive operators are fused into one: f(g(x)) = (f . g)(x).

    A chain of elementwise operators becomes one node, together with the convolution before it or
    the sum after it. A convolution is also fused with the interleaving of its phases and with the
    summing of its weight's taps. Cheap elementwise values are recomputed by each consumer instead
    of being kept.

    Args:
        graph: bound.
        supported: whether a kernel can compute a fused node; others are left unfused.
    """
    graph = _with_copies(graph, supported)
    groups = _Grouping(graph, supported).groups()
    last = {node: group.nodes[0] for group in groups for node in group.nodes}
    members = {group.nodes[0]: group.nodes[::-1] for group in groups}

    def fused(node: Node, replaced: Mapping[Node, Node]) -> Node:
        if last[node] is not node or len(members[node]) == 1:
            return replaced[node]
        whole = fuse([replaced[member] for member in members[node]])
        return whole if supported(whole) else replaced[node]

    return graph.rebuild(fused)


def _takes(consumer: Node, value: Node, supported: Supported) -> bool:
    """Whether a consumer could be fused with an elementwise value."""
    name = consumer.operator.name
    fits = name in REDUCTIONS or (name in EXPRESSIONS and consumer.shape == value.shape)
    return fits and supported(consumer)


def _takes_apart(consumer: Node, value: Node) -> bool:
    """Whether a consumer could separate its gradient into phases itself."""
    reads = [source is value for source in consumer.inputs]
    return consumer.operator.name in GRADIENTS and reads == [True, False]


def _with_copies(graph: Graph, supported: Supported) -> Graph:
    """Give each consumer its own copy of values that are cheaper to compute than to keep."""
    consumers, roots = graph.consumers(), set(graph.roots)

    def is_copied(node: Node) -> bool:
        if node in roots or len(consumers[node]) < 2:
            return False
        if node.operator.name == "separate_phases":
            return all(_takes_apart(consumer, node) for consumer in consumers[node])
        return (
            node.operator.name in CHEAP
            and all(_takes(consumer, node, supported) for consumer in consumers[node])
            # An input with this as its only consumer would be computed twice as well.
            and all(len(consumers[x]) > 1 or not x.inputs for x in node.inputs)
        )

    return with_copies(graph, {node for node in graph.nodes if is_copied(node)})


@dataclass
class _Group:
    """Nodes to fuse, in reverse graph order."""

    nodes: list[Node]
    shape: Shape
    anchor: Node | None
    inputs: set[Node] = field(default_factory=set)

    def add(self, node: Node) -> None:
        self.nodes.append(node)
        self.inputs |= set(node.inputs)


class _Grouping:
    """Walks the graph backwards; a node may join a group that contains all its consumers."""

    def __init__(self, graph: Graph, supported: Supported) -> None:
        self._graph = graph
        self._supported = supported
        self._consumers = graph.consumers()

    def groups(self) -> list[_Group]:
        roots, groups = set(self._graph.roots), dict[Node, _Group]()
        for node in reversed(self._graph.nodes):
            theirs = {id(groups[c]): groups[c] for c in self._consumers[node]}
            group = next(iter(theirs.values())) if len(theirs) == 1 else None
            if group is None or node in roots or not self._joins(node, group):
                groups[node] = self._begin(node)
                continue
            group.add(node)
            if node.operator.name in CONVOLUTIONS and group.anchor is None:
                group.anchor = node
            groups[node] = group
        return list({id(group): group for group in groups.values()}.values())

    def _begin(self, node: Node) -> _Group:
        summed = node.operator.name in REDUCTIONS and self._supported(node)
        anchor = node if summed or node.operator.name in CONVOLUTIONS | GRADIENTS else None
        shape = node.inputs[0].shape if summed else node.shape
        return _Group([node], shape, anchor, set(node.inputs))

    def _joins(self, node: Node, group: _Group) -> bool:
        name, consumers = node.operator.name, self._consumers[node]
        if not node.inputs or len(group.nodes) == MOST_NODES:
            return False
        if len(group.inputs | set(node.inputs)) > MOST_INPUTS:
            return False
        if name == "separate_phases":
            alone = len(consumers) == 1 and _takes_apart(consumers[0], node)
            return alone and self._supported(fuse([node, consumers[0]]))
        if name == "phase_weight":
            chain = [node, *consumers, *self._consumers[consumers[0]]]
            return len(chain) == 3 and self._supported(fuse(chain))
        if name == "conv2d" and consumers[0].operator.name == "interleave_phases":
            return self._supported(node)
        if node.shape != group.shape:
            return False
        if not all(_takes(c, node, self._supported) for c in consumers):
            return False
        if name in CONVOLUTIONS:
            convolution = node.inputs[0] if name == "interleave_phases" else node
            return group.anchor is None and self._supported(convolution)
        return name in EXPRESSIONS and self._supported(node)
