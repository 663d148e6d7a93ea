"""The naive interpreter: the oracle for compiled programs, and a debugging aid."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from engine.feeds import infer_sizes, require_feeds
from engine.graph import Graph
from engine.lowering import evaluate
from ops import Node
from ops.leaves import input


def interpret(
    graph: Graph, feeds: Mapping[str, torch.Tensor], **sizes: int
) -> dict[str, torch.Tensor]:
    """Evaluate every node by its operator's ``forward``, one after the other.

    Updates are not applied.

    Args:
        graph: what to evaluate.
        feeds: a tensor for each input, all on one device.
        **sizes: a size for each named dimension that is not simply the size of a feed's axis.

    Returns:
        A tensor for each output.

    Raises:
        FeedError: a feed is missing, unknown, or of the wrong shape or dtype, two feeds disagree
            about a dimension, or a dimension has no size.
        SpecError: with these sizes, an operator's inputs do not fit.

    >>> from graphs import GraphBuilder
    >>> g = GraphBuilder("doubling")
    >>> graph = g.build(y=2 * g.input("x", ("N",)))
    >>> interpret(graph, {"x": torch.tensor([1.0, 2.0])})
    {'y': tensor([2., 4.])}
    """
    graph = graph.bind({**infer_sizes(graph, feeds), **sizes})
    require_feeds({name: node.spec for name, node in graph.inputs.items()}, feeds)
    device = next((tensor.device for tensor in feeds.values()), torch.device("cpu"))
    values: dict[Node, torch.Tensor] = {}
    with torch.device(device):
        for node in graph.nodes:
            if node.operator is input:
                values[node] = feeds[str(node.name)].detach()
            else:
                value = evaluate(node, [values[source] for source in node.inputs])
                values[node] = value.to(device)
    return {name: values[node].clone() for name, node in graph.outputs.items()}
