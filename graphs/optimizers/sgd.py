"""Stochastic gradient descent."""

from __future__ import annotations

from engine import Update
from graphs.module import Module
from graphs.optimizers.optimizer import Optimizer, update
from graphs.optimizers.ranges import not_negative, within
from ops import GraphError, Node


class SGD(Optimizer):
    """Stochastic gradient descent: ``w <- w - lr * g``, as in the report.

    With momentum m: ``b <- m * b + g``, ``w <- w - lr * b`` (Nesterov: ``w - lr * (g + m * b)``),
    as in ``torch.optim.SGD`` without dampening.

    Args:
        lr: learning rate, positive.
        model: the module that :meth:`step` updates, if any.
        momentum: in [0, 1).
        weight_decay: this times the parameter is added to the gradient; not negative.
        nesterov: use Nesterov momentum; needs ``momentum`` above 0.
    """

    def __init__(
        self,
        lr: float,
        model: Module | None = None,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(lr, model)
        self.momentum = within("momentum", momentum)
        self.weight_decay = not_negative("weight_decay", weight_decay)
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise GraphError("nesterov=True needs a momentum above 0")

    def updates(self, parameter: Node, gradient: Node) -> list[Update]:
        """See :meth:`Optimizer.updates`."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        updates = []
        if self.momentum:
            velocity = self._slot(parameter, "momentum")
            moved = self.momentum * velocity + gradient
            updates.append(update(velocity, moved))
            gradient = gradient + self.momentum * moved if self.nesterov else moved
        return [*updates, update(parameter, parameter - self._rate(parameter) * gradient)]
