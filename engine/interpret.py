"""The naive interpreter: the oracle for compiled programs, and a debugging aid."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from engine.feeds import infer_sizes, require_feeds
from engine.graph import Graph
from engine.lowering import evaluate
from ops import Node
from ops.leaves import input


def interpret(graph: Graph, feeds: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Evaluate every node by its operator's ``forward``, one after the other.

    The feeds determine the sizes of named dimensions. Updates are not applied.

    Args:
        graph: what to evaluate.
        feeds: a tensor for each input, all on one device.

    Returns:
        A tensor for each output.

    Raises:
        FeedError: a feed is missing, unknown, or of the wrong shape or dtype, or two feeds disagree
            about a dimension.
    """
    graph = graph.bind(infer_sizes(graph, feeds))
    require_feeds({name: node.spec for name, node in graph.inputs.items()}, feeds)
    device = next((tensor.device for tensor in feeds.values()), torch.device("cpu"))
    values: dict[Node, torch.Tensor] = {}
    with torch.device(device):
        for node in graph.nodes:
            if node.operator is input:
                values[node] = feeds[str(node.name)].detach()
            else:
                values[node] = evaluate(node, [values[source] for source in node.inputs])
    return {name: values[node].clone() for name, node in graph.outputs.items()}
