"""One function of nodes against the same function of PyTorch's tensors: values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import strategies as st

from engine import Graph, gradient, interpret
from engine.testing import require_close
from ops import Node
from ops.leaves import input
from ops.spec import FLOATS
from tests.support import torch_gradients, values


def assert_same_function(
    ours: Callable[..., Node],
    theirs: Callable[..., torch.Tensor],
    tensors: Sequence[torch.Tensor],
    scale: float = 1.0,
) -> None:
    """Compare the results, and the gradients by all float inputs for one upstream gradient.

    ``scale`` multiplies both results, for those of long sums to be compared near 1.
    """
    leaves = [t.detach().clone().requires_grad_(t.dtype in FLOATS) for t in tensors]
    expected = theirs(*leaves)
    result, slopes = evaluate(ours, tensors, seed := _seed(expected))
    require_close(result * scale, expected.detach() * scale, "result")
    if slopes:
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        references = torch_gradients((expected * seed).sum(), wanted)
        for i, (slope, reference) in enumerate(zip(slopes, references, strict=True)):
            require_close(slope * scale, reference * scale, f"gradient {i}")


def evaluate(
    function: Callable[..., Node], tensors: Sequence[torch.Tensor], seed: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The result and, if it is floating point, its gradients with respect to the float inputs."""
    nodes = [
        input(name=f"x{i}", shape=tuple(t.shape), dtype=t.dtype) for i, t in enumerate(tensors)
    ]
    y = function(*nodes)
    outputs = {"y": y}
    if y.dtype in FLOATS:
        seed_node = input(name="seed", shape=tuple(seed.shape), dtype=seed.dtype)
        slopes = gradient(y, [node for node in nodes if node.dtype in FLOATS], seed_node)
        outputs |= {f"d{i}": slope for i, slope in enumerate(slopes)}
    graph = Graph(outputs)
    feeds = {f"x{i}": tensor for i, tensor in enumerate(tensors)} | {"seed": seed}
    results = interpret(graph, {name: feeds[name] for name in graph.inputs})
    return results.pop("y"), list(results.values())


def draw_tensors(draw: Any, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    """Tensors of some shapes, all float64 or all float32."""
    dtype = draw(st.sampled_from(FLOATS[::-1]))
    return [values(*shape, seed=i, dtype=dtype) for i, shape in enumerate(shapes)]


def _seed(like: torch.Tensor) -> torch.Tensor:
    dtype = like.dtype if like.dtype in FLOATS else torch.float64
    return values(*like.shape, seed=99, dtype=dtype)
