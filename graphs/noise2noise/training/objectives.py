"""What a training minimizes: graphs of a network with a loss, one for each kind of batch.

Each graph has the outputs ``loss``, to be minimized; ``error``, the mean squared error between the
result and its noisy target; and ``gap``, the same between the input and the target. Its inputs are
what the source of its batches provides (see :mod:`graphs.noise2noise.data.sources`).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine import Graph
from graphs.builder import GraphBuilder
from graphs.module import Module
from graphs.noise2noise.data.noise import Loss
from ops import Dim, Node, l0_annealed, l1, masked_mse, mse, operator, reshape, same_as_input, sum

NEIGHBOUR_WEIGHT = 2.0
"""Weight of the regulariser: the final value in the published code of Neighbor2Neighbor."""

constant_copy = operator(
    "constant_copy",
    infer=same_as_input,
    forward=lambda input: input.clone(),
    no_gradient=("input",),
    doc="The value itself, as something that does not depend on any parameter.",
)


@dataclass(frozen=True)
class Objective:
    """A graph to train with.

    Attributes:
        graph: as the module describes.
        swapped: the two inputs that may be swapped, so that each shot is predicted from the
            other; None where they may not.
    """

    graph: Graph
    swapped: tuple[str, str] | None


def shots_objective(net: Module, channels: int, loss: Loss = "l2") -> Objective:
    """Predict one shot from another under the given loss. Inputs ``noisy`` and ``target``.

    ``masked`` also takes ``mask``, (N, 1, H, W); ``l0`` also takes ``gamma``, a scalar.
    """
    g = GraphBuilder("noise2noise")
    noisy = g.input("noisy", ("N", channels, "H", "W"))
    target = g.input("target", ("N", channels, "H", "W"))
    result = net(noisy)
    error = mse(result, target)
    if loss == "l2":
        value = error
    elif loss == "l1":
        value = l1(result, target)
    elif loss == "l0":
        value = l0_annealed(result, target, g.input("gamma", ()))
    else:
        value = masked_mse(result, target, g.input("mask", ("N", 1, "H", "W")))
    graph = g.build(loss=value, error=error, gap=mse(noisy, target))
    return Objective(graph, ("noisy", "target") if loss == "l2" else None)


def neighbours_objective(net: Module, channels: int, weight: float = NEIGHBOUR_WEIGHT) -> Objective:
    """Predict one subsampling of a picture from a neighbouring one, with the regulariser.

    With y the whole picture and g1, g2 the two subsamplings, the loss is the mean of
    ``(f(g1 y) - g2 y)**2 + weight (f(g1 y) - g2 y - (g1 f(y) - g2 f(y)))**2``, where ``f(y)``
    is treated as constant. Source: Huang et al., CVPR 2021, equation 14.
    """
    g = GraphBuilder("neighbor2neighbor")
    height, width = Dim.named("H"), Dim.named("W")
    whole = g.input("whole", ("N", channels, 2 * height, 2 * width))
    places = ("N", 1, "H", 2, "W", 2)
    first, second = g.input("first", places), g.input("second", places)
    noisy, target = _thinned(whole, first), _thinned(whole, second)
    result = net(noisy)
    clean = constant_copy(net(whole))
    drift = _thinned(clean, first) - _thinned(clean, second)
    error = mse(result, target)
    loss = error + weight * mse(result - target, drift)
    graph = g.build(loss=loss, error=error, gap=mse(noisy, target))
    return Objective(graph, ("first", "second"))


def _thinned(whole: Node, places: Node) -> Node:
    """The chosen pixel of each 2x2 block: [N, C, 2H, 2W] to [N, C, H, W]."""
    n, channels, height, width = whole.shape
    blocks = reshape(whole, (n, channels, height // 2, 2, width // 2, 2))
    return sum(blocks * places, dim=(3, 5))
