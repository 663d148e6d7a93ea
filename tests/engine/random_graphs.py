"""Random graphs over the whole vocabulary, each built twice: on nodes and on PyTorch's tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st

import ops
from engine import Graph, gradient
from ops import Node
from tests.engine.growth import GROWTH
from tests.engine.vocabulary import Draw, Growing, Value
from tests.support import torch_gradients


@dataclass
class RandomGraph:
    """A graph, what to feed it, and what PyTorch says its outputs and gradients are."""

    graph: Graph
    sizes: dict[str, int]
    feeds: dict[str, torch.Tensor]
    expected: dict[str, torch.Tensor]

    def __repr__(self) -> str:
        return f"sizes {self.sizes}\n{self.graph}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would print every tensor


@st.composite
def random_graphs(draw: Draw, steps: int = 10, named: bool | None = None) -> RandomGraph:
    """Graphs of up to ``steps`` drawn steps, with gradients by every input and parameter.

    ``named`` says whether the batch is a named dimension; by default it may be.
    """
    named = draw(st.booleans()) if named is None else named
    sizes = {"N": draw(st.integers(1, 3))} if named else {}
    batch: int | str = "N" if named else 2
    growing = Growing(draw)
    growing.input("image", (batch, 3, 6, 5), sizes)
    growing.input("row", (batch, 4), sizes)
    growing.pool += [growing.parameter(3, 1, 1), growing.parameter(4)]
    for grow in draw(st.lists(st.sampled_from(GROWTH), min_size=1, max_size=steps)):
        growing.keep(grow(growing))
    count = draw(st.integers(1, 3))
    chosen = [draw(st.sampled_from(growing.pool[2:])) for _ in range(count)]
    return _finished(growing, sizes, chosen)


def _finished(growing: Growing, sizes: dict[str, int], chosen: list[Value]) -> RandomGraph:
    outputs = {f"y{i}": value for i, value in enumerate(chosen)}
    loss = Value(*_loss(chosen))
    leaves = growing.inputs | growing.parameters
    nodes = gradient(loss.node, [leaf.node for leaf in leaves.values()])
    tensors = torch_gradients(loss.tensor, [leaf.tensor for leaf in leaves.values()])
    outputs["loss"] = loss
    for name, node, tensor in zip(leaves, nodes, tensors, strict=True):
        outputs[f"by {name}"] = Value(node, tensor)
    graph = growing.builder.build(**{name: value.node for name, value in outputs.items()})
    return RandomGraph(
        graph=graph,
        sizes={name: size for name, size in sizes.items() if name in graph.dimensions},
        feeds={n: v.tensor.detach() for n, v in growing.inputs.items() if n in graph.inputs},
        expected={name: value.tensor.detach() for name, value in outputs.items()},
    )


def _loss(outputs: list[Value]) -> tuple[Node, torch.Tensor]:
    nodes = [ops.mean(ops.tanh(value.node / 4) * (i + 1)) for i, value in enumerate(outputs)]
    tensors = [((value.tensor / 4).tanh() * (i + 1)).mean() for i, value in enumerate(outputs)]
    node, tensor = nodes[0], tensors[0]
    for i in range(1, len(outputs)):
        node, tensor = node + nodes[i], tensor + tensors[i]
    return node, tensor
