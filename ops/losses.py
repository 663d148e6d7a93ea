"""Losses: how far a prediction is from its target, as a scalar; built from other operators.

Sources: the report for the mean squared error; Lehtinen et al., "Noise2Noise: Learning Image
Restoration without Clean Data", ICML 2018, for the annealed L0 and the noise that each loss suits.
"""

from __future__ import annotations

from ops.arguments import as_nodes, named_in_errors
from ops.arithmetic import abs, maximum, mul, pow, square, sub
from ops.node import Node, Scalar
from ops.reductions import mean, sum
from ops.shape import expand, reshape
from ops.spec import require_float, require_same_shape


@named_in_errors
def mse(input: Node, target: Node) -> Node:
    """Mean squared error, the mean over all elements of ``(input - target)**2``.

    The loss for zero-mean noise: it is minimal at the mean of the targets.

    Args:
        input, target: float values of one shape.

    Returns:
        A scalar.
    """
    return mean(square(_difference(input, target)))


@named_in_errors
def l1(input: Node, target: Node) -> Node:
    """Mean absolute error, the mean over all elements of ``|input - target|``.

    The loss for zero-median noise, such as overlaid text.

    Args:
        input, target: float values of one shape.

    Returns:
        A scalar.
    """
    return mean(abs(_difference(input, target)))


@named_in_errors
def l0_annealed(input: Node, target: Node, gamma: Node | Scalar, eps: float = 1e-8) -> Node:
    """The annealed L0 loss, the mean over all elements of ``(|input - target| + eps)**gamma``.

    The loss for noise that replaces pixels by random ones: as gamma is annealed from 2 to 0 during
    training, its minimum approaches the mode of the targets.

    Args:
        input, target: float values of one shape.
        gamma: a number, or a scalar input of the graph so that it can change from step to step.
        eps: keeps the derivative finite at zero.

    Returns:
        A scalar.
    """
    distance = abs(_difference(input, target)) + eps
    return mean(pow(distance, gamma))


@named_in_errors
def masked_mse(input: Node, target: Node, mask: Node) -> Node:
    """Mean squared error over the elements that a mask keeps: ``sum(m (x - t)**2) / sum(m)``.

    The loss for noise that deletes pixels (Bernoulli noise): deleted pixels do not count. If
    nothing is kept, it is 0.

    Args:
        input, target: float values of one shape.
        mask: 0 or 1, float, of a shape that broadcasts to theirs.

    Returns:
        A scalar.
    """
    difference = _difference(input, target)
    (kept,) = as_nodes([mask])
    require_float(kept.spec)
    kept = expand(kept, difference.shape)
    return sum(mul(kept, square(difference))) / maximum(sum(kept), 1.0)


def _difference(input: Node, target: Node) -> Node:
    x, t = as_nodes([input, target])
    require_same_shape(x.spec, t.spec)
    if x.shape == t.shape:
        return sub(x, t)
    # A named size bound to 1 would broadcast silently; these reshapes make binding refuse it.
    return reshape(reshape(sub(x, t), x.shape), t.shape)
