"""A graph: named outputs and parameter updates, with everything they depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import networkx
import torch

from engine.binding import bind_node, names_in_node, require_sizes
from engine.order import topological
from ops import GraphError, Node, Parameter, Spec
from ops.dimension import surely_differ
from ops.leaves import input, parameter
from ops.operator import Operator


class Update(NamedTuple):
    """An update: after a run, ``parameter`` holds ``value``."""

    parameter: Parameter
    value: Node


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """An immutable directed acyclic graph.

    Attributes:
        outputs: name -> node.
        updates: new values of parameters, in effect once everything else is computed.
        nodes: every node, inputs before consumers, otherwise in the order they were requested.

    Raises:
        GraphError: two inputs or two parameters share a name, or a parameter is updated twice or
            with a value of another shape or dtype.

    >>> from graphs import GraphBuilder
    >>> from ops import mean, relu
    >>> g = GraphBuilder("layer")
    >>> x, w = g.input("x", ("N", 3)), g.parameter("w", (3, 2))
    >>> y = relu(x @ w)
    >>> print(g.build(y=y, level=mean(y)))
    x: float32[N, 3] = input(shape=(N, 3), dtype=torch.float32)
    w: float32[3, 2] = parameter()
    %2: float32[N, 2] = matmul(x, w)
    %3: float32[N, 2] = relu(%2)
    %4: float32[] = mean(%3, dim=(0, 1), keepdim=False)
    return y = %3
    return level = %4
    """

    outputs: Mapping[str, Node]
    updates: tuple[Update, ...] = ()
    nodes: tuple[Node, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", MappingProxyType(dict(self.outputs)))
        object.__setattr__(self, "nodes", topological(self.roots))
        for kind in (input, parameter):
            _require_unique_names(self._leaves(kind))
        _require_fitting(self.updates)

    @property
    def roots(self) -> tuple[Node, ...]:
        """The requested nodes: outputs, then the updates' values."""
        return (*self.outputs.values(), *(update.value for update in self.updates))

    @property
    def inputs(self) -> dict[str, Node]:
        """The inputs that the outputs and updates depend on, by name."""
        return {str(node.name): node for node in self._leaves(input)}

    @property
    def parameters(self) -> dict[str, Node]:
        """The parameters that the outputs and updates depend on, by name."""
        return {str(node.name): node for node in self._leaves(parameter)}

    @property
    def dimensions(self) -> frozenset[str]:
        """The names of the unbound dimensions."""
        return frozenset[str]().union(*map(names_in_node, self.nodes))

    def select(self, outputs: Iterable[str]) -> Graph:
        """The part of the graph that the given outputs need, without updates.

        Raises:
            GraphError: an output does not exist.
        """
        outputs = list(outputs)
        for name in outputs:
            if name not in self.outputs:
                known = ", ".join(self.outputs)
                raise GraphError(f"the graph has no output {name!r} (it has: {known})")
        return Graph({name: self.outputs[name] for name in outputs})

    def bind(self, sizes: Mapping[str, int]) -> Graph:
        """The same graph with every named dimension replaced by its size.

        Every node is inferred again, which checks whatever names left undecided.

        Raises:
            FeedError: a size is missing, belongs to no dimension, or is not an integer of at
                least 0.
            SpecError: with these sizes, an operator's inputs do not fit, or two dimensions that
                broadcasting assumed to be equal are not.
        """
        require_sizes(self.dimensions, sizes)
        leaves: dict[object, Node] = {}

        def bound(node: Node) -> Node:
            result = bind_node(node, sizes)
            if node.name is None:
                return result
            # A parameter that is shared under several names becomes one node.
            return leaves.setdefault(node.attributes.get("parameter", node.name), result)

        return self.transform(bound)

    def transform(self, visit: Callable[[Node], Node]) -> Graph:
        """Rebuild the graph: ``visit`` maps each node, its inputs already replaced, to a new one.

        If no node changes, the result is the graph itself.
        """
        return self.rebuild(lambda node, replaced: visit(replaced[node]))

    def rebuild(self, visit: Callable[[Node, Mapping[Node, Node]], Node]) -> Graph:
        """Like :meth:`transform`, but ``visit`` gets the original node and a map of replacements.

        It maps earlier nodes to what ``visit`` returned for them, and the node itself to a copy
        with replaced inputs.
        """
        replaced: dict[Node, Node] = {}
        for node in self.nodes:
            inputs = tuple(replaced[source] for source in node.inputs)
            replaced[node] = node if inputs == node.inputs else replace(node, inputs=inputs)
            replaced[node] = visit(node, replaced)
        if all(old is new for old, new in replaced.items()):
            return self
        return Graph(
            {name: replaced[node] for name, node in self.outputs.items()},
            tuple(Update(target, replaced[value]) for target, value in self.updates),
        )

    def consumers(self) -> dict[Node, list[Node]]:
        """The nodes that read each node."""
        found: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                found[source].append(node)
        return found

    def check(self) -> None:
        """Infer every node again; raises GraphError if a transformation left a wrong spec."""
        for node in self.nodes:
            spec = node.operator.infer(*(x.spec for x in node.inputs), **node.attributes)
            if spec != node.spec:
                raise GraphError(f"{node!r} ({node.provenance}) has not the spec it infers, {spec}")

    def to_networkx(self) -> networkx.DiGraph:
        """The graph as a networkx graph, edges from inputs to consumers, for analysis and drawing.

        Its nodes are those of :attr:`nodes`, with attributes ``label`` and ``spec``.
        """
        result = networkx.DiGraph()
        for node in self.nodes:
            result.add_node(node, label=node.name or node.operator.name, spec=str(node.spec))
            result.add_edges_from((source, node) for source in node.inputs)
        return result

    def labels(self) -> dict[Node, str]:
        """A short unique name for every node: ``%7``, or the name of an input or a parameter."""
        return {node: node.name or f"%{i}" for i, node in enumerate(self.nodes)}

    def __str__(self) -> str:
        labels = self.labels()
        by_serial = {node.order[0]: labels[node] for node in reversed(self.nodes)}
        lines = [_line(node, labels, by_serial) for node in self.nodes]
        lines += [f"return {name} = {labels[node]}" for name, node in self.outputs.items()]
        lines += [f"update {target.name} <- {labels[value]}" for target, value in self.updates]
        return "\n".join(lines)

    def _leaves(self, kind: Operator) -> list[Node]:
        return [node for node in self.nodes if node.operator is kind]


