"""Grouping a graph's nodes into the boxes of its drawing, without parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx

from engine import Graph
from ops import Node, Parameter


@dataclass(frozen=True, eq=False)
class Box:
    """A box of the drawing.

    Attributes:
        title: the first operator, or an input's or output's name.
        lines: the operators that follow it in the same box.
        shape: of the result, as text.
        kind: ``input``, ``output``, ``weights`` for a box with parameters, or ``plain``.
        hint: details shown on demand: operators and where they are called, parameters' shapes.
    """

    title: str
    lines: tuple[str, ...]
    shape: str
    kind: str
    hint: str


def boxes_of(graph: Graph) -> networkx.DiGraph:
    """The boxes and their edges.

    An operator joins the box of its input if nothing else reads that input, and if it keeps the
    shape and has no weights except a bias: a convolution, its bias and its activation are one box.
    """
    whole, inputs = graph.to_networkx(), graph.inputs.values()
    reached = set(inputs).union(*(networkx.descendants(whole, node) for node in inputs))
    fed = [node for node in graph.nodes if node in reached]
    readers = whole.subgraph(reached).out_degree
    heads: dict[Node, Node] = {}
    members: dict[Node, list[Node]] = {}
    for node in fed:
        sources = [source for source in dict.fromkeys(node.inputs) if source in reached]
        joins = len(sources) == 1 and _joins(node, sources[0], readers[sources[0]])
        head = heads[sources[0]] if joins else node
        heads[node] = head
        members.setdefault(head, []).append(node)
    boxes = {head: _box(nodes) for head, nodes in members.items()}
    result: networkx.DiGraph = networkx.DiGraph()
    result.add_nodes_from(boxes.values())
    for node in fed:
        for source in node.inputs:
            if source in reached and heads[source] is not heads[node]:
                result.add_edge(boxes[heads[source]], boxes[heads[node]])
    for name, node in graph.outputs.items():
        if node in reached:
            result.add_edge(boxes[heads[node]], Box(name, (), _shape(node), "output", name))
    return result


def _joins(node: Node, source: Node, readers: int) -> bool:
    is_alone = bool(source.inputs) and readers == 1 and node.spec.shape == source.spec.shape
    return is_alone and (_is_bias(node) or not any(_parameters(node)))


def _box(nodes: list[Node]) -> Box:
    head, *followers = nodes
    parameters = list(dict.fromkeys(p for node in nodes for p in _parameters(node)))
    lines = [_title(node) for node in followers if not _is_bias(node)]
    hints = [f"{node.operator.name}: {node.spec}" for node in nodes if node.inputs]
    hints += [f"{parameter.name}: {list(parameter.tensor.shape)}" for parameter in parameters]
    kind = "weights" if parameters else "plain"
    return Box(
        title=_title(head),
        lines=tuple(lines),
        shape=_shape(nodes[-1]),
        kind=kind if head.inputs else "input",
        hint="\n".join(hints) or str(head.spec),
    )


def _title(node: Node) -> str:
    if not node.inputs:
        return str(node.name)
    details = " ".join(_details(node))
    return f"{node.operator.name} {details}".strip()


def _details(node: Node) -> Iterator[str]:
    """The kernel size of a convolution or pooling, and the stride or scale factor."""
    attributes: dict[str, Any] = dict(node.attributes)
    window = attributes.get("kernel_size")
    if window is None and node.operator.name == "conv2d":
        window = node.inputs[1].shape[2:]
    if window is not None:
        yield "x".join(map(str, window))
    if set(attributes.get("stride", (1,))) != {1}:
        yield f"/{attributes['stride'][0]}"
    if "scale_factor" in attributes:
        yield f"x{attributes['scale_factor'][0]}"


def _is_bias(node: Node) -> bool:
    """Whether a node only adds a parameter."""
    return node.operator.name == "add" and any(_parameters(node))


def _parameters(node: Node) -> Iterator[Parameter]:
    """The parameters among a node's inputs, directly or reshaped."""
    for source in node.inputs:
        leaf = source
        while len(leaf.inputs) == 1 and leaf.operator.name == "reshape":
            (leaf,) = leaf.inputs
        parameter = leaf.attributes.get("parameter") if not leaf.inputs else None
        if isinstance(parameter, Parameter):
            yield parameter


def _shape(node: Node) -> str:
    return " x ".join(map(str, node.shape)) or "scalar"