def _line(node: Node, labels: Mapping[Node, str], by_serial: Mapping[int, str]) -> str:
    arguments = [labels[source] for source in node.inputs]
    shown = {k: v for k, v in node.attributes.items() if k not in ("name", "parameter")}
    arguments += [f"{k}={_one_line(v)}" for k, v in shown.items()]
    text = f"{labels[node]}: {node.spec} = {node.operator.name}({', '.join(arguments)})"
    forward = node.provenance.forward
    if forward is not None:
        text += f"  # gradient of {by_serial.get(forward.order[0], forward.operator.name)}"
    return text


def _one_line(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"tensor {Spec(tuple(value.shape), value.dtype)}"
    return str(value)


def _require_unique_names(leaves: Iterable[Node]) -> None:
    first: dict[str | None, Node] = {}
    for node in leaves:
        other = first.setdefault(node.name, node)
        if other.attributes != node.attributes:
            raise GraphError(
                f"two different {node.operator.name}s are called {node.name!r}, at "
                f"{other.provenance} and at {node.provenance}; give each a name of its own"
            )


def _require_fitting(updates: Iterable[Update]) -> None:
    seen: set[Parameter] = set()
    for target, value in updates:
        spec = target.spec
        sizes_differ = any(map(surely_differ, value.shape, spec.shape))
        if sizes_differ or (value.dtype, value.ndim) != (spec.dtype, spec.ndim):
            raise GraphError(
                f"the parameter {target.name!r} is a {spec}, and its update at "
                f"{value.provenance} a {value.spec}"
            )
        if target in seen:
            raise GraphError(f"the parameter {target.name!r} is updated twice")
        seen.add(target)
